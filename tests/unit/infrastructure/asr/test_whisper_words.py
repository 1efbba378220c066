"""Tokens become words: grouped as people count words, inside the audio, in order, without the pauses around them."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from asr_service.domain.value_objects.hypothesis import Word
from asr_service.infrastructure.asr.whisper.network import TokenAlignment
from asr_service.infrastructure.asr.whisper.words import STEP_SAMPLES, words_from_alignment
from tests.fixtures.byte_tokenizer import byte_tokenizer

SPEECH_DBFS = -20.0
QUIET_DBFS = -70.0


def _levels(steps: int, *quiet: tuple[int, int]) -> NDArray[np.float32]:
    levels = np.full(steps, SPEECH_DBFS, dtype=np.float32)
    for start, end in quiet:
        levels[start:end] = QUIET_DBFS
    return levels


def _words(
    text: str,
    starts: list[int] | None = None,
    *,
    language: str = "en",
    levels: NDArray[np.float32] | None = None,
    samples: int | None = None,
) -> tuple[Word, ...]:
    """Words of a text, each of whose bytes is a token; by default each takes one step, all of them loud."""
    tokenizer = byte_tokenizer(language)
    tokens = tokenizer.encode(text)
    starts = starts if starts is not None else list(range(len(tokens) + 1))
    if levels is None:
        levels = _levels(max(1, starts[-1]))
    alignment = TokenAlignment(tuple(starts), (0.5,) * len(tokens))
    return words_from_alignment(tokenizer, tokens, alignment, levels, samples or len(levels) * STEP_SAMPLES)


def _steps(words: tuple[Word, ...]) -> list[tuple[int, int]]:
    return [(word.span.start // STEP_SAMPLES, word.span.end // STEP_SAMPLES) for word in words]


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        (" Hello, world.", "en", ["Hello,", "world."]),
        (" Don't stop", "en", ["Don't", "stop"]),
        (' He said "go on" (twice).', "en", ["He", "said", '"go', 'on"', "(twice)."]),
        (" a well-known 3.5% rate", "en", ["a", "well-known", "3.5%", "rate"]),
        ("你好，世界。", "zh", ["你", "好，", "世", "界。"]),
        ("去Loft吧", "zh", ["去", "Loft", "吧"]),
        ("《云》是什么？", "zh", ["《云》", "是", "什", "么？"]),
        ("你好 世界", "zh", ["你", "好", "世", "界"]),
        ("スーパーの電気", "ja", ["スー", "パー", "の", "電", "気"]),
        ("거실 불 켜줘", "en", ["거실", "불", "켜줘"]),
        (" ...", "en", []),
        ("", "en", []),
    ],
)
def test_words_are_what_stands_between_spaces_or_single_characters(
    text: str, language: str, expected: list[str]
) -> None:
    assert [word.text for word in _words(text, language=language)] == expected


def test_a_word_lasts_from_its_first_letter_to_its_last() -> None:
    # " ab, c": the comma takes the pause, and the space belongs to what follows it.
    words = _words(" ab, c", [0, 2, 4, 6, 20, 22, 30])
    assert [word.text for word in words] == ["ab,", "c"]
    assert _steps(words) == [(2, 6), (22, 30)]


def test_confidence_is_the_mean_of_the_letters() -> None:
    tokenizer = byte_tokenizer()
    tokens = tokenizer.encode("ab.")
    alignment = TokenAlignment((0, 1, 2, 3), (0.9, 0.7, 0.1))
    (word,) = words_from_alignment(tokenizer, tokens, alignment, _levels(3), 3 * STEP_SAMPLES)
    assert word.confidence == pytest.approx(0.8)


def test_quiet_before_and_after_a_word_is_no_part_of_it() -> None:
    words = _words("a b", [0, 40, 40, 100], levels=_levels(100, (0, 30), (80, 100)))
    assert _steps(words) == [(30, 40), (40, 80)]


def test_the_closure_of_a_consonant_is_part_of_the_word() -> None:
    assert _steps(_words("a", [0, 20], levels=_levels(20, (0, 4)))) == [(0, 20)]


def test_a_word_with_a_pause_inside_lies_where_most_of_its_sound_is() -> None:
    assert _steps(_words("a", [0, 100], levels=_levels(100, (5, 70)))) == [(70, 100)]


def test_a_word_in_the_quiet_keeps_its_place() -> None:
    assert _steps(_words("a b", [0, 10, 10, 50], levels=_levels(50, (10, 50)))) == [(0, 10), (10, 50)]


@given(st.data())
def test_words_are_in_order_and_inside_the_audio(data: st.DataObject) -> None:
    text = data.draw(st.text(alphabet="ab ，,你好。-'", max_size=20))
    tokens = len(byte_tokenizer().encode(text))
    starts = sorted(data.draw(st.lists(st.integers(0, 120), min_size=tokens + 1, max_size=tokens + 1)))
    loud = data.draw(st.lists(st.booleans(), min_size=100, max_size=100))
    levels = np.where(loud, SPEECH_DBFS, QUIET_DBFS).astype(np.float32)
    words = _words(text, starts, levels=levels, samples=100 * STEP_SAMPLES - 7)
    assert all(0 <= word.span.start <= word.span.end <= 100 * STEP_SAMPLES - 7 for word in words)
    assert all(one.span.end <= other.span.start for one, other in itertools.pairwise(words))
    assert "".join(word.text for word in words).replace(" ", "") in text.replace(" ", "")
