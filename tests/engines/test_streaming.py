"""Streaming by sherpa-onnx: what the adapter says of an utterance that grows is what a plain loop over its recognizer says."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sherpa_onnx

from asr_service.domain.ports.recognizer import RecognitionKind, RecognitionRequest
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.infrastructure.asr.engine import Engine
from asr_service.infrastructure.asr.sherpa.online_engine import CHUNK_SAMPLES, TAIL_SAMPLES
from asr_service.infrastructure.asr.sherpa_onnx_adapter import SherpaOnnxEngineFactory
from asr_service.infrastructure.asr.whisper.repetition import without_loops
from tests.engines.sounds import babble
from tests.fixtures.recognition_requests import recognition_request

PARTIAL, FINAL = RecognitionKind.PARTIAL, RecognitionKind.FINAL
SPEAKERS = 4
BEAMS = [1, 4]


def plain_loop(folder: Path, beam_size: int, pcm: bytes, *, finished: bool, hotwords: str = "") -> str:
    """A recognizer of one's own, one stream, everything at once: sherpa-onnx as its documentation shows it."""
    recognizer = sherpa_onnx.OnlineRecognizer.from_transducer(
        tokens=str(folder / "tokens.txt"),
        encoder=str(folder / "encoder.onnx"),
        decoder=str(folder / "decoder.onnx"),
        joiner=str(folder / "joiner.onnx"),
        num_threads=1,
        decoding_method="greedy_search" if beam_size == 1 else "modified_beam_search",
        max_active_paths=beam_size,
    )
    stream = recognizer.create_stream(hotwords=hotwords) if hotwords else recognizer.create_stream()
    stream.accept_waveform(16_000, np.frombuffer(pcm, dtype="<i2").astype(np.float32) / 32_768)
    if finished:
        stream.accept_waveform(16_000, np.zeros(TAIL_SAMPLES, dtype=np.float32))
        stream.input_finished()
    while recognizer.is_ready(stream):
        recognizer.decode_stream(stream)
    return str(recognizer.get_result(stream))


def engine_on(folder: Path, beam_size: int, **options: Any) -> Engine:
    return SherpaOnnxEngineFactory(
        folder, "tiny", "transducer-streaming", frozenset({"zh"}), beam_size=beam_size, **options
    )()


def texts(engine: Engine, batch: Sequence[RecognitionRequest]) -> list[str]:
    outcomes = engine.recognize(batch)
    assert all(isinstance(outcome, Hypothesis) for outcome in outcomes)
    return [outcome.text for outcome in outcomes if isinstance(outcome, Hypothesis)]


