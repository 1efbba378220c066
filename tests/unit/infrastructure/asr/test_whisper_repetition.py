"""Loops of a stuck decoder are seen and taken out; what people really repeat stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_service.infrastructure.asr.whisper.repetition import (
    compression_ratio,
    find_loop,
    is_repetitive,
    says_one_thing,
    units,
    without_loops,
)

WORDS = st.sampled_from(["so", "we", "meet", "again", "at", "the", "old", "bridge", "tomorrow", "evening"])


@pytest.mark.parametrize(
    "text",
    [
        "This is what we got. This is what we got. This is what we got. This is what we got.",
        "I think I think I think I think I think I think I think I think",
        "我们走吧我们走吧我们走吧我们走吧",
        "的水漢的水漢的水漢的水漢的水漢的水漢的",
        "no no no no no no no no no no no no no",
        "ПО-ПО-ПО-ПО-ПО-ПО-ПО-ПО-ПО-ПО-ПО-ПО-ПО",
        "1.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ],
)
def test_a_stuck_decoder_is_seen(text: str) -> None:
    assert is_repetitive(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "...",
        "3 3 3 3",
        "My number is 3 3 3 3, 3 3 3 3, 3 3 3 3.",
        "five five five five five five five five five five five five",
        "一三零零二五九八四八二",
        "八八八八八八八八八八八八",
        "4111 1111 1111 1111",
        "no no no no",
        "哈哈哈哈哈哈",
        "very, very, very good, and very, very, very bad",
        "ask not what your country can do for you, ask what you can do for your country",
        "谢谢大家谢谢大家谢谢大家",
    ],
)
def test_what_people_repeat_is_no_loop(text: str) -> None:
    assert not is_repetitive(text)
    assert without_loops(text) == text


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("So I said we go home, we go home, we go home, we go home, we go", "So I said we go home"),
        ("We go home, we go home, we go home, we go home. And then it rained.", "We go home. And then it rained."),
        ("大家好我们走吧我们走吧我们走吧我们走吧", "大家好我们走吧"),
        ("no no no no no no no no no no no no no", "no"),
    ],
)
def test_a_loop_is_said_once(text: str, rest: str) -> None:
    assert without_loops(text) == rest


@given(st.lists(WORDS, min_size=3, max_size=6), st.integers(min_value=4, max_value=12), st.lists(WORDS, max_size=4))
def test_nothing_that_was_cut_loops_any_more(phrase: list[str], times: int, before: list[str]) -> None:
    text = " ".join([*before, *phrase * times])
    cut = without_loops(text)
    assert find_loop(text) is not None
    assert find_loop(cut) is None
    assert {unit.text for unit in units(cut)} == {unit.text for unit in units(text)}


@given(st.text(alphabet="0123456789 ", max_size=34))
def test_numbers_that_can_be_read_out_stay_as_they_are(number: str) -> None:
    assert not is_repetitive(number)
    assert without_loops(number) == number


@given(st.text())
def test_cutting_twice_is_cutting_once(text: str) -> None:
    assert without_loops(without_loops(text)) == without_loops(text)


def test_units_are_words_characters_and_digits() -> None:
    assert [unit.text for unit in units("Don't say 你好 at 10!")] == ["don't", "say", "你", "好", "at", "1", "0"]


def test_an_empty_text_has_no_compression_ratio() -> None:
    assert compression_ratio("") == 0.0
    assert compression_ratio("over and over " * 30) > 2.4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1" + ",5" * 31, True),  # Whisper base on hiss
        ("I'm gonna have to do this. " * 3, True),  # on monkeys
        ("谢谢你们" * 3, True),
        ("I'm gonna have to do this. " * 2, False),
        ("no no no no", False),
        ("call 5 5 5 5 5 5 5 5 5 5 5 5 now", False),
        ("", False),
    ],
)
def test_a_text_that_says_one_thing_over_and_over_is_known(text: str, expected: bool) -> None:
    assert says_one_thing(text) is expected
