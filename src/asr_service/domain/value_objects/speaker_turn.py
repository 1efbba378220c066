"""Who speaks when in a recording."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from asr_service.domain.value_objects.audio_metadata import SampleSpan


@dataclass(frozen=True, slots=True)
class SpeakerTurn:
    """A stretch in which one person speaks; positions count from the start of the recording.

    Attributes:
        span: Where. Turns of different speakers overlap where people talk at the same time.
        speaker: Number of the person, from 0. It means the same voice within one recording, and nothing beyond it.
    """

    span: SampleSpan
    speaker: int


def in_order_of_appearance(turns: Iterable[SpeakerTurn]) -> tuple[SpeakerTurn, ...]:
    """The turns by their beginnings, and the speakers numbered anew: who is heard first is 0, the next voice is 1."""
    ordered = sorted(turns, key=lambda turn: (turn.span, turn.speaker))
    numbers: dict[int, int] = {}
    return tuple(replace(turn, speaker=numbers.setdefault(turn.speaker, len(numbers))) for turn in ordered)
