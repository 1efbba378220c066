"""Which stamp belongs to which word: known for certain, or not said."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_service.infrastructure.asr.remote.funasr_messages import ResultFrame
from asr_service.infrastructure.asr.remote.funasr_times import words_from_stamps

SECOND = 16_000


def frame(text: str, stamps: Any) -> ResultFrame:
    return ResultFrame(label="2pass-offline", text=text, is_final=False, stamps=stamps)


def words(text: str, stamps: Any, samples: int = 10 * SECOND) -> list[tuple[str, int, int]]:
    """Each word, and the milliseconds from which to which it was spoken."""
    found = words_from_stamps([frame(text, stamps)], text, samples)
    return [(word.text, word.span.start // 16, word.span.end // 16) for word in found]


def test_each_chinese_character_and_each_english_word_has_a_stamp() -> None:
    stamps = [[0, 100], [100, 300], [300, 900], [1_000, 1_200]]
    expected = [("你", 0, 100), ("好，", 100, 300), ("FunASR", 300, 900), ("吗？", 1_000, 1_200)]
    assert words("你好，FunASR吗？", json.dumps(stamps)) == expected
    assert words("你好，FunASR吗？", stamps) == expected


def test_words_keep_their_apostrophes_and_punctuation() -> None:
    stamps = [[0, 100], [100, 200], [200, 300]]
    assert words("Don't stop, now!", stamps) == [("Don't", 0, 100), ("stop,", 100, 200), ("now!", 200, 300)]
    assert words('He said: "No".', stamps) == [("He", 0, 100), ("said:", 100, 200), ('"No".', 200, 300)]


def test_stamps_for_each_character_of_a_word_are_understood_too() -> None:
    stamps = [[0, 90], *([100 + 10 * i, 110 + 10 * i] for i in range(5)), [200, 300]]
    assert words("We don't, really.", stamps) == [("We", 0, 90), ("don't,", 100, 150), ("really.", 200, 300)]
    assert words("在2026年", [[0, 10], [10, 20], [20, 30], [30, 40], [40, 50], [50, 60]]) == [
        ("在", 0, 10),
        ("2026", 10, 50),
        ("年", 50, 60),
    ]


@pytest.mark.parametrize(
    "stamps",
    [
        None,
        "",
        "[]",
        "no JSON",
        1_722_000_000_000,
        [[0, 100]],
        [[0, 100], [100, 200], [200, 300]],
        [[0, 100], [200, 100]],
        [[0, 100], [-5, 100]],
        [[0, 100], ["1", "2"]],
        [[0, 100], [1, 2, 3]],
        [[500, 600], [100, 200]],
        [0, 1],
        {"0": [0, 100]},
    ],
)
def test_what_does_not_fit_is_not_guessed(stamps: Any) -> None:
    assert words("你好。", stamps) == []


def test_segments_each_have_their_own_stamps() -> None:
    frames = [frame("one two.", [[0, 100], [100, 200]]), frame("two.", "[[700, 800]]")]
    found = words_from_stamps(frames, "one two. two.", SECOND)
    assert [(word.text, word.span.start // 16) for word in found] == [("one", 0), ("two.", 100), ("two.", 700)]
    assert words_from_stamps([frames[0], frame("two.", None)], "one two. two.", SECOND) == ()
    assert words_from_stamps([], "", SECOND) == ()


def test_stamps_that_go_back_at_a_segment_are_not_of_the_whole() -> None:
    frames = [frame("one.", [[500, 600]]), frame("two.", [[100, 200]])]
    assert words_from_stamps(frames, "one. two.", SECOND) == ()


def test_times_stay_inside_the_audio_and_do_not_overlap() -> None:
    assert words("一二三", [[0, 300], [200, 400], [990, 1_400]], samples=SECOND) == [
        ("一", 0, 300),
        ("二", 300, 400),
        ("三", 990, 1_000),
    ]


@given(
    st.text(alphabet="ab好é'’ .,，。😀1"),
    st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 5_000)).map(sorted), max_size=12),
)
def test_words_are_in_order_and_all_of_the_text_or_none(text: str, stamps: list[list[int]]) -> None:
    text = " ".join(text.split())
    found = words_from_stamps([frame(text, stamps)], text, 3 * SECOND)
    edges = [edge for word in found for edge in (word.span.start, word.span.end)]
    assert all(one <= other for one, other in pairwise(edges))
    assert all(edge <= 3 * SECOND for edge in edges)
    at = 0
    for word in found:
        at = text.index(word.text, at) + len(word.text)
