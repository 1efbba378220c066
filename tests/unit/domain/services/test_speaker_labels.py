"""Who said what: turns of speakers and words, put together."""

import random

import pytest

from asr_service.domain.services.speaker_labels import NEAR_MS, SpeakerTimeline, parts_by_speaker
from asr_service.domain.value_objects.audio_metadata import SampleSpan, samples_from_ms
from asr_service.domain.value_objects.hypothesis import Hypothesis, Timing, Word
from asr_service.domain.value_objects.speaker_turn import SpeakerTurn
from asr_service.domain.value_objects.transcript import TranscribedUtterance, Transcript


def span(start_ms: int, end_ms: int) -> SampleSpan:
    return SampleSpan(samples_from_ms(start_ms), samples_from_ms(end_ms))


def turn(start_ms: int, end_ms: int, speaker: int) -> SpeakerTurn:
    return SpeakerTurn(span(start_ms, end_ms), speaker)


DIALOGUE = (turn(0, 2_000, 0), turn(2_000, 4_000, 1), turn(5_000, 6_000, 0))


@pytest.mark.parametrize(
    ("start_ms", "end_ms", "speaker"),
    [
        (500, 900, 0),
        (1_700, 2_200, 0),  # most of it is the first one's
        (1_900, 2_400, 1),
        (1_900, 2_100, 0),  # as much as the other's
        (4_100, 4_400, 1),  # in the pause, nearer to what was before
        (4_600, 4_900, 0),
        (4_500, 4_500, None),  # too far from both
        (6_499, 6_600, 0),
        (6_500, 6_600, None),
        (1_000, 1_000, 0),  # a word of no length
    ],
)
def test_a_span_is_whose_most_of_it_is_or_who_is_nearest(start_ms: int, end_ms: int, speaker: int | None) -> None:
    assert SpeakerTimeline(DIALOGUE).speaker_of(span(start_ms, end_ms)) == speaker


def test_what_lies_before_all_turns_is_nobodys_unless_it_is_near() -> None:
    timeline = SpeakerTimeline([turn(1_000, 2_000, 3)])
    assert timeline.speaker_of(span(0, 1_000 - NEAR_MS)) is None
    assert timeline.speaker_of(span(0, 1_001 - NEAR_MS)) == 3


def test_of_two_who_are_as_near_it_is_the_lower_number() -> None:
    assert SpeakerTimeline([turn(0, 1_000, 1), turn(1_800, 2_000, 0)]).speaker_of(span(1_400, 1_400)) == 0


def test_where_two_talk_at_once_it_is_who_has_more_of_it() -> None:
    timeline = SpeakerTimeline([turn(0, 10_000, 0), turn(3_000, 3_500, 1)])
    assert timeline.speaker_of(span(3_000, 3_500)) == 0
    assert SpeakerTimeline([turn(0, 3_200, 0), turn(3_000, 9_000, 1)]).speaker_of(span(3_000, 3_500)) == 1


def test_the_parts_of_one_speaker_count_together() -> None:
    timeline = SpeakerTimeline([turn(0, 400, 1), turn(400, 1_000, 0), turn(1_000, 1_300, 1)])
    assert timeline.speaker_of(span(0, 1_300)) == 1


def test_without_turns_nobody_speaks() -> None:
    assert SpeakerTimeline([]).speaker_of(span(0, 100)) is None


@pytest.mark.parametrize("seed", range(20))
def test_looking_at_near_turns_only_changes_no_answer(seed: int) -> None:
    chance = random.Random(seed)
    starts = [chance.randrange(60_000) for _ in range(60)]
    turns = [turn(start, start + chance.choice((50, 400, 9_000)), chance.randrange(4)) for start in starts]
    timeline = SpeakerTimeline(turns)
    for _ in range(100):
        start = chance.randrange(70_000)
        asked = span(start, start + chance.randrange(800))
        shares = [0] * 4
        for one in turns:
            shares[one.speaker] += max(0, min(asked.end, one.span.end) - max(asked.start, one.span.start))
        if any(shares):
            assert timeline.speaker_of(asked) == shares.index(max(shares))


# --- transcripts


def spoken(*words: tuple[str, int, int]) -> TranscribedUtterance:
    """An utterance of words with their times in milliseconds."""
    placed = tuple(Word(text, span(start_ms, end_ms)) for text, start_ms, end_ms in words)
    text = " ".join(word.text for word in placed)
    return TranscribedUtterance(
        SampleSpan(placed[0].span.start, placed[-1].span.end), Hypothesis(text, placed, Timing.ALIGNED)
    )


def parts(*utterances: TranscribedUtterance, turns: tuple[SpeakerTurn, ...] | None) -> list[tuple[str, int | None]]:
    transcript = Transcript(utterances, samples_from_ms(10_000), turns)
    return [(part.caption.text, part.speaker) for part in parts_by_speaker(transcript)]


def test_an_utterance_is_cut_where_the_speaker_changes() -> None:
    utterance = spoken(("are", 1_400, 1_600), ("you", 1_600, 1_900), ("yes", 2_100, 2_400), ("I", 2_400, 2_600))
    assert parts(utterance, turns=DIALOGUE) == [("are you", 0), ("yes I", 1)]
    second = parts_by_speaker(Transcript((utterance,), 160_000, DIALOGUE))[1]
    assert second.caption.span == span(2_100, 2_600)


def test_a_part_is_no_longer_than_a_caption() -> None:
    utterance = spoken(("Yes.", 0, 300), ("No.", 300, 600), ("Why?", 2_100, 2_400))
    assert parts(utterance, turns=DIALOGUE) == [("Yes.", 0), ("No.", 0), ("Why?", 1)]


def test_without_word_times_an_utterance_has_one_speaker() -> None:
    utterance = TranscribedUtterance(span(1_500, 4_000), Hypothesis("are you yes I am"))
    assert parts(utterance, turns=DIALOGUE) == [("are you yes I am", 1)]


@pytest.mark.parametrize("turns", [(), None])
def test_where_no_voice_was_found_the_text_is_nobodys(turns: tuple[SpeakerTurn, ...] | None) -> None:
    assert parts(spoken(("well", 0, 300)), turns=turns) == [("well", None)]


def test_no_word_is_lost_or_doubled() -> None:
    words = [(f"w{number}", 97 * number, 97 * number + 90) for number in range(60)]
    told = parts(spoken(*words), turns=DIALOGUE)
    assert " ".join(text for text, _ in told) == " ".join(text for text, _, _ in words)
