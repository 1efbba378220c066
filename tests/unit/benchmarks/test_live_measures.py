"""From messages and their times to what a listener felt."""

import json
from typing import Any

import pytest

from scripts.benchmarks.live_measures import (
    HeardPartial,
    HeardUtterance,
    LiveFigures,
    heard_utterances,
    match_utterances,
    percentile,
    retracted_stable_characters,
    retracted_words,
    summary_ms,
)
from scripts.benchmarks.native_session import Pace, SessionRecord
from scripts.benchmarks.playlists import SpokenUtterance

ALWAYS = (0.0, 1_000.0)


def spoken(start_ms: int, end_ms: int) -> SpokenUtterance:
    return SpokenUtterance("clip.wav", "hello world", start_ms, end_ms)


def utterance(number: int, start_ms: int, end_ms: int, *, came_s: float = 103.0) -> list[tuple[float, dict[str, Any]]]:
    """The messages of an utterance with one partial, its first word 500 ms long."""
    span = {"utterance": number, "start_ms": start_ms, "end_ms": end_ms}
    word = {"text": "hello", "start_ms": start_ms, "end_ms": start_ms + 500, "confidence": 0.9}
    shown = span | {"end_ms": start_ms + 800, "text": "Hello word", "stable": "Hello"}
    return [
        (came_s - 3, {"type": "speech_started", "utterance": number, "start_ms": start_ms}),
        (came_s - 1, {"type": "partial", **shown}),
        (came_s - 0.5, {"type": "speech_ended", **span}),
        (came_s, {"type": "final", **span, "text": "Hello world", "words": [word]}),
    ]


def record_of(messages: list[tuple[float, dict[str, Any]]], *, seconds: int = 10) -> SessionRecord:
    """A session that began at 100 s and sent a packet each 100 ms, each of them 10 ms late."""
    sent_s = [100 + number / 10 + 0.01 for number in range(1, seconds * 10 + 1)]
    frames = [(came_s, json.dumps(message)) for came_s, message in messages]
    return SessionRecord(Pace(), started_s=100.0, sent_s=sent_s, frames=frames, close_code=1000)


def figures_of(record: SessionRecord, *said: SpokenUtterance, window_s: tuple[float, float] = ALWAYS) -> LiveFigures:
    figures = LiveFigures()
    figures.add_session(record, said, window_s)
    return figures


class TestPercentile:
    def test_of_one_value_is_that_value(self) -> None:
        assert percentile([7.0], 95) == 7.0

    def test_lies_between_its_neighbours(self) -> None:
        assert percentile([3.0, 1.0, 2.0], 50) == 2.0
        assert percentile([0.0, 10.0], 95) == pytest.approx(9.5)

    def test_summary_is_in_whole_milliseconds(self) -> None:
        assert summary_ms([0.1, 0.2, 0.3]) == {"count": 3, "p50": 200, "p95": 290, "p99": 298}

    def test_summary_of_nothing_invents_no_number(self) -> None:
        assert summary_ms([]) == {"count": 0, "p50": None, "p95": None, "p99": None}


class TestFlicker:
    @pytest.mark.parametrize(
        ("shown", "words"),
        [
            ([], 0),
            (["one"], 0),
            (["one", "one two"], 0),
            (["one to", "one two three"], 1),
            (["a b c", "x b c"], 3),
            (["one two", "one"], 1),
            (["one two", "one", "one two", "one three"], 2),
        ],
    )
    def test_counts_words_that_were_taken_back(self, shown: list[str], words: int) -> None:
        assert retracted_words(shown) == words

    def test_stable_text_that_only_grows_is_no_retraction(self) -> None:
        partials = [HeardPartial(0.0, 0, "", stable) for stable in ("", "one", "one two")]
        assert retracted_stable_characters(partials) == 0

    def test_stable_text_that_changes_is(self) -> None:
        partials = [HeardPartial(0.0, 0, "", stable) for stable in ("one two", "one ten")]
        assert retracted_stable_characters(partials) == 2


class TestMatching:
    def test_each_utterance_goes_to_what_it_overlaps_most(self) -> None:
        said = [spoken(1_000, 4_000), spoken(4_700, 8_000)]
        heard = [HeardUtterance(0, 900, 4_100), HeardUtterance(1, 4_050, 8_100)]
        first, second = match_utterances(said, heard)
        assert (first.parts, second.parts) == ((heard[0],), (heard[1],))
        assert first.closing is heard[0]

    def test_a_split_utterance_is_closed_by_the_part_at_its_end(self) -> None:
        heard = [HeardUtterance(0, 900, 2_000), HeardUtterance(1, 2_600, 4_100)]
        (match,) = match_utterances([spoken(1_000, 4_000)], heard)
        assert match.parts == tuple(heard)
        assert match.closing is heard[1]

    def test_what_was_heard_together_with_something_longer_is_merged(self) -> None:
        said = [spoken(1_000, 6_000), spoken(6_700, 8_000)]
        first, second = match_utterances(said, [HeardUtterance(0, 900, 8_100)])
        assert (first.merged, second.merged) == (False, True)
        assert first.closing is None

    def test_what_nobody_said_belongs_to_nothing(self) -> None:
        (match,) = match_utterances([spoken(1_000, 4_000)], [HeardUtterance(0, 5_000, 6_000)])
        assert match.parts == ()
        assert not match.merged


