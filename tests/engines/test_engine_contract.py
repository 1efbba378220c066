"""Every engine keeps the same promises, those of the port. A new engine is a line in ``CASES``."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from asr_service.domain.ports.model_store import RecognitionModel
from asr_service.infrastructure.asr.faster_whisper_adapter import FasterWhisperEngineFactory
from asr_service.infrastructure.asr.sherpa_onnx_adapter import SherpaOnnxEngineFactory
from tests.contract.engine_contract import *  # noqa: F403 - the suite
from tests.contract.engine_contract import EngineCase, pooled
from tests.engines.sounds import babble
from tests.fixtures.recordings import Clip, pcm_of

Fixture: TypeAlias = Callable[[str], object]
"""Gives the fixture of a name."""


def english(fixture: Fixture) -> bytes:
    """An English sentence."""
    clip = fixture("short_english_clip")
    assert isinstance(clip, Clip)
    return pcm_of(clip.path)


def folder(fixture: Fixture, name: str) -> Path:
    path = fixture(name)
    assert isinstance(path, Path)
    return path


def whisper(fixture: Fixture) -> EngineCase:
    factory = FasterWhisperEngineFactory(folder(fixture, "whisper_base_directory"), "whisper-base", beam_size=1)
    return EngineCase(pooled(factory), english(fixture), "en", hotwords=("Kwik Braun Fawks",))


def moonshine(fixture: Fixture) -> EngineCase:
    model = fixture("moonshine")
    assert isinstance(model, RecognitionModel)
    factory = SherpaOnnxEngineFactory(model.directory, model.name, model.architecture, model.languages)
    return EngineCase(pooled(factory), english(fixture), "en")


def tiny(fixture: Fixture, name: str, architecture: str, *, beam_size: int = 1, workers: int = 1) -> EngineCase:
    factory = SherpaOnnxEngineFactory(
        folder(fixture, name), "tiny", architecture, frozenset({"zh"}), beam_size=beam_size
    )
    return EngineCase(pooled(factory, workers=workers), babble(3.0, seed=1), "zh", hotwords=("月",))


CASES: dict[str, Callable[[Fixture], EngineCase]] = {
    "faster-whisper": whisper,
    "sherpa-onnx: moonshine": moonshine,
    "sherpa-onnx: transducer": lambda fixture: tiny(fixture, "transducer", "transducer", beam_size=4),
    "sherpa-onnx: ctc": lambda fixture: tiny(fixture, "ctc", "zipformer-ctc"),
    "sherpa-onnx: streaming": lambda fixture: tiny(fixture, "streaming_transducer", "transducer-streaming"),
    "sherpa-onnx: streaming, two workers": lambda fixture: tiny(
        fixture, "streaming_transducer", "transducer-streaming", beam_size=4, workers=2
    ),
}


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> EngineCase:
    return CASES[request.param](request.getfixturevalue)
