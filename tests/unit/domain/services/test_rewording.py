"""Words stay in step with a text that is rewritten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_service.domain.services.rewording import rewritten
from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.hypothesis import Hypothesis, Timing, Word


def heard(*texts: str, gap: str = " ", confidences: tuple[float | None, ...] = ()) -> Hypothesis:
    """Words of 100 samples each, one after the other."""
    words = tuple(
        Word(text, SampleSpan(100 * number, 100 * number + 100), confidences[number] if confidences else None)
        for number, text in enumerate(texts)
    )
    return Hypothesis(gap.join(texts), words, Timing.ALIGNED if words else Timing.NONE, language="en")


def timed(hypothesis: Hypothesis) -> list[tuple[str, int, int]]:
    """Text and place of each word."""
    return [(word.text, word.span.start, word.span.end) for word in hypothesis.words]


def test_the_same_text_is_the_same_hypothesis() -> None:
    hypothesis = heard("the", "cat")
    assert rewritten(hypothesis, "the cat", characterwise=False) is hypothesis


def test_words_that_become_one_get_one_time() -> None:
    hypothesis = heard("I", "paid", "twenty", "five", "dollars", "today.")
    assert timed(rewritten(hypothesis, "I paid $25 today.", characterwise=False)) == [
        ("I", 0, 100),
        ("paid", 100, 200),
        ("$25", 200, 500),
        ("today.", 500, 600),
    ]


def test_characters_that_become_a_number_are_one_word() -> None:
    hypothesis = heard("二", "零", "二", "五", "年，", "三", "月", gap="")
    assert timed(rewritten(hypothesis, "2025年，3月", characterwise=False)) == [
        ("2025", 0, 400),
        ("年，", 400, 500),
        ("3", 500, 600),
        ("月", 600, 700),
    ]


@pytest.mark.parametrize(
    ("confidences", "confidence"), [((0.9, 0.5, 0.7), 0.5), ((0.9, None, 0.7), None), ((None, None, None), None)]
)
def test_a_word_is_as_sure_as_the_least_sure_of_its_parts(
    confidences: tuple[float | None, ...], confidence: float | None
) -> None:
    (word,) = rewritten(heard("one", "two", "three", confidences=confidences), "123", characterwise=False).words
    assert word == Word("123", SampleSpan(0, 300), confidence)


def test_character_by_character_each_word_keeps_its_own() -> None:
    hypothesis = heard("头", "发，", "Loft", gap="")
    assert timed(rewritten(hypothesis, "頭髮，****", characterwise=True)) == [
        ("頭", 0, 100),
        ("髮，", 100, 200),
        ("****", 200, 300),
    ]


def test_what_is_put_in_belongs_to_the_word_before_it() -> None:
    hypothesis = heard("你", "好", "吗", gap="")
    assert timed(rewritten(hypothesis, "你好吗？", characterwise=False)) == [
        ("你", 0, 100),
        ("好", 100, 200),
        ("吗？", 200, 300),
    ]
    assert timed(rewritten(hypothesis, "“你好吗", characterwise=False))[0] == ("你", 0, 100)


def test_a_word_that_is_cut_off_has_no_time() -> None:
    assert timed(rewritten(heard("I", "think", "he"), "I think", characterwise=True)) == [
        ("I", 0, 100),
        ("think", 100, 200),
    ]
    nothing = rewritten(heard("he"), "", characterwise=True)
    assert (nothing.text, nothing.words, nothing.timing) == ("", (), Timing.NONE)


def test_words_that_are_rewritten_on_both_sides_of_a_mark_are_apart() -> None:
    hypothesis = heard("five,", "six", "cats")
    assert timed(rewritten(hypothesis, "5, 6 cats", characterwise=False)) == [
        ("5,", 0, 100),
        ("6", 100, 200),
        ("cats", 200, 300),
    ]


def test_words_that_are_not_in_their_text_are_left_out() -> None:
    odd = Hypothesis("the cat", (Word("dog", SampleSpan(0, 100)),), Timing.ALIGNED)
    assert rewritten(odd, "the CAT", characterwise=True) == Hypothesis("the CAT")


def test_a_text_without_words_has_none_afterwards() -> None:
    assert rewritten(Hypothesis("one two"), "1 2", characterwise=False) == Hypothesis("1 2")


PIECES = st.lists(st.sampled_from(["one", "two,", "cats", "五", "年", "2025", "the"]), max_size=8)


@given(PIECES, PIECES, st.booleans())
def test_words_are_in_the_text_in_order_and_keep_theirs(
    before: list[str], after: list[str], characterwise: bool
) -> None:
    hypothesis = heard(*before)
    result = rewritten(hypothesis, " ".join(after), characterwise=characterwise)
    position, end = 0, 0
    for word in result.words:
        position = result.text.index(word.text, position) + len(word.text)
        assert word.text == word.text.strip() != ""
        assert end <= word.span.start < word.span.end
        end = word.span.end
    assert result.text == " ".join(after)
    assert (result.timing is Timing.ALIGNED) == bool(result.words)
