"""Whether an engine that was loaded can be trusted with work: it hears noise, and must not make words of it."""

import math
import random
import time
from array import array
from collections.abc import Iterator

from asr_service.domain.ports.recognizer import RecognitionKind, RecognitionRequest
from asr_service.domain.value_objects.asr_config import RecognitionOptions
from asr_service.domain.value_objects.audio_metadata import SAMPLE_RATE_HZ, SampleSpan
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.infrastructure.asr.engine import Engine, EngineFailure, Outcome
from asr_service.shared.errors import AsrError

SELF_TEST = "self-test"
"""Request, session and tenant of the self-test."""

# A first recognition sets up what later ones find ready, kernels of a GPU for instance; on a CPU it takes 0.2–0.5 s. An engine
# that needs longer than this for a second of noise cannot follow a speaker.
_LIMIT_S = 30.0
_NOISE_PEAK = 200  # of 32767: a hissing microphone, about -49 dBFS; engines may skip what is much quieter


class SelfTestFailed(AsrError):
    """The engine was loaded, but what it makes of a second of noise is not to be trusted."""

    code = "self_test_failed"


def run_self_test(engine: Engine) -> None:
    """One real recognition: warms up lazy initialisation, and shows that the answer is right.

    Weights that were damaged, or arithmetic that a device gets wrong, show as words in noise or as numbers that are none.

    Raises:
        SelfTestFailed: The engine gave no outcome or a wrong one, or took too long. What it raises itself is let through.
    """
    begun_s = time.perf_counter()
    outcomes = engine.recognize([noise_request()])
    took_s = time.perf_counter() - begun_s
    if problem := problem_of(outcomes, took_s):
        raise SelfTestFailed(
            f"The engine failed its self-test: {problem}.",
            hint="Check the files with `asr-service models verify`, and try another compute type or device.",
        )


def noise_request() -> RecognitionRequest:
    """A final of a second of white noise, the same in every run; its language is to be detected."""
    chance = random.Random(0)  # noqa: S311 - noise, not a secret
    noise = array("h", (chance.randint(-_NOISE_PEAK, _NOISE_PEAK) for _ in range(SAMPLE_RATE_HZ)))
    return RecognitionRequest(
        request_id=SELF_TEST,
        session_id=SELF_TEST,
        tenant=SELF_TEST,
        utterance=0,
        kind=RecognitionKind.FINAL,
        span=SampleSpan(0, len(noise)),
        pcm=noise.tobytes(),
        options=RecognitionOptions(),
    )


def problem_of(outcomes: list[Outcome], took_s: float) -> str | None:
    """What is wrong with the outcomes for the noise, which came after so many seconds; ``None``: nothing."""
    if len(outcomes) != 1:
        return f"it gave {len(outcomes)} outcomes for one request"
    (outcome,) = outcomes
    if isinstance(outcome, EngineFailure):
        return outcome.message
    if outcome.text or outcome.words:
        return f"it heard words in noise: {outcome.text[:80]!r}"  # nobody spoke, so nobody's words are told
    if wrong := next(_wrong_numbers(outcome), None):
        return wrong
    return f"it took {took_s:.1f} s for a second of noise" if took_s > _LIMIT_S else None


def _wrong_numbers(hypothesis: Hypothesis) -> Iterator[str]:
    for name in ("language_confidence", "no_speech_probability"):
        value = getattr(hypothesis, name)
        if value is not None and not 0 <= value <= 1:  # NaN is not between them either
            yield f"its {name} is {value}, which is no probability"
    for name in ("average_logprob", "compression_ratio"):
        value = getattr(hypothesis, name)
        if value is not None and not math.isfinite(value):
            yield f"its {name} is {value}"
