import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_service.domain.value_objects.language import ALIASES, UnsupportedLanguage, parse_language


@pytest.mark.parametrize("text", [None, "", "  ", "auto", "AUTO", " auto "])
def test_detection_is_asked_for_in_several_ways(text: str | None) -> None:
    assert parse_language(text) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("zh", "zh"),
        ("ZH", "zh"),
        (" zh ", "zh"),
        ("zh-CN", "zh"),
        ("zh_TW", "zh"),
        ("zh-Hans-CN", "zh"),
        ("cmn-Hans-CN", "zh"),
        ("cn", "zh"),
        ("Chinese", "zh"),
        ("Mandarin", "zh"),
        ("中文", "zh"),
        ("en-US", "en"),
        ("English", "en"),
        ("英文", "en"),
        ("yue", "yue"),
        ("yue-HK", "yue"),
        ("Cantonese", "yue"),
        ("粤语", "yue"),
        ("ja", "ja"),
        ("日文", "ja"),
        ("Korean", "ko"),
        ("韩文", "ko"),
        ("haw", "haw"),
    ],
)
def test_a_language_has_many_names(text: str, code: str) -> None:
    assert parse_language(text) == code


@pytest.mark.parametrize(
    "text", ["e", "engl", "z1", "-", "-en", "_", "en us", "中", "ñandú", "auto-detect", "12", "zh\0"]
)
def test_what_is_no_language_code_is_refused(text: str) -> None:
    with pytest.raises(UnsupportedLanguage) as refused:
        parse_language(text)
    assert refused.value.field == "language"
    assert refused.value.hint
    assert repr(text) in refused.value.message


def test_a_long_text_is_not_repeated_in_full() -> None:
    with pytest.raises(UnsupportedLanguage) as refused:
        parse_language("x" * 10_000)
    assert len(refused.value.message) < 100


@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias_means_a_code_that_means_itself(alias: str) -> None:
    code = parse_language(alias)
    assert parse_language(code) == code


@given(st.text(max_size=12))
def test_any_text_is_a_code_or_refused(text: str) -> None:
    try:
        code = parse_language(text)
    except UnsupportedLanguage:
        return
    assert code is None or (code.isascii() and code.islower() and code.isalpha() and len(code) in (2, 3))
