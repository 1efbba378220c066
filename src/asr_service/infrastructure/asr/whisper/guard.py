"""Whether a decoded text can be believed, and which of several attempts to believe."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from asr_service.infrastructure.asr.whisper.network import Memory
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
        loops: Whether it repeats itself.
    """

    text: str
    language: str
    memory: Memory
    average_logprob: float | None
    no_speech_probability: float
    cut_off: bool = False
    loops: bool = False

    @property
    def stuck(self) -> bool:
        return self.cut_off or self.loops

    @property
    def rank(self) -> tuple[bool, float]:
        """The greater, the better."""
        return not self.stuck, float("-inf") if self.average_logprob is None else self.average_logprob


class Verdict(Enum):
    """What to do with an attempt."""

    CREDIBLE = auto()
    SILENT = auto()
    DOUBTFUL = auto()


def judge(attempt: Attempt) -> Verdict:
    """The customary thresholds of Whisper, and the loops that they do not see."""
    logprob = attempt.average_logprob
    if nobody_spoke(attempt.no_speech_probability, logprob, stuck=attempt.stuck):
        return Verdict.SILENT
    if attempt.stuck or logprob is None or logprob < MIN_AVERAGE_LOGPROB:
        return Verdict.DOUBTFUL
    return Verdict.CREDIBLE


def best_of(attempts: Sequence[Attempt]) -> Attempt:
    """The most probable attempt; one that loops or never ends only if all do."""
    return max(attempts, key=lambda attempt: attempt.rank)
