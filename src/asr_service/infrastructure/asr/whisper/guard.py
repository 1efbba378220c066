"""Whether a decoded text can be believed, and which of several attempts to believe."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from asr_service.infrastructure.asr.whisper.network import Memory
from asr_service.infrastructure.asr.whisper.repetition import is_repetitive
from asr_service.infrastructure.asr.whisper.silence import MIN_AVERAGE_LOGPROB, nobody_spoke


@dataclass(frozen=True, slots=True)
class Attempt:
    """One decoding of one piece.

    Attributes:
        text: As the network wrote it, without surrounding spaces.
        language: That the network was told.
        memory: The encoder output that it was decoded from.
        average_logprob: Mean over the generated tokens and the end token; ``None`` when nothing was generated.
        no_speech_probability: The network's opinion that nobody spoke.
        cut_off: Whether it was stopped for being longer than can be spoken in the time.
    """

    text: str
    language: str
    memory: Memory
    average_logprob: float | None
    no_speech_probability: float
    cut_off: bool = False


class Verdict(Enum):
    """What to do with an attempt."""

    CREDIBLE = auto()
    SILENT = auto()
    DOUBTFUL = auto()


def judge(attempt: Attempt) -> Verdict:
    """The customary thresholds of Whisper, and the loops that they do not see."""
    stuck = _is_stuck(attempt)
    if nobody_spoke(attempt.no_speech_probability, attempt.average_logprob, stuck=stuck):
        return Verdict.SILENT
    if stuck or _logprob(attempt) < MIN_AVERAGE_LOGPROB:
        return Verdict.DOUBTFUL
    return Verdict.CREDIBLE


def best_of(attempts: Sequence[Attempt]) -> Attempt:
    """The most probable attempt; one that loops or never ends only if all do."""
    return max(attempts, key=lambda attempt: (not _is_stuck(attempt), _logprob(attempt)))


def _is_stuck(attempt: Attempt) -> bool:
    return attempt.cut_off or is_repetitive(attempt.text)


def _logprob(attempt: Attempt) -> float:
    return float("-inf") if attempt.average_logprob is None else attempt.average_logprob
