"""Puts turns and words together: who said what."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate, groupby

from asr_service.domain.services.captions import Caption, caption, caption_of
from asr_service.domain.value_objects.audio_metadata import SampleSpan, samples_from_ms
from asr_service.domain.value_objects.hypothesis import Word
from asr_service.domain.value_objects.speaker_turn import SpeakerTurn
from asr_service.domain.value_objects.transcript import Transcript

# Diarizers leave out what is shorter than 0.3 s and cut turns a little short, and word times are not exact either. Beyond
# this a word is nobody's: a guess would look like knowledge.
NEAR_MS = 500


@dataclass(frozen=True, slots=True)
class SpokenPart:
    """A piece of the text that one person said; ``speaker`` is ``None`` where no turn is near."""

    caption: Caption
    speaker: int | None


class SpeakerTimeline:
    """The turns of a recording, asked who speaks in a span. An answer looks at the turns near the span only."""

    def __init__(self, turns: Iterable[SpeakerTurn]) -> None:
        self._turns = sorted(turns, key=lambda turn: turn.span)
        self._starts = [turn.span.start for turn in self._turns]
        self._furthest_ends = list(accumulate((turn.span.end for turn in self._turns), max))

    def speaker_of(self, span: SampleSpan) -> int | None:
        """Who speaks longest in the span, the lower number of two who speak equally long.

        If nobody speaks in it, whoever's turn is nearest, less than ``NEAR_MS`` away; ``None`` if there is no such turn.
        """
        candidates = self._near(span)
        shares: Counter[int] = Counter()
        for turn in candidates:
            shares[turn.speaker] += max(0, min(span.end, turn.span.end) - max(span.start, turn.span.start))
        if any(shares.values()):
            return min(shares, key=lambda speaker: (-shares[speaker], speaker))
        nearest = min(candidates, key=lambda turn: (_distance(turn.span, span), turn.speaker), default=None)
        return None if nearest is None else nearest.speaker

    def _near(self, span: SampleSpan) -> list[SpeakerTurn]:
        reach = samples_from_ms(NEAR_MS)
        first = bisect_right(self._furthest_ends, span.start - reach)
        beyond = bisect_left(self._starts, span.end + reach)
        return [turn for turn in self._turns[first:beyond] if _distance(turn.span, span) < reach]


def parts_by_speaker(transcript: Transcript) -> list[SpokenPart]:
    """The captions of a transcript, cut where the speaker changes, in order.

    A caption without word times stays whole, since no place inside it is known: it is whose most of it is.
    """
    timeline = SpeakerTimeline(transcript.turns or ())
    pieces = (piece for utterance in transcript.utterances for piece in caption(utterance))
    return [part for piece in pieces for part in _parts_of(piece, timeline)]


def _parts_of(piece: Caption, timeline: SpeakerTimeline) -> list[SpokenPart]:
    if not piece.words:
        return [SpokenPart(piece, timeline.speaker_of(piece.span))]

    def speaker_of(word: Word) -> int | None:
        return timeline.speaker_of(word.span)

    return [SpokenPart(caption_of(list(words)), speaker) for speaker, words in groupby(piece.words, key=speaker_of)]


def _distance(one: SampleSpan, other: SampleSpan) -> int:
    return max(0, one.start - other.end, other.start - one.end)
