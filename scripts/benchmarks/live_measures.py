"""What a live session was like for its listener: pure functions from what was said and what came to figures."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from scripts.benchmarks.native_session import SessionRecord
from scripts.benchmarks.playlists import SpokenUtterance

_SAME_PLACE_MS = 500  # an utterance that the service ends further from the end of speech has not found that end
_COVERED = 0.5

Summary = dict[str, float | int | None]


@dataclass(frozen=True, slots=True)
class HeardPartial:
    """A partial, and when it came."""

    came_s: float
    end_ms: int
    text: str
    stable: str


@dataclass(slots=True)
class HeardUtterance:
    """All that the service said of one utterance.

    Attributes:
        number: Its number in the session.
        start_ms: Where it begins; corrected by each message.
        end_ms: Where it ends.
        partials: In the order of their arrival.
        endpoint_s: When ``speech_ended`` came.
        final_s: When the first ``final`` came.
        text: Of that final.
        first_word_end_ms: Where the first word of the final ends; ``None``: it has no word times.
        finals: How many ``final`` came: one, if all is well.
        failures: How many ``failed`` came.
    """

    number: int
    start_ms: int = 0
    end_ms: int = 0
    partials: list[HeardPartial] = field(default_factory=list)
    endpoint_s: float | None = None
    final_s: float | None = None
    text: str = ""
    first_word_end_ms: int | None = None
    finals: int = 0
    failures: int = 0

    def overlap_ms(self, spoken: SpokenUtterance) -> int:
        """How much of it lies in what was spoken."""
        return min(self.end_ms, spoken.end_ms) - max(self.start_ms, spoken.start_ms)


def percentile(values: Sequence[float], percent: float) -> float:
    """With linear interpolation between the two nearest of the values, of which there is at least one."""
    ordered = sorted(values)
    position = (len(ordered) - 1) * percent / 100
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def summary_ms(values_s: Sequence[float]) -> Summary:
    """How many there are, and their percentiles in whole ms (given in seconds); ``None``: there is nothing to sum up."""
    percents = (50, 95, 99)
    return {"count": len(values_s)} | {
        f"p{percent}": round(1_000 * percentile(values_s, percent)) if values_s else None for percent in percents
    }


def heard_utterances(messages: Iterable[tuple[float, dict[str, Any]]]) -> list[HeardUtterance]:
    """The messages of a session, gathered by utterance."""
    heard: dict[int, HeardUtterance] = {}
    for came_s, message in messages:
        if "utterance" in message:
            utterance = heard.setdefault(message["utterance"], HeardUtterance(message["utterance"]))
            utterance.start_ms = message["start_ms"]
            utterance.end_ms = message.get("end_ms", utterance.end_ms)
            _take(utterance, came_s, message)
    return [heard[number] for number in sorted(heard)]


def _take(utterance: HeardUtterance, came_s: float, message: dict[str, Any]) -> None:
    match message["type"]:
        case "partial":
            utterance.partials.append(HeardPartial(came_s, message["end_ms"], message["text"], message["stable"]))
        case "speech_ended":
            utterance.endpoint_s = came_s
        case "final":
            utterance.finals += 1
            if utterance.final_s is None:
                utterance.final_s, utterance.text = came_s, message["text"]
                utterance.first_word_end_ms = next((word["end_ms"] for word in message["words"]), None)
        case "failed":
            utterance.failures += 1


@dataclass(frozen=True, slots=True)
class Match:
    """What was spoken, and what the service made of it: in its order, usually one utterance."""

    spoken: SpokenUtterance
    parts: tuple[HeardUtterance, ...]
    merged: bool  # it has no utterance of its own, but is covered by that of another

    @property
    def closing(self) -> HeardUtterance | None:
        """The utterance that ends where the speech ends."""
        near = (part for part in self.parts if abs(part.end_ms - self.spoken.end_ms) <= _SAME_PLACE_MS)
        return next(near, None)


def match_utterances(spoken: Sequence[SpokenUtterance], heard: Sequence[HeardUtterance]) -> list[Match]:
    """Gives every utterance of the service to the spoken one that it overlaps most; one that overlaps none to nobody."""
    parts: list[list[HeardUtterance]] = [[] for _ in spoken]
    for utterance in heard:
        overlaps = [utterance.overlap_ms(said) for said in spoken]
        longest = max(overlaps, default=0)
        if longest > 0:
            parts[overlaps.index(longest)].append(utterance)
    return [
        Match(said, tuple(own), not own and any(_covers(utterance, said) for utterance in heard))
        for said, own in zip(spoken, parts, strict=True)
    ]


def _covers(heard: HeardUtterance, spoken: SpokenUtterance) -> bool:
    return heard.overlap_ms(spoken) >= _COVERED * (spoken.end_ms - spoken.start_ms)


def retracted_words(shown: Sequence[str]) -> int:
    """Words that were shown and then taken back: those of each text that come after what the next text begins with."""
    return sum(len(before.split()) - _shared(before.split(), after.split()) for before, after in pairwise(shown))


def retracted_stable_characters(partials: Sequence[HeardPartial]) -> int:
    """Characters of stable text that a later partial took back; the protocol promises that there are none."""
    return sum(len(one.stable) - _shared(one.stable, other.stable) for one, other in pairwise(partials))


def _shared(before: Sequence[str], after: Sequence[str]) -> int:
    """The length of what both begin with."""
    pairs = zip(before, after, strict=False)
    return next((n for n, (one, other) in enumerate(pairs) if one != other), min(len(before), len(after)))


@dataclass(slots=True)
class LiveFigures:
    """Of many sessions; times in seconds.

    Attributes:
        first_partial_s: From the end of the first word, as the final has it, to the first partial.
        partial_lag_s: From the moment when a partial's audio had been sent to its arrival. Texts of finals that were begun in
            a pause come as partials too.
        partial_gap_s: From one partial of an utterance to the next.
        endpoint_wait_s: From the true end of speech to ``speech_ended``.
        final_after_speech_s: From the true end of speech to the final.
        final_after_endpoint_s: From ``speech_ended`` to the final.
        ping_s: From a ``ping`` message to its ``pong``; it waits behind the audio of its session.
        retracted_plain_words: Like ``retracted_words``, but case and punctuation may change.
        words_changed_by_final: Words of the last partial, settled ones too, that the final does not begin with.
        utterances: Those spoken within the window; all counts of faults are of whole sessions.
        split: Of them, those that the service took for several.
    """

    first_partial_s: list[float] = field(default_factory=list)
    partial_lag_s: list[float] = field(default_factory=list)
    partial_gap_s: list[float] = field(default_factory=list)
    endpoint_wait_s: list[float] = field(default_factory=list)
    final_after_speech_s: list[float] = field(default_factory=list)
    final_after_endpoint_s: list[float] = field(default_factory=list)
    ping_s: list[float] = field(default_factory=list)
    final_words: int = 0
    retracted_words: int = 0
    retracted_plain_words: int = 0
    words_changed_by_final: int = 0
    plain_words_changed_by_final: int = 0
    retracted_stable_characters: int = 0
    utterances: int = 0
    without_partial: int = 0
    split: int = 0
    merged: int = 0
    lost: int = 0
    doubled: int = 0
    failed: int = 0

    def add_session(
        self, record: SessionRecord, spoken: Sequence[SpokenUtterance], window_s: tuple[float, float]
    ) -> None:
        """Counts a session: what became of its utterances in all of it, times for those spoken within the window."""
        messages = record.messages()
        heard = heard_utterances(messages)
        pongs = (came_s for came_s, message in messages if message["type"] == "pong")
        self.ping_s += [pong_s - ping_s for ping_s, pong_s in zip(record.pinged_s, pongs, strict=False)]
        self.doubled += sum(utterance.finals + utterance.failures > 1 for utterance in heard)
        self.failed += sum(utterance.failures for utterance in heard)
        for match in match_utterances(spoken, heard):
            self.merged += match.merged
            self.lost += not match.merged and not any(part.finals for part in match.parts)
            started_s, ended_s = (record.spoken_s(at_ms) for at_ms in (match.spoken.start_ms, match.spoken.end_ms))
            if window_s[0] <= started_s and ended_s <= window_s[1]:
                self._add_match(record, match)

    def _add_match(self, record: SessionRecord, match: Match) -> None:
        self.utterances += 1
        self.split += len(match.parts) > 1
        closing = match.closing
        if closing is not None and closing.endpoint_s is not None and closing.final_s is not None:
            speech_end_s = record.spoken_s(match.spoken.end_ms)
            self.endpoint_wait_s.append(closing.endpoint_s - speech_end_s)
            self.final_after_speech_s.append(closing.final_s - speech_end_s)
        for part in match.parts:
            self._add_part(record, part)

    def _add_part(self, record: SessionRecord, part: HeardUtterance) -> None:
        if part.endpoint_s is not None and part.final_s is not None:
            self.final_after_endpoint_s.append(part.final_s - part.endpoint_s)
        self.partial_lag_s += [shown.came_s - record.audio_sent_s(shown.end_ms) for shown in part.partials]
        self.partial_gap_s += [after.came_s - before.came_s for before, after in pairwise(part.partials)]
        if not part.partials:
            self.without_partial += 1
        elif part.first_word_end_ms is not None:
            self.first_partial_s.append(part.partials[0].came_s - record.spoken_s(part.first_word_end_ms))
        self._add_texts(part)

    def _add_texts(self, part: HeardUtterance) -> None:
        shown = [partial.text for partial in part.partials]
        self.final_words += len(part.text.split())
        self.retracted_words += retracted_words(shown)
        self.retracted_plain_words += retracted_words([_plain(text) for text in shown])
        last = [*shown[-1:], part.text]
        self.words_changed_by_final += retracted_words(last)
        self.plain_words_changed_by_final += retracted_words([_plain(text) for text in last])
        self.retracted_stable_characters += retracted_stable_characters(part.partials)

    def as_dict(self) -> dict[str, Any]:
        """The figures as they are reported: times in ms."""
        words = max(1, self.final_words)
        counts = ("utterances", "without_partial", "split", "merged", "lost", "doubled", "failed", "final_words")
        return {
            "first_partial_ms": summary_ms(self.first_partial_s),
            "partial_lag_ms": summary_ms(self.partial_lag_s),
            "partial_gap_ms": summary_ms(self.partial_gap_s),
            "endpoint_wait_ms": summary_ms(self.endpoint_wait_s),
            "final_after_speech_ms": summary_ms(self.final_after_speech_s),
            "final_after_endpoint_ms": summary_ms(self.final_after_endpoint_s),
            "ping_ms": summary_ms(self.ping_s),
            "retracted_words_per_word": round(self.retracted_words / words, 3),
            "retracted_plain_words_per_word": round(self.retracted_plain_words / words, 3),
            "words_changed_by_final_per_word": round(self.words_changed_by_final / words, 3),
            "plain_words_changed_by_final_per_word": round(self.plain_words_changed_by_final / words, 3),
            "retracted_stable_characters": self.retracted_stable_characters,
        } | {name: getattr(self, name) for name in counts}


def _plain(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum() or character.isspace())
