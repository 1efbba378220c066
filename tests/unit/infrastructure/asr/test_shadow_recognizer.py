"""The second recognizer hears a share of the finals, and nobody notices."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from asr_service.domain.ports.recognizer import RecognitionFailed, RecognitionKind, RecognizerUnavailable
from asr_service.domain.value_objects.asr_config import Task
from asr_service.infrastructure.asr.shadow_recognizer import ShadowRecognizer
from tests.fakes.recognizers import Answer, FakeRecognizer
from tests.fixtures.recognition_requests import recognition_request

pytestmark = pytest.mark.usefixtures("tidy")


class Pair:
    """A recognizer, its shadow, and what is told of the comparisons."""

    def __init__(self, first: Answer, second: Answer, share: float = 1.0) -> None:
        self.told: list[tuple[str, float | None]] = []
        self.first = FakeRecognizer(lambda _: first)
        self.second = FakeRecognizer(lambda _: second)
        self.recognizer = ShadowRecognizer(
            self.first,
            self.second,
            share=share,
            on_compared=lambda outcome, difference: self.told.append((outcome, difference)),
            max_at_once=2,
        )

    async def ask(self, **request: str) -> str:
        return (await self.recognizer.recognize(recognition_request(**request))).text  # type: ignore[arg-type]


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    opened = Pair("One two three four.", "one two three five")
    yield opened
    await opened.recognizer.close()


async def test_the_answer_is_the_firsts_and_the_difference_is_told(pair: Pair) -> None:
    assert await pair.ask() == "One two three four."
    await pair.recognizer.settled()
    assert pair.told == [("different", 0.25)]
    assert pair.recognizer.capabilities == pair.first.capabilities


async def test_equal_texts_are_told_too() -> None:
    pair = Pair("The same.", "the same")
    await pair.ask()
    await pair.recognizer.settled()
    assert pair.told == [("equal", 0.0)]


async def test_the_shadow_is_asked_as_for_a_recording_and_under_another_name(pair: Pair) -> None:
    await pair.ask(session_id="ses_9")
    await pair.recognizer.settled()
    (shadowed,) = pair.second.requests
    (asked,) = pair.first.requests
    assert (shadowed.session_id, shadowed.live) == ("ses_9_shadow", False)
    assert shadowed.request_id != asked.request_id
    assert (shadowed.pcm, shadowed.options) == (asked.pcm, asked.options)


async def test_nothing_waits_for_the_shadow_and_what_it_has_no_time_for_is_left_out(pair: Pair) -> None:
    pair.second.hold()
    assert [await pair.ask(session_id=f"ses_{number}") for number in range(3)] == ["One two three four."] * 3
    assert pair.told == [("dropped", None)]
    await pair.second.release()
    await pair.recognizer.settled()
    assert pair.told == [("dropped", None), ("different", 0.25), ("different", 0.25)]


async def test_partials_and_what_the_first_fails_on_are_not_compared(pair: Pair) -> None:
    await pair.recognizer.recognize(recognition_request(kind=RecognitionKind.PARTIAL))
    with pytest.raises(RecognitionFailed):
        await pair.recognizer.recognize(recognition_request(task=Task.TRANSLATE))
    assert (pair.second.requests, pair.told) == ([], [])


async def test_what_the_second_does_not_know_is_not_given_to_it(pair: Pair) -> None:
    await pair.ask(language="de")
    assert pair.second.requests == []


@pytest.mark.parametrize("error", [RecognitionFailed("No."), RecognizerUnavailable("Gone.")])
async def test_a_shadow_that_fails_harms_nobody(error: Answer) -> None:
    pair = Pair("A text.", error)
    assert await pair.ask() == "A text."
    await pair.recognizer.settled()
    assert pair.told == [("failed", None)]


async def test_a_defect_of_the_shadow_is_logged_without_any_text() -> None:
    def broken(_: object) -> Answer:
        raise KeyError("a slip")

    pair = Pair("A text that is private.", "")
    pair.recognizer._second = FakeRecognizer(broken)
    with capture_logs() as logs:
        await pair.ask()
        await pair.recognizer.settled()
    assert pair.told == [("failed", None)]
    assert [entry["event"] for entry in logs] == ["shadow_crashed"]
    assert "private" not in str(logs)


async def test_a_share_is_about_that_share_and_always_the_same_one() -> None:
    pairs = [Pair("A text.", "A text.", share) for share in (0.0, 0.25, 0.25)]
    for pair in pairs:
        for number in range(400):
            await pair.ask(session_id=f"ses_{number}")
            await pair.recognizer.settled()
    none, some, again = ([request.session_id for request in pair.second.requests] for pair in pairs)
    assert none == []
    assert 70 <= len(some) <= 130
    assert some == again


async def test_closing_gives_up_what_is_under_way(pair: Pair) -> None:
    pair.second.hold()
    await pair.ask()
    await pair.second.wait_for_requests(1)
    await asyncio.gather(pair.recognizer.close(), pair.recognizer.close())
    assert (pair.told, len(pair.second.withdrawn)) == ([], 1)
