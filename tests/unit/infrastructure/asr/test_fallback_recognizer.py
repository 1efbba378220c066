"""The second recognizer is asked when the first does not help, and only then."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from asr_service.domain.ports.recognizer import (
    RecognitionFailed,
    RecognitionKind,
    RecognitionRequest,
    RecognitionSuperseded,
    RecognizerOverloaded,
    RecognizerUnavailable,
)
from asr_service.infrastructure.asr.fallback_recognizer import FallbackRecognizer
from asr_service.shared.errors import AsrError
from tests.fakes.engines import CAPABILITIES
from tests.fakes.recognizers import Answer, FakeRecognizer
from tests.fixtures.recognition_requests import recognition_request

UNAVAILABLE = RecognizerUnavailable("The first is gone.")
OVERLOADED = RecognizerOverloaded("The first has no room.")
FAILED = RecognitionFailed("The first failed.")
SUPERSEDED = RecognitionSuperseded("There is a newer one.")
ENGLISH = replace(CAPABILITIES, languages=frozenset({"en"}))


class Pair:
    """A first recognizer, a second, and what is told of falling back."""

    def __init__(self, first: Answer, second: Answer = "of the second", **more: Callable[[], bool]) -> None:
        self.told: list[tuple[str, str]] = []
        self.first = FakeRecognizer(lambda _: first)
        self.second = FakeRecognizer(lambda _: second)
        self.recognizer = FallbackRecognizer(
            self.first, self.second, on_fallback=lambda kind, code: self.told.append((kind, code)), **more
        )

    async def text(self, request: RecognitionRequest | None = None) -> str:
        return (await self.recognizer.recognize(request or recognition_request())).text


def partial() -> RecognitionRequest:
    return recognition_request(kind=RecognitionKind.PARTIAL)


async def test_while_the_first_answers_the_second_is_not_asked() -> None:
    pair = Pair("of the first")
    assert await pair.text() == "of the first"
    assert (pair.second.requests, pair.told) == ([], [])


@pytest.mark.parametrize("error", [UNAVAILABLE, OVERLOADED, FAILED])
async def test_a_final_that_the_first_does_not_answer_is_given_to_the_second(error: AsrError) -> None:
    pair = Pair(error)
    assert await pair.text() == "of the second"
    assert pair.told == [("final", error.code)]


async def test_a_partial_is_given_to_the_second_when_the_first_is_unavailable() -> None:
    pair = Pair(UNAVAILABLE)
    assert await pair.text(partial()) == "of the second"
    assert pair.told == [("partial", "recognizer_unavailable")]


@pytest.mark.parametrize(("kind", "level"), [(RecognitionKind.FINAL, "warning"), (RecognitionKind.PARTIAL, "debug")])
async def test_falling_back_is_logged_without_any_text(kind: RecognitionKind, level: str) -> None:
    request = recognition_request(kind=kind, prompt="a secret")
    with capture_logs() as logs:
        await Pair(UNAVAILABLE).text(request)
    told = {"request_id": request.request_id, "kind": kind, "code": "recognizer_unavailable"}
    assert logs == [{"event": "recognition_fell_back", "log_level": level, **told}]


@pytest.mark.parametrize("error", [OVERLOADED, FAILED, SUPERSEDED])
async def test_a_partial_is_perishable_and_not_asked_again(error: AsrError) -> None:
    pair = Pair(error)
    with pytest.raises(type(error)):
        await pair.text(partial())
    assert (pair.second.requests, pair.told) == ([], [])


async def test_a_final_that_is_superseded_is_no_failure() -> None:
    pair = Pair(SUPERSEDED)
    with pytest.raises(RecognitionSuperseded):
        await pair.text()
    assert pair.second.requests == []


async def test_when_both_fail_the_error_is_that_of_the_second() -> None:
    with pytest.raises(RecognitionFailed):
        await Pair(UNAVAILABLE, FAILED).text()


@pytest.mark.parametrize("language", ["zh", None])
async def test_what_the_second_may_not_understand_is_not_given_to_it(language: str | None) -> None:
    second = FakeRecognizer(capabilities=ENGLISH)
    recognizer = FallbackRecognizer(FakeRecognizer(lambda _: FAILED), second, is_ready=lambda: False)
    with pytest.raises(RecognitionFailed, match="The first failed"):
        await recognizer.recognize(recognition_request(language=language))
    assert second.requests == []


async def test_audio_longer_than_the_second_takes_is_not_given_to_it() -> None:
    second = FakeRecognizer(capabilities=replace(CAPABILITIES, max_seconds=10.0))
    recognizer = FallbackRecognizer(FakeRecognizer(lambda _: FAILED), second)
    with pytest.raises(RecognitionFailed, match="The first failed"):
        await recognizer.recognize(recognition_request(seconds=11.0))
    assert second.requests == []


@pytest.mark.parametrize("kind", RecognitionKind)
async def test_a_first_that_is_not_ready_is_not_waited_for(kind: RecognitionKind) -> None:
    pair = Pair("of the first", is_ready=lambda: False)
    assert await pair.text(recognition_request(kind=kind)) == "of the second"
    assert (pair.first.requests, pair.told) == ([], [(kind, "recognizer_unavailable")])


@pytest.mark.parametrize("error", [UNAVAILABLE, OVERLOADED, FAILED])
async def test_a_first_that_is_not_ready_is_waited_for_when_the_second_does_not_help(error: AsrError) -> None:
    pair = Pair("of the first", error, is_ready=lambda: False)
    assert await pair.text() == "of the first"


async def test_a_partial_that_the_second_fails_on_is_not_asked_again() -> None:
    pair = Pair("of the first", FAILED, is_ready=lambda: False)
    with pytest.raises(RecognitionFailed):
        await pair.text(partial())
    assert pair.first.requests == []


def test_an_ability_is_promised_only_if_both_have_it() -> None:
    abilities = (
        "word_times",
        "hotwords",
        "prompt",
        "translation",
        "spoken_numbers",
        "punctuation",
        "casing",
        "chunking",
    )
    able = replace(CAPABILITIES, **dict.fromkeys(abilities, True))  # type: ignore[arg-type]
    for ability in abilities:
        lacking = replace(able, **{ability: False})
        for first, second in ((able, lacking), (lacking, able)):
            pair = FallbackRecognizer(FakeRecognizer(capabilities=first), FakeRecognizer(capabilities=second))
            assert pair.capabilities == lacking


def test_name_languages_and_longest_audio_are_those_of_the_first() -> None:
    second = replace(ENGLISH, engine="other", model="small", max_seconds=10.0)
    pair = FallbackRecognizer(FakeRecognizer(), FakeRecognizer(capabilities=second))
    assert pair.capabilities == CAPABILITIES
