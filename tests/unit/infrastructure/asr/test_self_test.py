import math
from collections.abc import Sequence

import pytest

from asr_service.domain.ports.recognizer import RecognitionRequest
from asr_service.domain.value_objects.audio_metadata import SAMPLE_RATE_HZ, SampleSpan
from asr_service.domain.value_objects.hypothesis import SILENCE, Hypothesis, Word
from asr_service.infrastructure.asr.engine import EngineFailure, Outcome
from asr_service.infrastructure.asr.self_test import SelfTestFailed, noise_request, problem_of, run_self_test
from tests.fakes.engines import HallucinatingEngine, MuteEngine, ScriptedEngine

QUICK_S = 0.2
NOTHING_SAID = Hypothesis(
    text="", language="en", language_confidence=0.5, average_logprob=-1.8, no_speech_probability=1.0
)


class CountingEngine(ScriptedEngine):
    """Gives two outcomes for one request."""

    def recognize(self, batch: Sequence[RecognitionRequest]) -> list[Outcome]:
        return super().recognize(batch) * 2


def test_an_engine_that_hears_nothing_in_noise_passes() -> None:
    run_self_test(ScriptedEngine())


@pytest.mark.parametrize(
    ("engine", "reason"),
    [
        (MuteEngine(), "the weights are all zero"),
        (HallucinatingEngine(), "it heard words in noise: 'Thanks for watching!'"),
        (CountingEngine(), "it gave 2 outcomes for one request"),
    ],
)
def test_an_engine_that_is_wrong_is_refused_with_the_reason(
    engine: MuteEngine | HallucinatingEngine | CountingEngine, reason: str
) -> None:
    with pytest.raises(SelfTestFailed, match=f"The engine failed its self-test: {reason}.") as refusal:
        run_self_test(engine)
    assert refusal.value.hint is not None


@pytest.mark.parametrize("outcome", [SILENCE, NOTHING_SAID])
def test_no_words_and_numbers_that_can_be_are_right(outcome: Outcome) -> None:
    assert problem_of([outcome], QUICK_S) is None


@pytest.mark.parametrize(
    ("outcome", "problem"),
    [
        (EngineFailure("no kernel image"), "no kernel image"),
        (Hypothesis(text="", words=(Word("so", SampleSpan(0, 1)),)), "it heard words in noise: ''"),
        (Hypothesis(text="", average_logprob=math.nan), "its average_logprob is nan"),
        (Hypothesis(text="", average_logprob=-math.inf), "its average_logprob is -inf"),
        (Hypothesis(text="", compression_ratio=math.inf), "its compression_ratio is inf"),
        (Hypothesis(text="", language_confidence=math.nan), "its language_confidence is nan, which is no probability"),
        (Hypothesis(text="", no_speech_probability=1.5), "its no_speech_probability is 1.5, which is no probability"),
    ],
)
def test_words_and_numbers_that_cannot_be_are_told(outcome: Outcome, problem: str) -> None:
    assert problem_of([outcome], QUICK_S) == problem


def test_an_engine_that_is_slower_than_any_speaker_is_told() -> None:
    assert problem_of([SILENCE], 30.0) is None
    assert problem_of([SILENCE], 31.26) == "it took 31.3 s for a second of noise"


def test_what_is_heard_is_a_second_of_the_same_noise_each_time() -> None:
    first, second = noise_request(), noise_request()
    assert first == second
    assert len(first.span) == SAMPLE_RATE_HZ
    assert len(set(first.pcm)) > 100
    assert first.options.language is None
