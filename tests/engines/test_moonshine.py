"""Moonshine on sherpa-onnx: real weights, real speech, the real service."""

from pathlib import Path

import numpy as np
import pytest

from asr_service.domain.ports.model_store import ModelUnsuitable, RecognitionModel
from asr_service.domain.ports.recognizer import RecognitionRequest
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.infrastructure.asr.engine import Engine
from asr_service.infrastructure.asr.self_test import noise_request, run_self_test
from asr_service.infrastructure.asr.sherpa_onnx_adapter import SherpaOnnxEngineFactory
from tests.fixtures.native_client import connected, stream
from tests.fixtures.recognition_requests import recognition_request
from tests.fixtures.recordings import Clip
from tests.fixtures.server import StartServer


@pytest.fixture(scope="module")
def engine(moonshine: RecognitionModel) -> Engine:
    return SherpaOnnxEngineFactory(moonshine.directory, moonshine.name, moonshine.architecture, moonshine.languages)()


def text_of(engine: Engine, request: RecognitionRequest) -> str:
    (outcome,) = engine.recognize([request])
    assert isinstance(outcome, Hypothesis)
    return outcome.text


async def test_english_speech_becomes_partials_and_then_finals(
    start_server: StartServer, moonshine: RecognitionModel, english_clip: Clip
) -> None:
    """The name of the model is all it takes."""
    server = start_server(ASR_RECOGNIZER__MODEL=moonshine.name)

    dialogue = await stream(server.ws_url, english_clip.pcm, speed=2.0)

    assert server.get("/v1/models").json()["data"][0]["id"] == moonshine.name
    assert english_clip.errors_in(dialogue.text) <= 0.1, dialogue.text
    assert len(dialogue.of("final")) == 2
    assert dialogue.of("partial")
    assert {final["language"] for final in dialogue.of("final")} == {"en"}
    assert {final["timing"] for final in dialogue.of("final")} == {"none"}
    server.assert_stops_cleanly()


async def test_a_language_that_it_does_not_know_is_refused(
    start_server: StartServer, moonshine: RecognitionModel
) -> None:
    server = start_server(ASR_RECOGNIZER__MODEL=moonshine.name)

    async with connected(server.ws_url) as client:
        await client.send("start", language="zh")
        assert (await client.receive_until("error"))["code"] == "unsupported_language"
    server.assert_stops_cleanly()


@pytest.mark.parametrize("gain", [1, 10, 100])
def test_noise_has_no_words(engine: Engine, gain: int) -> None:
    quiet = np.frombuffer(noise_request().pcm, dtype="<i2")
    assert text_of(engine, recognition_request(pcm=(quiet * gain).astype("<i2").tobytes())) == ""


def test_sentences_of_a_batch_are_those_that_are_heard_alone(engine: Engine, english_clip: Clip) -> None:
    pcm = english_clip.pcm
    requests = [recognition_request(pcm=pcm[: 32_000 * seconds], session_id=f"ses_{seconds}") for seconds in (3, 5, 9)]
    together = [outcome.text for outcome in engine.recognize(requests) if isinstance(outcome, Hypothesis)]
    assert together == [text_of(engine, request) for request in requests]
    assert len(set(together)) == 3


def test_it_is_told_if_the_folder_has_other_files(tmp_path: Path, moonshine: RecognitionModel) -> None:
    for missing in ("encoder_model.ort", "tokenizer.bin"):
        folder = tmp_path / missing
        folder.mkdir()
        for path in moonshine.directory.iterdir():
            if path.name != missing:
                (folder / path.name).symlink_to(path)
        with pytest.raises(ModelUnsuitable, match="no file"):
            SherpaOnnxEngineFactory(folder, "own", "moonshine", frozenset({"en"}))()


def test_the_engine_passes_its_self_test(engine: Engine) -> None:
    run_self_test(engine)
