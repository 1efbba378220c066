"""A stream is fed what is new, in chunks from the start of the utterance; a new one comes to the same."""

import random
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from asr_service.domain.ports.recognizer import RecognitionKind, RecognitionRequest
from asr_service.domain.value_objects.asr_config import Chunking
from asr_service.infrastructure.asr.funasr.hearing import Utterance
from asr_service.infrastructure.asr.funasr.streaming import ChunkPlan, StreamingHearing, StreamingParaformer
from asr_service.infrastructure.asr.stream_cache import StreamCache
from tests.fakes.funasr_models import FakeStreamingNetwork, loaded
from tests.fixtures.recognition_requests import recognition_request

CHUNK = 9_600
PARTIAL, FINAL = RecognitionKind.PARTIAL, RecognitionKind.FINAL


class Stage:
    """The hearing under test, and the network that it asks."""

    def __init__(self, streams: int = 100) -> None:
        self.network = FakeStreamingNetwork()
        paraformer = StreamingParaformer(loaded(self.network), ChunkPlan())
        self.hearing = StreamingHearing(paraformer, "".join, StreamCache(streams, 1 << 20))

    def text(self, samples: NDArray[np.float32], kind: RecognitionKind = PARTIAL, session: str = "ses_1") -> str:
        (heard,) = self.hearing.hear([utterance(samples, kind, session)])
        return heard.text


def utterance(samples: NDArray[np.float32], kind: RecognitionKind, session: str = "ses_1") -> Utterance:
    pcm = (samples * 32_768).astype("<i2").tobytes()
    request: RecognitionRequest = recognition_request(pcm=pcm, kind=kind, session_id=session)
    return Utterance(request, samples)


def audio(*digits: int, rest: int = 0) -> NDArray[np.float32]:
    """A chunk for each digit, then the beginning of another one."""
    return np.repeat(np.array([*digits, 9], np.float32) / 10, [CHUNK] * len(digits) + [rest])


def test_only_what_is_new_is_heard() -> None:
    stage = Stage()
    assert stage.text(audio(1, rest=100)) == "一"
    assert stage.text(audio(1, rest=200)) == "一"
    assert stage.text(audio(1, 2, 3, rest=5)) == "一二三"
    assert stage.network.heard_samples == [CHUNK, 2 * CHUNK]


def test_less_than_a_chunk_is_not_heard_before_the_end() -> None:
    stage = Stage()
    assert stage.text(audio(rest=CHUNK - 1)) == ""
    assert stage.network.heard_samples == []
    assert stage.text(audio(rest=CHUNK - 1), FINAL) == "九"


def test_a_final_hears_the_rest_and_ends_the_stream() -> None:
    stage = Stage()
    stage.text(audio(1, rest=1))
    assert stage.text(audio(1, 2, rest=7), FINAL) == "一二九"
    assert stage.network.heard_samples == [CHUNK, CHUNK + 7]
    assert stage.text(audio(1, 2, 3)) == "一二三"  # somebody spoke on: heard again from the start
    assert stage.network.heard_samples[-1] == 3 * CHUNK


def test_a_stream_that_was_dropped_comes_to_the_same() -> None:
    stage = Stage(streams=1)
    stage.text(audio(1))
    stage.text(audio(5), session="ses_2")
    assert stage.text(audio(1, 2)) == "一二"
    assert stage.network.heard_samples == [CHUNK, CHUNK, 2 * CHUNK]


def test_audio_that_is_not_what_the_stream_heard_is_heard_from_the_start() -> None:
    stage = Stage()
    stage.text(audio(1))
    assert stage.text(audio(4, 2)) == "四二"


@pytest.mark.parametrize("seed", range(5))
def test_the_text_does_not_depend_on_when_somebody_asks(seed: int) -> None:
    chance = random.Random(seed)
    stage, whole = Stage(streams=3), audio(3, 1, 4, 1, 5, rest=900)
    for _ in range(20):
        end = chance.randrange(len(whole))
        session = f"ses_{chance.randrange(5)}"
        assert stage.text(whole[:end], session=session) == Stage().text(whole[:end])


def test_what_was_asked_otherwise_has_a_stream_of_its_own() -> None:
    stage = Stage()
    first = utterance(audio(1), PARTIAL)
    stage.hearing.hear([first])
    options = replace(first.request.options, language="zh")
    stage.hearing.hear([Utterance(replace(first.request, options=options), first.samples)])
    assert stage.network.heard_samples == [CHUNK, CHUNK]


def test_each_stream_goes_through_the_audio_as_its_client_wants() -> None:
    stage = Stage()
    halves, whole = [utterance(audio(1, 2), PARTIAL, session) for session in ("ses_1", "ses_2")]
    options = replace(halves.request.options, chunking=Chunking((5, 5, 5)))
    wanted = Utterance(replace(halves.request, options=options), halves.samples)
    assert [heard.text for heard in stage.hearing.hear([wanted, whole])] == ["一一二二", "一二"]
    assert [heard.text for heard in stage.hearing.hear([wanted, whole])] == ["一一二二", "一二"]
    assert stage.network.heard_samples == [2 * CHUNK] * 2, "none is heard twice"


def test_what_a_client_leaves_open_is_the_servers() -> None:
    plan = ChunkPlan(5, 8, 3, encoder_look_back=2, decoder_look_back=0)
    assert plan.changed_by(Chunking()) == plan
    assert plan.changed_by(Chunking((1, 6, 2))) == ChunkPlan(1, 6, 2, 2, 0)
    assert plan.changed_by(Chunking(encoder_look_back=0, decoder_look_back=3)) == ChunkPlan(5, 8, 3, 0, 3)


def test_it_says_what_it_can_do() -> None:
    traits = Stage().hearing.traits
    assert (traits.languages, traits.streaming, traits.word_times, traits.hotwords) == ({"zh"}, True, False, False)
    assert traits.spoken_numbers
