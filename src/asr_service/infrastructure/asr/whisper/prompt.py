"""What the decoder is given before it writes: earlier text, hotwords, the start sequence, settled text."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from faster_whisper.tokenizer import Tokenizer

from asr_service.domain.value_objects.asr_config import RecognitionOptions

MAX_POSITIONS = 448  # of the decoder
MAX_TEXT_TOKENS = MAX_POSITIONS // 2  # the other half is for what comes before (openai/whisper, decoding.py)
MAX_PREVIOUS_TOKENS = MAX_TEXT_TOKENS - 1  # openai/whisper keeps so many, and one position for the mark before them
MAX_GIVEN_TOKENS = MAX_TEXT_TOKENS - 32  # the rest is for what was said since
MAX_HOTWORD_TOKENS = 128  # hotwords come before the prompt, and leave it some room
# Fast Mandarin is some 8 characters a second, most of them one or two tokens; fast English some 7 tokens. What reaches the
# bound is decoded again with twice as much, so a language with more tokens a second loses nothing but time.
_TOKENS_PER_SECOND = 12.0
_SPARE_TOKENS = 12
_UNSPACED_LANGUAGES = frozenset({"zh", "ja", "yue", "th", "lo", "my", "km"})


@dataclass(frozen=True, slots=True)
class Prompt:
    """Tokens that come before those that are generated.

    Attributes:
        previous: Earlier text with its mark, or nothing. CTranslate2 wants as many in all prompts of a batch.
        start: Start of the transcript, language, task, no timestamps.
        given: The start of the text, if it is settled.
    """

    previous: tuple[int, ...]
    start: tuple[int, ...]
    given: tuple[int, ...]

    @property
    def tokens(self) -> tuple[int, ...]:
        return self.previous + self.start + self.given


def build_prompt(tokenizer: Tokenizer, options: RecognitionOptions | None, settled_text: str = "") -> Prompt:
    """The prompt of one piece; without options it has no earlier text, and settled text that leaves no room is not given.

    CTranslate2 steps through given text token by token, as if it generated it: this keeps a text consistent with what is
    settled, but saves no time (measured: 104 ms for 31 tokens, whether 27 of them are given or none).
    """
    given = text_tokens(tokenizer, settled_text)
    return Prompt(
        previous=tuple(previous_tokens(tokenizer, options)) if options is not None else (),
        start=(*tokenizer.sot_sequence, tokenizer.no_timestamps),
        given=tuple(given) if len(given) <= MAX_GIVEN_TOKENS else (),
    )


def previous_tokens(tokenizer: Tokenizer, options: RecognitionOptions) -> list[int]:
    """Hotwords and prompt as text that came before, with its mark; empty when there are none.

    When they are too long, the last hotwords and the start of the prompt are left out: hotwords come in the order of their
    importance, and what is nearest to the audio steers most.
    """
    hotwords = _hotword_tokens(tokenizer, options.hotwords)
    prompt = text_tokens(tokenizer, options.prompt or "")[-(MAX_PREVIOUS_TOKENS - len(hotwords)) :]
    return [tokenizer.sot_prev, *hotwords, *prompt] if hotwords or prompt else []


def max_text_tokens(seconds: float) -> int:
    """The most tokens that can be spoken in so much audio."""
    return min(MAX_TEXT_TOKENS, _SPARE_TOKENS + math.ceil(seconds * _TOKENS_PER_SECOND))


def text_tokens(tokenizer: Tokenizer, text: str) -> list[int]:
    """The tokens of a text as the decoder writes it: after a space where words are written apart."""
    text = text.strip()
    if not text:
        return []
    space = "" if tokenizer.language_code in _UNSPACED_LANGUAGES else " "
    return list(tokenizer.encode(space + text))


def _hotword_tokens(tokenizer: Tokenizer, hotwords: Sequence[str]) -> list[int]:
    tokens: list[int] = []
    for hotword in filter(None, map(str.strip, hotwords)):
        addition = tokenizer.encode(f", {hotword}") if tokens else text_tokens(tokenizer, hotword)
        if len(tokens) + len(addition) > MAX_HOTWORD_TOKENS:
            break
        tokens += addition
    return tokens
