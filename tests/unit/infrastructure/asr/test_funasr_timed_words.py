"""Times of pieces become times of words, whatever was done to the text meanwhile; and none where that cannot be known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.hypothesis import Word
from asr_service.infrastructure.asr.funasr.timed_words import TimedPiece, timed_words

LONG = 1_000_000


def pieces(*texts: str, step_ms: int = 100) -> list[TimedPiece]:
    """Pieces that last a step each, one after the other."""
    return [TimedPiece(text, number * step_ms, (number + 1) * step_ms) for number, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("text", "timed", "expected"),
    [
        ("你好世界", ["你", "好", "世", "界"], ["你", "好", "世", "界"]),
        ("你好，世界。", ["你", "好", "世", "界"], ["你", "好，", "世", "界。"]),
        ("《云》好", ["云", "好"], ["《云》", "好"]),
        ("Hello world.", ["hello", "world"], ["Hello", "world."]),
        ("Good morning, 世界", ["▁good", "▁mor", "ning", "世", "界"], ["Good", "morning,", "世", "界"]),
        ("你好hello世界", ["你", "好", "hello", "世", "界"], ["你", "好", "hello", "世", "界"]),
        ("9点", ["9", "点"], ["9", "点"]),
        ("好。", ["好", "。"], ["好。"]),
        ("조금만 생각", ["▁조", "금", "만", "▁생", "각"], ["조금만", "생각"]),
    ],
)
def test_words_are_those_of_the_text(text: str, timed: list[str], expected: list[str]) -> None:
    assert [word.text for word in timed_words(text, pieces(*timed), LONG)] == expected


def test_a_word_of_parts_lasts_from_the_first_to_the_last() -> None:
    assert timed_words("morning.", pieces("mor", "ning"), LONG) == (Word("morning.", SampleSpan(0, 3_200)),)


@pytest.mark.parametrize(
    ("text", "timed"),
    [
        ("你好", ["你"]),
        ("你好", ["你", "好", "吗"]),
        ("你好", ["好", "你"]),
        ("二十三", ["2", "3"]),
        ("", ["你"]),
        ("İki", ["iki"]),
    ],
)
def test_pieces_of_another_text_have_no_words(text: str, timed: list[str]) -> None:
    assert timed_words(text, pieces(*timed), LONG) == ()


def test_nothing_timed_has_no_words() -> None:
    assert timed_words("你好", [], LONG) == ()


@given(
    texts=st.lists(st.sampled_from("的一是不了人我在"), max_size=12),
    times=st.lists(st.tuples(st.integers(-500, 40_000), st.integers(-500, 40_000)), min_size=12, max_size=12),
    samples=st.integers(0, 480_000),
)
def test_words_lie_in_order_inside_the_audio(texts: list[str], times: list[tuple[int, int]], samples: int) -> None:
    timed = [TimedPiece(text, *time) for text, time in zip(texts, times, strict=False)]
    words = timed_words("".join(texts), timed, samples)
    assert len(words) == len(texts)
    edges = [edge for word in words for edge in (word.span.start, word.span.end)]
    assert edges == sorted(edges)
    assert all(0 <= edge <= samples for edge in edges)
