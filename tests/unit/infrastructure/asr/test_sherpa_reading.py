"""From tokens with times to words, and what of a text counts."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from asr_service.domain.ports.recognizer import RecognitionKind, RecognizerCapabilities
from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.hypothesis import Timing
from asr_service.infrastructure.asr.sherpa.hotwords import joined_hotwords
from asr_service.infrastructure.asr.sherpa.reading import hypothesis_of, is_made_up, language_in, read_words
from tests.fakes.engines import CAPABILITIES
from tests.fixtures.recognition_requests import recognition_request

SECOND = 16_000


def words(tokens: list[str], seconds: float = 10.0) -> list[str]:
    """The words of tokens, 0.1 s each."""
    starts_s = [number / 10 for number in range(len(tokens))]
    return [word.text for word in read_words(tokens, starts_s, round(seconds * SECOND))]


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ([" The", " in", "vention", " of", "."], ["The", "invention", "of."]),
        (["▁THE", "▁INVEN", "TION"], ["THE", "INVENTION"]),
        (["▁", "1", "5", "th", "▁century"], ["15th", "century"]),
        (["天", "地", "，", "玄"], ["天", "地，", "玄"]),
        (["hel@@", "lo", "world"], ["hello", "world"]),
        (["我", "们", "al@@", "ways", "说"], ["我", "们", "always", "说"]),
        (["▁我", "们", "▁say", "▁no"], ["我", "们", "say", "no"]),
        (["天", "a"], ["天", "a"]),
        (["?", "▁yes"], ["?", "yes"]),
        (["▁", ""], []),
        ([], []),
    ],
)
def test_tokens_become_words(tokens: list[str], expected: list[str]) -> None:
    assert words(tokens) == expected


def test_a_word_lasts_until_the_next_begins() -> None:
    first, second = read_words([" one", " two"], [0.5, 0.75], 2 * SECOND)
    assert first.span == SampleSpan(8_000, 12_000)
    assert second.span == SampleSpan(12_000, 12_000 + 6_400)


def test_a_word_before_a_pause_ends_in_time() -> None:
    first, _ = read_words([" one", " two"], [0.5, 5.0], 10 * SECOND)
    assert first.span == SampleSpan(8_000, 8_000 + 6_400)


def test_a_word_of_several_tokens_goes_from_the_first_to_the_last() -> None:
    (word,) = read_words([" in", "ven", "tion"], [0.5, 0.7, 0.9], 2 * SECOND)
    assert word.span == SampleSpan(8_000, round(0.9 * SECOND) + 6_400)


def test_times_never_go_back_nor_beyond_the_audio() -> None:
    spans = [word.span for word in read_words([" a", " b", " c"], [0.5, 0.4, 3.0], SECOND)]
    assert spans == [SampleSpan(8_000, 8_000), SampleSpan(8_000, 14_400), SampleSpan(16_000, 16_000)]


def test_without_a_time_for_each_token_there_are_no_words() -> None:
    assert read_words([" a", " b"], [0.5], SECOND) == ()
    assert read_words([" a"], [], SECOND) == ()


# --- the hypothesis


def decoded(text: str, tokens: list[str] | None = None) -> Any:
    tokens = tokens or []
    return SimpleNamespace(text=text, tokens=tokens, timestamps=[number / 10 for number in range(len(tokens))])


def capable(*languages: str, word_times: bool = True) -> RecognizerCapabilities:
    return RecognizerCapabilities(
        engine="sherpa-onnx",
        model="tiny",
        languages=frozenset(languages),
        word_times=word_times,
        hotwords=False,
        prompt=False,
        spoken_numbers=False,
        translation=False,
        max_seconds=30.0,
    )


def test_words_are_for_finals_of_models_whose_times_count() -> None:
    result = decoded(" hello", [" hello"])
    final, partial = recognition_request(), recognition_request(kind=RecognitionKind.PARTIAL)
    heard = hypothesis_of(result, final, capable("en"))
    assert (heard.text, heard.timing, [word.text for word in heard.words]) == ("hello", Timing.ALIGNED, ["hello"])
    for request, capabilities in ((partial, capable("en")), (final, capable("en", word_times=False))):
        heard = hypothesis_of(result, request, capabilities)
        assert (heard.text, heard.timing, heard.words) == ("hello", Timing.NONE, ())


def test_the_language_is_what_the_model_found_or_the_client_said_or_the_only_one() -> None:
    result = decoded("text")
    asked = recognition_request(language="en")
    assert hypothesis_of(result, asked, CAPABILITIES, "zh").language == "zh"
    assert hypothesis_of(result, asked, CAPABILITIES).language == "en"
    assert hypothesis_of(result, recognition_request(), capable("ja")).language == "ja"
    assert hypothesis_of(result, recognition_request(), CAPABILITIES).language is None


def test_loops_are_said_once() -> None:
    heard = hypothesis_of(decoded("and so and so on " * 20), recognition_request(), capable("en"))
    assert len(heard.text.split()) < 12


@pytest.mark.parametrize(
    ("tag", "expected"), [("<|zh|>", "zh"), ("<|yue|>", None), ("", None), ("en", None), ("<|nospeech|>", None)]
)
def test_a_tag_names_a_language_that_the_model_knows(tag: str, expected: str | None) -> None:
    assert language_in(tag, {"zh", "en"}) == expected


STEADY = np.full(50, -30.0, dtype=np.float32)
LIVELY = np.array([-60.0] * 25 + [-30.0] * 25, dtype=np.float32)
FAINT = LIVELY - 25


@pytest.mark.parametrize(
    ("text", "levels_dbfs", "expected"),
    [
        ("You", STEADY, True),
        ("Thank you.", FAINT, True),
        ("You", LIVELY, False),
        ("Good morning", STEADY, False),
        ("", STEADY, False),
    ],
)
def test_what_models_write_for_noise_counts_only_as_speech(text: str, levels_dbfs: Any, expected: bool) -> None:
    assert is_made_up(text, levels_dbfs) is expected


@pytest.mark.parametrize(
    ("hotwords", "expected"),
    [((), ""), (("tea", "green tea"), "tea/green tea"), (("a/b:3", " ", "c\nd"), "a b 3/c d")],
)
def test_hotwords_are_joined_without_signs_of_their_own(hotwords: tuple[str, ...], expected: str) -> None:
    assert joined_hotwords(hotwords) == expected
