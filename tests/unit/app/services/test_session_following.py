"""Followers are told everything once and in order, whatever the feed and the store are up to."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from asr_service.app.services.admission import ServiceOverloaded
from asr_service.app.services.drain import ServerStopping
from asr_service.app.services.session_following import SessionFollowing, Told
from asr_service.domain.entities.recognition_result import RecognitionResult
from asr_service.domain.entities.session_record import SessionRecord
from asr_service.domain.events.recognition_events import (
    PartialRecognized,
    SpeechStarted,
    UtteranceFailed,
    UtteranceFinalized,
)
from asr_service.domain.events.session_events import SessionEnded, SessionEvent, SessionResumed
from asr_service.domain.ports.live_feed import FollowerTooSlow
from asr_service.domain.value_objects.asr_config import SessionConfig
from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.caller import LOCAL_CALLER, Caller
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.domain.value_objects.session_status import EndReason, SessionStatus
from asr_service.infrastructure.messaging.live_feed import InProcessLiveFeed
from asr_service.shared.errors import NotFound
from tests.fakes.clocks import START
from tests.fakes.repositories import InMemoryStore, InMemoryTranscriptReader
from tests.fixtures.tidiness import everybody_waits

pytestmark = pytest.mark.usefixtures("tidy")

SPAN = SampleSpan(0, 16_000)
LIVE = SessionRecord("ses_1", LOCAL_CALLER.tenant, None, None, None, SessionStatus.LISTENING, START, node_id="nod_1")
CLOSED = replace(LIVE, status=SessionStatus.CLOSED, end_reason=EndReason.COMPLETED)


def final(utterance: int, text: str = "go") -> UtteranceFinalized:
    return UtteranceFinalized(
        session_id="ses_1", at_s=0.0, utterance=utterance, span=SPAN, hypothesis=Hypothesis(text), endpoint_at_s=0.0
    )


def failed(utterance: int) -> UtteranceFailed:
    return UtteranceFailed(session_id="ses_1", at_s=0.0, utterance=utterance, span=SPAN, code="no", message="No.")


def partial(utterance: int) -> PartialRecognized:
    return PartialRecognized(
        session_id="ses_1",
        at_s=0.0,
        utterance=utterance,
        revision=1,
        span=SPAN,
        stable="g",
        volatile="o",
        language=None,
    )


def ended(reason: EndReason = EndReason.COMPLETED, epoch: int = 1) -> SessionEnded:
    return SessionEnded(
        session_id="ses_1",
        at_s=0.0,
        reason=reason,
        received_samples=0,
        decoded_samples=0,
        finalized_samples=0,
        epoch=epoch,
    )


class Balcony:
    """Somebody who follows a session, and the session.

    Attributes:
        told: Everything so far: the status of records, and what utterances are told of.
    """

    def __init__(self) -> None:
        self.store = InMemoryStore({"ses_1": LIVE})
        self.feed = InProcessLiveFeed()
        self.told: list[Told] = []
        self.slept = 0
        self.while_waiting: Callable[[], None] = lambda: None
        self.following = SessionFollowing(
            InMemoryTranscriptReader(self.store, {"nod_1"}), self.feed, max_followers=2, sleep=self._sleep
        )

    async def tell(self, told: Told) -> None:
        self.told.append(told)

    async def _sleep(self, _seconds: float) -> None:
        self.slept += 1
        self.while_waiting()

    def keep(self, *utterances: int) -> None:
        """Stores finals."""
        for utterance in utterances:
            self.store.results["ses_1", utterance] = RecognitionResult(
                "ses_1", LOCAL_CALLER.tenant, utterance, SPAN, Hypothesis("go"), START
            )

    async def happen(self, *events: SessionEvent) -> None:
        """Has things told live, and lets the follower take them."""
        for event in events:
            self.feed.tell(event)
        await everybody_waits()

    async def follow(self, first: int = 0) -> "asyncio.Task[None]":
        following = asyncio.create_task(self.following.follow(LOCAL_CALLER, "ses_1", first, self.tell))
        await everybody_waits()
        return following

    @property
    def statuses(self) -> list[SessionStatus]:
        return [told.status for told in self.told if isinstance(told, SessionRecord)]

    @property
    def outcomes(self) -> list[int]:
        return [told.utterance for told in self.told if isinstance(told, UtteranceFinalized | UtteranceFailed)]

    async def close(self, reason: EndReason = EndReason.COMPLETED) -> None:
        """Ends the session as the recorder and the feed do."""
        self.store.sessions["ses_1"] = replace(CLOSED, end_reason=reason)
        await self.happen(ended(reason))


@pytest.fixture
def balcony() -> Balcony:
    return Balcony()


async def test_first_comes_what_is_stored_then_what_is_said(balcony: Balcony) -> None:
    balcony.keep(0, 1)
    following = await balcony.follow()
    start = SpeechStarted(session_id="ses_1", at_s=0.0, utterance=2, start=0)
    await balcony.happen(start, partial(2), final(2), failed(3))
    await balcony.close()
    await following
    assert balcony.statuses == [SessionStatus.LISTENING, SessionStatus.CLOSED]
    assert balcony.told[3:7] == [start, partial(2), final(2), failed(3)]
    assert balcony.outcomes == [0, 1, 2, 3]
    stored = [told for told in balcony.told if isinstance(told, UtteranceFinalized) and told.durable]
    assert [told.utterance for told in stored] == [0, 1]


async def test_a_session_that_is_over_is_told_as_it_is_stored(balcony: Balcony) -> None:
    balcony.keep(0, 2)
    balcony.store.sessions["ses_1"] = CLOSED
    await (await balcony.follow())
    assert balcony.told[0] == CLOSED
    assert (balcony.statuses, balcony.outcomes) == ([SessionStatus.CLOSED], [0, 2])


async def test_a_follower_that_comes_back_is_told_what_it_has_not(balcony: Balcony) -> None:
    balcony.keep(0, 1, 2)
    following = await balcony.follow(first=2)
    await balcony.happen(partial(1), final(1), final(3))
    await balcony.close()
    await following
    assert balcony.outcomes == [2, 3]
    assert partial(1) not in balcony.told


async def test_what_the_feed_has_lost_is_fetched_from_the_store(balcony: Balcony) -> None:
    following = await balcony.follow()
    balcony.keep(0, 1, 3)
    await balcony.happen(final(2))
    assert balcony.outcomes == [0, 1, 2]
    await balcony.happen(final(4))
    assert balcony.outcomes == [0, 1, 2, 3, 4]
    await balcony.close()
    await following
    assert balcony.outcomes == [0, 1, 2, 3, 4]


async def test_what_is_stored_too_late_for_that_is_told_at_the_end(balcony: Balcony) -> None:
    following = await balcony.follow()
    await balcony.happen(final(2))
    balcony.keep(0, 1, 2)
    await balcony.close()
    await following
    assert balcony.outcomes == [2, 0, 1]


async def test_the_end_is_awaited_in_the_store_with_what_came_before_it(balcony: Balcony) -> None:
    following = await balcony.follow()

    def store_it() -> None:
        if balcony.slept == 3:
            balcony.keep(0)
            balcony.store.sessions["ses_1"] = CLOSED

    balcony.while_waiting = store_it
    await balcony.happen(ended())
    await following
    assert (balcony.slept, balcony.outcomes, balcony.statuses[-1]) == (3, [0], SessionStatus.CLOSED)


async def test_more_results_than_a_page_are_told_once_each(balcony: Balcony) -> None:
    balcony.keep(*range(450))
    following = await balcony.follow()
    balcony.keep(*range(450, 455))
    await balcony.happen(final(455))
    await balcony.close()
    await following
    assert balcony.outcomes == list(range(456))


async def test_a_session_that_can_be_resumed_is_followed_on(balcony: Balcony) -> None:
    following = await balcony.follow()
    resumable = replace(CLOSED, end_reason=EndReason.DISCONNECTED, resumable_until=START)
    balcony.store.sessions["ses_1"] = resumable
    await balcony.happen(ended(EndReason.DISCONNECTED))
    assert not following.done()
    balcony.store.sessions["ses_1"] = replace(LIVE, epoch=2)
    resumed = SessionResumed(
        session_id="ses_1",
        at_s=0.0,
        caller=LOCAL_CALLER,
        config=SessionConfig(),
        utterances=0,
        replay_from=0,
        epoch=2,
    )
    await balcony.happen(resumed, final(0), ended(EndReason.DISCONNECTED))  # the last one of whoever has lost it
    assert not following.done()
    await balcony.close()
    await following
    assert balcony.outcomes == [0]
    assert balcony.statuses == [
        SessionStatus.LISTENING,
        SessionStatus.CLOSED,
        SessionStatus.LISTENING,
        SessionStatus.CLOSED,
    ]


async def test_in_silence_the_store_is_asked_what_has_become_of_the_session(
    balcony: Balcony, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asr_service.app.services.session_following._SILENCE_S", 0.0)
    balcony.store.sessions["ses_1"] = replace(LIVE, node_id="nod_gone", resumable_until=START)
    following = await balcony.follow()
    balcony.store.sessions["ses_1"] = replace(LIVE, node_id="nod_gone")
    await following
    assert balcony.statuses == [SessionStatus.INTERRUPTED, SessionStatus.INTERRUPTED]


async def test_a_follower_that_is_too_slow_is_put_out(balcony: Balcony) -> None:
    following = await balcony.follow()
    for utterance in range(300):
        balcony.feed.tell(final(utterance))
    with pytest.raises(FollowerTooSlow):
        await following


async def test_no_more_than_so_many_follow_at_once(balcony: Balcony) -> None:
    followings = [await balcony.follow() for _ in range(2)]
    with pytest.raises(ServiceOverloaded):
        await (await balcony.follow())
    await balcony.close()
    await asyncio.gather(*followings)
    await (await balcony.follow())


async def test_followers_are_sent_away_when_the_server_stops(balcony: Balcony) -> None:
    following = await balcony.follow()
    assert balcony.following.followers == 1
    balcony.following.announce_stop(60.0)
    balcony.following.demand_last_words()
    with pytest.raises(ServerStopping):
        await following
    with pytest.raises(ServerStopping):
        await (await balcony.follow())
    assert balcony.following.followers == 0


@pytest.mark.parametrize(("caller", "session_id"), [(Caller("other"), "ses_1"), (LOCAL_CALLER, "ses_2")])
async def test_what_is_not_ones_own_cannot_be_followed(balcony: Balcony, caller: Caller, session_id: str) -> None:
    with pytest.raises(NotFound):
        await balcony.following.follow(caller, session_id, 0, balcony.tell)
    assert balcony.told == []
