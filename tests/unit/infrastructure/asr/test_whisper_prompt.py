"""What the decoder is given is bounded, and what matters most stays when it is too much."""

import pytest

from asr_service.domain.value_objects.asr_config import RecognitionOptions
from asr_service.infrastructure.asr.whisper.prompt import (
    MAX_GIVEN_TOKENS,
    MAX_HOTWORD_TOKENS,
    MAX_PREVIOUS_TOKENS,
    MAX_TEXT_TOKENS,
    build_prompt,
    max_text_tokens,
    previous_tokens,
    text_tokens,
)
from tests.fixtures.byte_tokenizer import byte_tokenizer

TOKENIZER = byte_tokenizer()


def _previous(**options: object) -> str:
    tokens = previous_tokens(TOKENIZER, RecognitionOptions(**options))  # type: ignore[arg-type]
    assert tokens[:1] in ([], [TOKENIZER.sot_prev])
    return str(TOKENIZER.decode(tokens))


def test_a_prompt_is_earlier_text_start_sequence_and_settled_text() -> None:
    prompt = build_prompt(TOKENIZER, RecognitionOptions(prompt="Minutes."), "And so")
    assert prompt.previous == (TOKENIZER.sot_prev, *TOKENIZER.encode(" Minutes."))
    assert prompt.start == (*TOKENIZER.sot_sequence, TOKENIZER.no_timestamps)
    assert prompt.given == tuple(TOKENIZER.encode(" And so"))
    assert prompt.tokens == prompt.previous + prompt.start + prompt.given


def test_without_options_there_is_no_earlier_text() -> None:
    assert build_prompt(TOKENIZER, None).previous == ()
    assert build_prompt(TOKENIZER, RecognitionOptions()).previous == ()
    assert build_prompt(TOKENIZER, RecognitionOptions(prompt="  ")).previous == ()


def test_hotwords_come_before_the_prompt() -> None:
    assert _previous(hotwords=("Quilter", "Siobhan"), prompt="Minutes.") == " Quilter, Siobhan Minutes."


def test_the_least_important_hotwords_are_left_out_when_there_are_too_many() -> None:
    words = tuple(f"hotword{number:03}" for number in range(100))
    kept = _previous(hotwords=words)
    assert len(TOKENIZER.encode(kept)) <= MAX_HOTWORD_TOKENS
    assert kept.strip().split(", ") == list(words[: len(kept.strip().split(", "))])
    assert kept.count("hotword") > 5


def test_the_end_of_a_long_prompt_is_kept() -> None:
    text = _previous(prompt="beginning " * 100 + "the end", hotwords=("Quilter",))
    assert text.endswith("the end")
    assert text.startswith(" Quilter")
    assert len(TOKENIZER.encode(text)) == MAX_PREVIOUS_TOKENS


def test_text_follows_a_space_where_words_are_written_apart() -> None:
    assert TOKENIZER.decode(text_tokens(TOKENIZER, "hello ")) == " hello"
    mandarin = byte_tokenizer("zh")
    assert mandarin.decode(text_tokens(mandarin, "你好")) == "你好"
    assert text_tokens(TOKENIZER, " ") == []


def test_settled_text_that_leaves_no_room_is_not_given() -> None:
    longest = "a" * (MAX_GIVEN_TOKENS - 1)
    assert len(build_prompt(TOKENIZER, None, longest).given) == MAX_GIVEN_TOKENS
    assert build_prompt(TOKENIZER, None, longest + "a").given == ()


def test_blank_hotwords_are_none() -> None:
    assert previous_tokens(TOKENIZER, RecognitionOptions(hotwords=(" ", ""))) == []
    assert _previous(hotwords=(" ", "Quilter ", "")) == " Quilter"


@pytest.mark.parametrize(("seconds", "fastest_speech"), [(1.0, 9), (8.0, 80), (25.0, 220)])
def test_the_bound_leaves_room_for_the_fastest_speech(seconds: float, fastest_speech: int) -> None:
    assert fastest_speech <= max_text_tokens(seconds) <= MAX_TEXT_TOKENS


def test_a_loop_in_a_short_piece_is_stopped_early() -> None:
    assert max_text_tokens(2.0) < MAX_TEXT_TOKENS / 4
