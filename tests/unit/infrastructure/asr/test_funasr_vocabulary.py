import pytest

from asr_service.infrastructure.asr.funasr.spelling import join
from asr_service.infrastructure.asr.funasr.vocabulary import has_digits, languages_of


def test_chinese_characters_make_a_chinese_model() -> None:
    assert languages_of(["<blank>", "he@@", "你"]) == {"zh"}
    assert languages_of(["<blank>", "he@@", "llo"]) == {"en"}


@pytest.mark.parametrize(("tokens", "expected"), [(["一", "two"], False), (["一", "2"], True), ([], False)])
def test_digits_are_found_among_the_tokens(tokens: list[str], expected: bool) -> None:
    assert has_digits(tokens) is expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ""),
        (["你", "好"], "你好"),
        (["hello", "world"], "hello world"),
        (["你", "hello", "world", "好"], "你hello world好"),
        (["2", "0", "年"], "20年"),
    ],
)
def test_words_are_joined_with_spaces_between_letters_only(words: list[str], expected: str) -> None:
    assert join(words) == expected
