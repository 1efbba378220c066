"""What is said under chaos, and what counts as a word that was lost or doubled."""

import pytest

from asr_service.client import Final
from scripts.chaos.scenario import seeded
from scripts.chaos.talk import Voice, differences, make_talk, stored_apart, told_apart
from tests.fixtures.speakers import Heard, Said

WHOLE: list[Said] = [(0, 0, 900, "one"), (1, 1_500, 2_000, "two"), (2, 3_000, 4_000, "three")]
VOICES = [Voice("a.wav", "en", b"\x01\x01" * 16_000), Voice("b.wav", "zh", b"\x02\x02" * 8_000)]


def heard(*said: Said, reason: str = "completed") -> Heard:
    told = Heard()
    for utterance, start_ms, end_ms, text in said:
        told.note(Final(utterance, start_ms, end_ms, text, "en", "none", [], durable=True))
    told.reason = reason
    return told


def test_equal_streams_have_no_differences() -> None:
    assert differences("a", heard(*WHOLE), heard(*WHOLE)) == []


@pytest.mark.parametrize(
    ("told", "what"),
    [
        ([WHOLE[0], WHOLE[2]], "a: utterance 1 is missing"),
        ([*WHOLE, WHOLE[2]], "a: utterance 2 came 2 times"),
        ([*WHOLE, (3, 5_000, 6_000, "four")], "a: utterance 3 should not be: (3, 5000, 6000, 'four')"),
        ([WHOLE[0], WHOLE[2], WHOLE[1]], "a: out of order"),
        (
            [(0, 0, 900, "won"), *WHOLE[1:]],
            "a: utterance 0 is (0, 0, 900, 'won'), should be (0, 0, 900, 'one')",
        ),
    ],
)
def test_what_is_missing_doubled_or_different_is_named(told: list[Said], what: str) -> None:
    assert told_apart("a", WHOLE, told) == [what]


def test_a_stream_that_came_to_no_good_end_is_a_defect() -> None:
    broken = heard(*WHOLE, reason="")
    broken.failed = 1
    assert differences("a", heard(*WHOLE), broken) == ["a: 1 utterances failed", "a: ended as 'nothing'"]


def test_what_is_stored_is_what_was_told_but_for_finals_without_words() -> None:
    told = heard(*WHOLE, (3, 5_000, 6_000, ""))
    assert stored_apart("a", told, {0: "one", 1: "two", 2: "three"}) == []
    assert stored_apart("a", told, {0: "one", 2: "3"}) == [
        "a: utterance 1 is stored as None, told was 'two'",
        "a: utterance 2 is stored as '3', told was 'three'",
    ]


def test_a_talk_is_of_one_language_and_the_same_for_the_same_seed() -> None:
    talks = [make_talk(VOICES, seeded(f"talk {number}"), 10.0) for number in range(8)]
    assert talks == [make_talk(VOICES, seeded(f"talk {number}"), 10.0) for number in range(8)]
    assert {talk.language for talk in talks} == {"en", "zh"}
    for talk in talks:
        foreign = {"en": 2, "zh": 1}[talk.language]
        assert foreign not in talk.pcm
        assert talk.seconds >= 10.0