def growing(pcm: bytes, session: str, chance: random.Random) -> Iterator[RecognitionRequest]:
    """Partials of an utterance at random moments, then its final."""
    moments = sorted(chance.randrange(1, len(pcm) // 2) for _ in range(chance.randint(2, 6)))
    for end in moments:
        yield recognition_request(pcm=pcm[: 2 * end], session_id=session, kind=PARTIAL)
    yield recognition_request(pcm=pcm, session_id=session, kind=FINAL)


@pytest.mark.parametrize("beam_size", BEAMS)
@pytest.mark.parametrize("seed", range(5))
def test_every_partial_and_final_is_that_of_a_plain_loop(streaming_transducer: Path, beam_size: int, seed: int) -> None:
    """Several speak at once; their audio arrives by random steps, and what waits is decoded in random batches."""
    chance = random.Random(seed)
    engine = engine_on(streaming_transducer, beam_size)
    speaking = {
        f"ses_{number}": growing(babble(chance.uniform(0.5, 4.0), seed=10 * seed + number), f"ses_{number}", chance)
        for number in range(SPEAKERS)
    }
    heard = 0
    while speaking:
        chosen = chance.sample(sorted(speaking), k=chance.randint(1, len(speaking)))
        turns = {session: next(speaking[session], None) for session in chosen}
        speaking = {session: rest for session, rest in speaking.items() if turns.get(session, rest) is not None}
        batch = [request for request in turns.values() if request is not None]
        for request, text in zip(batch, texts(engine, batch) if batch else [], strict=True):
            assert text == expected(streaming_transducer, beam_size, request)
            heard += len(text)
    assert heard > SPEAKERS


def expected(folder: Path, beam_size: int, request: RecognitionRequest) -> str:
    """A partial hears whole chunks, a final hears everything; what is said over and over is left out as everywhere."""
    if request.kind is FINAL:
        return without_loops(plain_loop(folder, beam_size, request.pcm, finished=True))
    whole = len(request.pcm) // 2 // CHUNK_SAMPLES * CHUNK_SAMPLES
    return without_loops(plain_loop(folder, beam_size, request.pcm[: 2 * whole], finished=False))


def test_a_stream_that_is_not_kept_is_fed_from_the_start(streaming_transducer: Path) -> None:
    forgetful, remembering = (engine_on(streaming_transducer, 1, max_streams=kept) for kept in (0, 8))
    requests = list(growing(babble(3.0, seed=3), "ses_1", random.Random(3)))
    assert [texts(forgetful, [request]) for request in requests] == [
        texts(remembering, [request]) for request in requests
    ]


def test_a_partial_is_fed_what_is_new_only(streaming_transducer: Path) -> None:
    engine = engine_on(streaming_transducer, 1)
    fed = Fed(engine)
    for seconds in (1.0, 1.05, 2.0):
        texts(engine, [recognition_request(pcm=babble(3.0, seed=4)[: round(32_000 * seconds)], kind=PARTIAL)])
    assert fed.samples == [16_000, 0, 16_000]
    texts(engine, [recognition_request(pcm=babble(3.0, seed=4)[: 72_001 // 2 * 2])])
    assert fed.samples[3:] == [4_000, TAIL_SAMPLES]


class Fed:
    """Counts what the streams of an engine are fed."""

    def __init__(self, engine: Any) -> None:
        self.samples: list[int] = []
        self._recognizer = engine._recognizer
        engine._recognizer = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._recognizer, name)

    def create_stream(self) -> Any:
        return CountingStream(self._recognizer.create_stream(), self.samples)

    def is_ready(self, stream: Any) -> bool:
        return bool(self._recognizer.is_ready(stream.stream))

    def decode_streams(self, streams: Sequence[Any]) -> None:
        self._recognizer.decode_streams([stream.stream for stream in streams])

    def get_result_all(self, stream: Any) -> Any:
        return self._recognizer.get_result_all(stream.stream)


class CountingStream:
    def __init__(self, stream: Any, samples: list[int]) -> None:
        self.stream = stream
        self._samples = samples

    def accept_waveform(self, rate_hz: int, waveform: Any) -> None:
        self._samples.append(len(waveform))
        self.stream.accept_waveform(rate_hz, waveform)

    def input_finished(self) -> None:
        self.stream.input_finished()


def test_a_final_ends_its_stream(streaming_transducer: Path) -> None:
    """Speech may go on after a speculative final: the next partial begins a new stream."""
    engine = engine_on(streaming_transducer, 1)
    fed = Fed(engine)
    pcm = babble(3.0, seed=5)
    texts(engine, [recognition_request(pcm=pcm[:32_000], kind=PARTIAL)])
    texts(engine, [recognition_request(pcm=pcm[:40_000], kind=FINAL)])
    longer = recognition_request(pcm=pcm[:64_000], kind=PARTIAL)
    assert texts(engine, [longer]) == [expected(streaming_transducer, 1, longer)]
    assert fed.samples == [16_000, 4_000, TAIL_SAMPLES, 32_000]


def test_audio_that_turns_out_different_is_heard_from_its_start(streaming_transducer: Path) -> None:
    engine = engine_on(streaming_transducer, 1)
    texts(engine, [recognition_request(pcm=babble(1.0, seed=6), kind=PARTIAL)])
    other = recognition_request(pcm=babble(2.0, seed=7), kind=PARTIAL)
    assert texts(engine, [other]) == [expected(streaming_transducer, 1, other)]


def test_hotwords_are_those_of_a_plain_loop(streaming_transducer: Path) -> None:
    engine = engine_on(streaming_transducer, 4)
    plain = recognition_request(pcm=babble(3.0, seed=1))
    request = replace(plain, options=replace(plain.options, hotwords=("天地玄黄", "宇宙/洪荒 :9")))
    loop = plain_loop(streaming_transducer, 4, plain.pcm, finished=True, hotwords="天地玄黄/宇宙 洪荒 9")
    assert texts(engine, [request]) == [without_loops(loop)]


def test_greedy_search_knows_no_hotwords(streaming_transducer: Path) -> None:
    assert not engine_on(streaming_transducer, 1).capabilities.hotwords
    assert engine_on(streaming_transducer, 2).capabilities.hotwords


def test_word_times_are_when_the_chunks_were_heard(streaming_transducer: Path) -> None:
    """Half a second of silence first: nothing is said in it, and what follows is as much later."""
    engine = engine_on(streaming_transducer, 1)
    pcm = babble(2.0, seed=8)
    silence = bytes(16_000)
    early, late = engine.recognize(
        [recognition_request(pcm=pcm, session_id="early"), recognition_request(pcm=silence + pcm, session_id="late")]
    )
    assert isinstance(early, Hypothesis)
    assert isinstance(late, Hypothesis)
    assert len(early.words) == len(early.text)
    assert late.words[0].span.start >= 8_000 - 640
