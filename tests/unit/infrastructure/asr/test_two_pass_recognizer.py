"""Partials from one recognizer, finals from another, and one session that hears both."""

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from asr_service.domain.events.recognition_events import PartialRecognized, UtteranceFinalized
from asr_service.domain.ports.recognizer import RecognitionKind, RecognitionRequest
from asr_service.domain.value_objects.asr_config import PartialPolicy, RecognitionOptions, SessionConfig
from asr_service.infrastructure.asr.two_pass_recognizer import TwoPassRecognizer
from tests.fakes.engines import CAPABILITIES
from tests.fakes.recognizers import FakeRecognizer
from tests.fixtures.live_sessions import Studio, sound
from tests.fixtures.recognition_requests import recognition_request
from tests.fixtures.tidiness import everybody_waits

TINY = replace(CAPABILITIES, model="tiny.en", languages=frozenset({"en"}), word_times=False, max_seconds=10.0)
LARGE = replace(CAPABILITIES, model="large", hotwords=True)


def growing(request: RecognitionRequest) -> str:
    """A word for each half second; the last one is a guess that the next partial changes."""
    count = len(request.span) // 8_000
    return " ".join([*(f"word{number}" for number in range(count)), f"guess{count}"])


class TwoPasses:
    """A two-pass recognizer, with both of those that it is made of."""

    def __init__(self) -> None:
        self.tiny = FakeRecognizer(growing, capabilities=TINY)
        self.large = FakeRecognizer(lambda _: "the final text", capabilities=LARGE)
        self.recognizer = TwoPassRecognizer(partials=self.tiny, finals=self.large)

    async def asked(self, request: RecognitionRequest) -> str:
        """Has it recognized; returns the model that was asked."""
        await self.recognizer.recognize(request)
        (model,) = [fake.capabilities.model for fake in (self.tiny, self.large) if request in fake.requests]
        return model


@pytest.fixture
def passes() -> TwoPasses:
    return TwoPasses()


def partial(language: str | None = "en", seconds: float = 1.0) -> RecognitionRequest:
    return recognition_request(kind=RecognitionKind.PARTIAL, language=language, seconds=seconds)


async def test_partials_and_finals_go_to_their_own_recognizers(passes: TwoPasses) -> None:
    assert await passes.asked(partial()) == "tiny.en"
    assert await passes.asked(recognition_request(language="en")) == "large"


@pytest.mark.parametrize("language", ["zh", None])
async def test_partials_that_may_be_of_a_language_unknown_to_theirs_go_to_the_finals_recognizer(
    passes: TwoPasses, language: str | None
) -> None:
    assert await passes.asked(partial(language)) == "large"


async def test_partials_longer_than_theirs_takes_go_to_the_finals_recognizer(passes: TwoPasses) -> None:
    assert await passes.asked(partial(seconds=10.5)) == "large"


def test_what_counts_is_what_the_finals_recognizer_can_do(passes: TwoPasses) -> None:
    assert passes.recognizer.capabilities == LARGE


async def test_a_session_settles_its_partials_with_one_recognizer_and_ends_with_the_others_final(
    passes: TwoPasses,
) -> None:
    studio = Studio(recognizer=passes.recognizer)
    config = SessionConfig(options=RecognitionOptions(language="en"), partials=PartialPolicy(interval_ms=600))
    session = studio.open(config)
    running = asyncio.create_task(session.run())
    for _ in range(30):
        await session.push_audio(sound(100))
        await everybody_waits()  # so that a partial is answered before the next one is due
    await session.end_input()
    await running

    listener = studio.listener
    settled = [request.settled_text for request in passes.tiny.requests]
    assert settled[:2] == ["", ""]
    assert settled[-1].startswith("word0")
    stable = [event.stable for event in listener.of_type(PartialRecognized)]
    assert stable[-1].startswith("word0 word1")
    assert all(later.startswith(earlier) for earlier, later in pairwise(stable))
    (final,) = listener.of_type(UtteranceFinalized)
    assert final.hypothesis.text == "the final text"
    assert {request.kind for request in passes.large.requests} == {RecognitionKind.FINAL}


def test_whether_there_are_partials_depends_on_who_makes_them() -> None:
    mute = FakeRecognizer(capabilities=replace(LARGE, partials=False))
    assert TwoPassRecognizer(partials=FakeRecognizer(), finals=mute).capabilities == LARGE
    assert TwoPassRecognizer(partials=mute, finals=FakeRecognizer()).capabilities.partials is False


def test_chunks_can_be_chosen_where_either_of_them_has_chunks() -> None:
    streaming = FakeRecognizer(capabilities=replace(TINY, chunking=True))
    large = FakeRecognizer(capabilities=LARGE)
    assert TwoPassRecognizer(partials=streaming, finals=large).capabilities.chunking
    assert TwoPassRecognizer(partials=large, finals=streaming).capabilities.chunking
    assert not TwoPassRecognizer(partials=large, finals=large).capabilities.chunking