class TestFigures:
    def test_times_are_counted_from_what_was_spoken_and_sent(self) -> None:
        figures = figures_of(record_of(utterance(0, 1_000, 2_100)), spoken(1_000, 2_000))
        assert figures.first_partial_s == pytest.approx([0.5])  # at 102.0; the word ended at 101.5
        assert figures.partial_lag_s == pytest.approx([0.19])  # its last packet was sent at 101.81
        assert figures.endpoint_wait_s == pytest.approx([0.5])
        assert figures.final_after_speech_s == pytest.approx([1.0])
        assert figures.final_after_endpoint_s == pytest.approx([0.5])

    def test_words_are_counted_as_they_were_shown(self) -> None:
        figures = figures_of(record_of(utterance(0, 1_000, 2_100)), spoken(1_000, 2_000)).as_dict()
        assert figures["final_words"] == 2
        assert figures["words_changed_by_final_per_word"] == 0.5
        assert figures["retracted_words_per_word"] == 0

    def test_utterances_outside_of_the_window_have_no_times_but_must_not_be_lost(self) -> None:
        figures = figures_of(record_of([]), spoken(1_000, 2_000), window_s=(200.0, 300.0))
        assert (figures.utterances, figures.lost) == (0, 1)

    def test_a_missing_final_is_a_lost_utterance(self) -> None:
        figures = figures_of(record_of(utterance(0, 1_000, 2_100)[:-1]), spoken(1_000, 2_000))
        assert figures.lost == 1
        assert figures.final_after_speech_s == []

    def test_a_second_final_is_a_doubled_utterance(self) -> None:
        messages = utterance(0, 1_000, 2_100)
        figures = figures_of(record_of([*messages, messages[-1]]), spoken(1_000, 2_000))
        assert (figures.doubled, figures.lost) == (1, 0)

    def test_a_failure_is_counted_and_leaves_the_utterance_without_text(self) -> None:
        span = {"utterance": 0, "start_ms": 1_000, "end_ms": 2_100}
        messages = [*utterance(0, 1_000, 2_100)[:-1], (103.0, {"type": "failed", **span})]
        figures = figures_of(record_of(messages), spoken(1_000, 2_000))
        assert (figures.failed, figures.lost) == (1, 1)

    def test_utterances_without_a_partial_are_counted(self) -> None:
        messages = [entry for entry in utterance(0, 1_000, 2_100) if entry[1]["type"] != "partial"]
        figures = figures_of(record_of(messages), spoken(1_000, 2_000))
        assert figures.without_partial == 1
        assert figures.first_partial_s == []

    def test_a_final_without_word_times_leaves_the_first_word_open(self) -> None:
        messages = utterance(0, 1_000, 2_100)
        messages[-1][1]["words"] = []
        assert figures_of(record_of(messages), spoken(1_000, 2_000)).first_partial_s == []

    def test_pings_are_answered_in_their_order(self) -> None:
        record = record_of([(101.2, {"type": "pong"}), (102.5, {"type": "pong"})])
        record.pinged_s = [101.0, 102.0, 103.0]
        assert figures_of(record).ping_s == pytest.approx([0.2, 0.5])


def test_messages_are_gathered_by_utterance() -> None:
    messages = [(100.0, {"type": "started"}), *utterance(0, 0, 900), *utterance(1, 2_000, 2_900)]
    assert [(one.number, one.start_ms, one.end_ms, one.finals) for one in heard_utterances(messages)] == [
        (0, 0, 900, 1),
        (1, 2_000, 2_900, 1),
    ]


class TestSessionRecord:
    def test_audio_is_sent_with_the_packet_that_holds_its_end(self) -> None:
        record = record_of([], seconds=1)
        assert record.audio_sent_s(100) == pytest.approx(100.11)
        assert record.audio_sent_s(101) == pytest.approx(100.21)

    def test_past_the_end_it_is_the_last_packet(self) -> None:
        assert record_of([], seconds=1).audio_sent_s(5_000) == pytest.approx(101.01)

    def test_lateness_is_that_of_the_latest_packet(self) -> None:
        record = record_of([], seconds=1)
        record.sent_s[4] += 0.2
        assert record.lateness_s() == pytest.approx(0.21)
        assert SessionRecord(Pace()).lateness_s() == 0
