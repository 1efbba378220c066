"""How far two texts differ, as a reader would say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_service.infrastructure.asr.text_difference import text_difference


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("", ""),
        ("", "。"),
        ("Hello, world.", "hello world"),
        ("今天天气不错。", "今天天气不错"),
        ("It's Ｆｕｌｌ", "its full"),
        ("don’t", "don't"),
    ],
)
def test_case_width_and_punctuation_do_not_count(first: str, second: str) -> None:
    assert text_difference(first, second) == 0.0


@pytest.mark.parametrize(
    ("first", "second", "difference"),
    [
        ("", "hello", 1.0),
        ("one two", "three four", 1.0),
        ("one two three four", "one two three five", 0.25),
        ("one two three", "one two three four five", 0.25),
        ("今天天气", "今天天汽", 0.25),
        ("用 Python 写", "用Python写。", 0.0),
    ],
)
def test_words_are_compared_and_characters_where_there_are_no_spaces(
    first: str, second: str, difference: float
) -> None:
    assert text_difference(first, second) == pytest.approx(difference)


@given(st.text(alphabet="ab 好。", max_size=20), st.text(alphabet="ab 好。", max_size=20))
def test_it_is_a_share_and_nothing_differs_from_itself(first: str, second: str) -> None:
    assert 0.0 <= text_difference(first, second) <= 1.0
    assert text_difference(first, first) == 0.0
