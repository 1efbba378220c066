"""What a server of OpenAI's interface answers, in the forms that there are."""

import json
from typing import Any

import pytest

from asr_service.domain.ports.recognizer import RecognitionFailed, RecognizerOverloaded, RecognizerUnavailable
from asr_service.domain.value_objects.hypothesis import Hypothesis, Timing
from asr_service.infrastructure.asr.remote.openai_answers import error_from, hypothesis_from
from asr_service.shared.errors import AsrError

PCM = bytes(64_000)  # 2 s


def heard(**answer: Any) -> Hypothesis:
    return hypothesis_from(json.dumps(answer).encode(), PCM)


def times(hypothesis: Hypothesis) -> list[tuple[str, int, int]]:
    """Each word, and the milliseconds from which to which it was spoken."""
    return [(word.text, word.span.start // 16, word.span.end // 16) for word in hypothesis.words]


def word(text: Any, start: Any, end: Any) -> dict[str, Any]:
    return {"word": text, "start": start, "end": end}


def test_plain_json_has_a_text_and_no_times() -> None:
    hypothesis = heard(text=" Hello. ", usage={"type": "duration", "seconds": 2})
    assert (hypothesis.text, hypothesis.words, hypothesis.timing, hypothesis.language) == (
        "Hello.",
        (),
        Timing.NONE,
        None,
    )


@pytest.mark.parametrize(
    ("language", "code"),
    [("english", "en"), ("Chinese", "zh"), ("zh", "zh"), ("yue", "yue"), ("klingon", None), (7, None)],
)
def test_a_language_is_named_by_its_name_or_by_its_code(language: Any, code: str | None) -> None:
    assert heard(text="Hello.", language=language).language == code


def test_words_get_the_punctuation_of_the_text() -> None:
    hypothesis = heard(text="Well, hello.", words=[word(" Well", 0.1, 0.5), word("hello", 0.6, 1)])
    assert times(hypothesis) == [("Well,", 100, 500), ("hello.", 600, 1_000)]
    assert hypothesis.timing is Timing.ALIGNED


def test_words_of_several_characters_share_their_time_out() -> None:
    hypothesis = heard(text="今天很好。", words=[word("今天", 0.0, 0.4), word("很好", 0.4, 1.0)])
    assert times(hypothesis) == [("今", 0, 200), ("天", 200, 400), ("很", 400, 700), ("好。", 700, 1_000)]


def test_words_inside_of_segments_are_found() -> None:
    segments = [{"words": [word("one", 0, 0.5)]}, {"text": "no words"}, {"words": [word("two", 0.5, 1)]}, "odd"]
    assert times(heard(text="one two", segments=segments)) == [("one", 0, 500), ("two", 500, 1_000)]


@pytest.mark.parametrize(
    "words",
    [
        [word("hello", 0, 1)],
        [word("hello", 0, 1), word("moon", 1, 2)],
        [word("hello", 0, 1), word("world", "1", 2)],
        [word("hello", 0, 1), word("world", 1, None)],
        [word("hello", 0, 1), word("world", 1, 0.5)],
        [word("hello", 0, 1), word("world", -1, 0.5)],
        [word("hello", 1, 1.5), word("world", 0, 0.5)],
        [word(5, 0, 1), word("world", 1, 2)],
        ["hello", "world"],
        "hello world",
    ],
)
def test_words_that_do_not_fit_the_text_are_left_out(words: Any) -> None:
    hypothesis = heard(text="hello world", words=words)
    assert (hypothesis.text, hypothesis.words, hypothesis.timing) == ("hello world", (), Timing.NONE)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"text"', b"{}", b'{"text": 5}', b"\xff", b'{"text": "a'])
def test_what_is_no_answer_is_told(body: bytes) -> None:
    with pytest.raises(RecognizerUnavailable, match="does not answer as OpenAI does"):
        hypothesis_from(body, PCM)


@pytest.mark.parametrize(
    ("status", "retry_after", "kind", "retry_after_s"),
    [
        (429, None, RecognizerOverloaded, 1.0),
        (429, "7", RecognizerOverloaded, 7.0),
        (429, "86400", RecognizerOverloaded, 60.0),
        (503, "0", RecognizerOverloaded, 1.0),
        (503, "Wed, 21 Oct 2026 07:28:00 GMT", RecognizerOverloaded, 1.0),
        (503, None, RecognizerUnavailable, None),
        (500, None, RecognizerUnavailable, None),
        (302, None, RecognizerUnavailable, None),
        (400, None, RecognitionFailed, None),
        (413, None, RecognitionFailed, None),
        (422, None, RecognitionFailed, None),
    ],
)
def test_each_status_has_a_meaning(
    status: int, retry_after: str | None, kind: type[AsrError], retry_after_s: float | None
) -> None:
    error = error_from(status, retry_after)
    assert (type(error), error.retry_after_s) == (kind, retry_after_s)


@pytest.mark.parametrize(("status", "hint"), [(401, "api_key"), (403, "api_key"), (404, "model_name"), (500, None)])
def test_what_an_operator_can_mend_has_a_hint(status: int, hint: str | None) -> None:
    told = error_from(status, None).hint
    assert told is None if hint is None else hint in (told or "")
