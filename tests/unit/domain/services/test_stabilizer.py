import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_service.domain.services.stabilizer import Agreement, Stabilizer

# Pieces that may run into each other, and units that stay what they are whatever follows.
PIECES = st.sampled_from(["the", " The", " don't", " 3.14", "今", "，", " AI", "-", ".", " ", "…", "ก", "𠮷", "😀"])
UNITS = st.sampled_from([" the", " cat", " don't", " 3.14", "今", "天", "，", ",", ".", "가", " 😀"])
TEXTS = st.lists(PIECES, max_size=8).map("".join).map(str.strip)


def agreed(*texts: str) -> tuple[str, str]:
    """Stable and volatile part after the last of several hypotheses."""
    stabilizer = Stabilizer()
    agreements = [stabilizer.observe(text) for text in texts]
    return agreements[-1].stable, agreements[-1].volatile


@pytest.mark.parametrize(
    ("texts", "stable", "volatile"),
    [
        (["I can see"], "", "I can see"),
        (["I can", "I can see"], "I can", " see"),
        (["I can", "I can see", "I can see the"], "I can see", " the"),
        (["I can say", "I can see", "I can see"], "I can see", ""),
        (["ice cream", "I scream", "I scream loud"], "I scream", " loud"),
        (["see", "sea", "see"], "", "see"),
        (["今天", "今天天气"], "今天", "天气"),
        (["今天天汽", "今天天气", "今天天气很好"], "今天天气", "很好"),
        (["ひらがな", "ひらがなカタ"], "ひらがな", "カタ"),
        (["안녕", "안녕하세요"], "안녕", "하세요"),
        (["我用 Python", "我用 Python 写", "我用 Python 写代码"], "我用 Python 写", "代码"),
        (["我用Py", "我用Python写"], "我用", "Python写"),
    ],
)
def test_what_two_hypotheses_in_a_row_agree_on_is_stable(texts: list[str], stable: str, volatile: str) -> None:
    assert agreed(*texts) == (stable, volatile)


@pytest.mark.parametrize("mark", [".", ",", "!", "?", "...", "…", "。", "，", "？", "！", "、", ' "', " —", ").", "”"])
def test_punctuation_at_the_end_of_the_agreement_is_not_stable(mark: str) -> None:
    assert agreed(f"so it is{mark}", f"so it is{mark}") == ("so it is", mark)
    assert agreed(f"so it is{mark}", f"so it is{mark} true") == ("so it is", f"{mark} true")


def test_punctuation_between_stable_words_is_stable() -> None:
    assert agreed("yes, it is", "yes, it is so") == ("yes, it is", " so")
    assert agreed("好，我来", "好，我来了") == ("好，我来", "了")


def test_a_text_of_punctuation_alone_is_never_stable() -> None:
    assert agreed("...", "...", "...") == ("", "...")


@pytest.mark.parametrize("word", ["don't", "don’t", "3.14", "well-known", "example.com", "rock-n-roll", "10.0.0.1"])
def test_apostrophes_points_and_hyphens_inside_a_word_do_not_divide_it(word: str) -> None:
    start = word[: max(word.rfind(mark) for mark in "'’.-")]
    assert agreed(f"it is {start}", f"it is {word}") == ("it is", f" {word}")


def test_words_are_settled_whole() -> None:
    assert agreed("it costs 3", "it costs 30") == ("it costs", " 30")
    assert agreed("under", "understand") == ("", "understand")


def test_case_is_no_disagreement_and_the_newer_one_is_kept() -> None:
    assert agreed("apple is", "Apple is great") == ("Apple is", " great")


def test_spaces_belong_to_the_word_behind_them() -> None:
    assert agreed("a b", "a b c") == ("a b", " c")
    assert agreed("a\u3000b", "a\u3000b\u3000c") == ("a\u3000b", "\u3000c")
    assert agreed("a b ", "a b ") == ("a b", "")


def test_no_text_agrees_with_nothing() -> None:
    assert agreed("") == ("", "")
    assert agreed("", "a") == ("", "a")
    assert agreed("a", "") == ("", "")
    assert agreed("a", "", "a") == ("", "a")


def test_what_is_stable_stays_when_a_hypothesis_contradicts_it() -> None:
    stabilizer = Stabilizer()
    for text in ("the cat sat", "the cat sat"):
        stabilizer.observe(text)
    assert stabilizer.observe("a dog ran off") == Agreement("the cat sat", " off")
    assert stabilizer.observe("a dog ran off") == Agreement("the cat sat off", "")
    assert stabilizer.observe("") == Agreement("the cat sat off", "")
    assert stabilizer.stable == "the cat sat off"


@given(st.lists(TEXTS, max_size=8))
def test_what_is_stable_only_grows(texts: list[str]) -> None:
    stabilizer, stable = Stabilizer(), ""
    for text in texts:
        agreement = stabilizer.observe(text)
        assert agreement.stable.startswith(stable)
        stable = agreement.stable
        assert stabilizer.stable == stable


@given(TEXTS)
def test_the_parts_of_a_first_hypothesis_are_the_hypothesis(text: str) -> None:
    assert agreed(text) == ("", text)


@given(TEXTS)
def test_the_same_hypothesis_twice_settles_all_but_its_closing_marks(text: str) -> None:
    stable, volatile = agreed(text, text)
    assert stable + volatile == text
    assert set(volatile) <= set(" .…-，")
    assert not stable.endswith((".", "…", "-", "，"))


@given(st.lists(UNITS, max_size=12), st.lists(st.integers(0, 12), max_size=6))
def test_a_text_that_only_grows_is_always_shown_in_full(units: list[str], lengths: list[int]) -> None:
    stabilizer = Stabilizer()
    for length in sorted(lengths):
        text = "".join(units[:length]).lstrip()
        shown = stabilizer.observe(text)
        assert shown.stable + shown.volatile == text


@given(st.lists(UNITS, min_size=1, max_size=12), TEXTS, TEXTS)
def test_what_is_stable_survives_any_other_text(units: list[str], first: str, second: str) -> None:
    stabilizer = Stabilizer()
    text = "".join(units).lstrip()
    for _ in range(2):
        settled = stabilizer.observe(text).stable
    for other in (first, second, text):
        assert stabilizer.observe(other).stable.startswith(settled)
