"""Listed words cannot be read, and everything else can."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_service.infrastructure.text.masking import MASK, MaskingStep, WordMask
from tests.fixtures.manuscripts import manuscript

WORDS = WordMask(["傻瓜", "傻瓜蛋", "笨", "damn", "bad  luck", "he", "C++"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("你这傻瓜", "你这**"),
        ("你这傻瓜蛋！", "你这***！"),
        ("傻瓜傻瓜蛋", "*****"),
        ("Damn it, DAMN!", "**** it, ****!"),
        ("damnation, goddamn", "damnation, goddamn"),
        ("ｄａｍｎ笨", "*****"),
        ("a bad luck", "a *** ****"),
        ("badluck", "badluck"),
        ("the C++ he likes", "the *** ** likes"),
        ("你damn我", "你****我"),
        ("傻 瓜", "傻 瓜"),
        ("", ""),
    ],
)
def test_each_character_of_a_listed_word_becomes_an_asterisk(text: str, expected: str) -> None:
    assert WORDS.hide(text) == expected


def test_words_are_found_in_either_script() -> None:
    assert WordMask(["混蛋發"]).hide("混蛋发") == WordMask(["混蛋发"]).hide("混蛋發") == "***"


def test_of_two_that_overlap_both_are_hidden() -> None:
    assert WordMask(["甲乙", "乙丙丁"]).hide("甲乙丙丁戊") == "****戊"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("你这傻", "你这"),
        ("你这傻瓜", "你这"),  # more may follow: 傻瓜蛋
        ("你这傻瓜蛋", "你这***"),
        ("I think he", "I think"),
        ("I think h", "I think"),
        ("I think he ", "I think ** "),
        ("I think that", "I think that"),
        ("What bad", "What"),
        ("What bad l", "What"),
        ("What bad day", "What bad day"),
        ("笨", "*"),
    ],
)
def test_the_end_of_a_beginning_is_held_back_while_it_may_become_a_listed_word(text: str, shown: str) -> None:
    assert WORDS.hide_beginning(text) == shown


def test_no_list_masks_nothing() -> None:
    empty = WordMask(["", "  "])
    assert (len(empty), empty.hide("damn"), empty.hide_beginning("damn")) == (0, "damn", "damn")


def test_the_list_does_not_show() -> None:
    assert repr(WORDS) == "WordMask(7 words)"


TEXTS = st.text(alphabet="abhe傻瓜蛋 笨.", max_size=12)
LISTS = st.lists(st.text(alphabet="abhe傻瓜蛋 ", min_size=1, max_size=4), max_size=5)


@given(st.text(), st.lists(st.text()))
def test_any_text_and_any_list_are_taken(text: str, words: list[str]) -> None:
    hidden = WordMask(words).hide(text)
    assert len(hidden) == len(text)
    assert all(after in (before, MASK) for before, after in zip(text, hidden, strict=True))


@given(TEXTS, TEXTS, LISTS)
def test_what_is_shown_of_a_beginning_stays(text: str, more: str, words: list[str]) -> None:
    mask = WordMask(words)
    shown = mask.hide_beginning(text)
    assert mask.hide_beginning(text + more).startswith(shown)
    assert mask.hide(text + more).startswith(shown)


def test_everybodys_words_are_masked_for_all_and_a_tenants_for_it_alone() -> None:
    step = MaskingStep(["damn"], {"acme": ["sprocket"]}, optional=False)
    ours, theirs = manuscript(tenant="acme"), manuscript(tenant="other")
    assert step.of_whole("damn sprocket", ours) == "**** ********"
    assert step.of_whole("damn sprocket", theirs) == "**** sprocket"
    assert step.of_beginning("damn sprocket or", ours) == "**** ******** or"
    assert step.is_wanted(theirs)


def test_only_a_server_that_lets_clients_choose_lets_them_switch_it_off() -> None:
    strict, lenient = (MaskingStep(["damn"], optional=optional) for optional in (False, True))
    assert strict.is_wanted(manuscript(mask=False))
    assert not lenient.is_wanted(manuscript(mask=False))
    assert lenient.is_wanted(manuscript())
    assert (strict.can_be_switched_off, lenient.can_be_switched_off) == (False, True)


def test_without_words_there_is_nothing_to_do_and_nothing_to_switch_off() -> None:
    step = MaskingStep(optional=False)
    assert not step.is_wanted(manuscript(mask=True))
    assert (step.has_words, step.can_be_switched_off) == (False, True)
