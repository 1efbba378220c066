"""What every event publisher promises, the fake included."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from asr_service.domain.events.session_events import SessionEnded, SessionEvent, SessionStarted
from asr_service.domain.ports.event_publisher import EventPublisher
from asr_service.domain.value_objects.asr_config import SessionConfig
from asr_service.domain.value_objects.caller import LOCAL_CALLER
from asr_service.domain.value_objects.session_status import EndReason
from asr_service.infrastructure.messaging.event_publisher import InProcessEventBus, Subscription
from tests.fakes.event_publishers import RecordingEventPublisher


@dataclass(frozen=True, slots=True)
class Publication:
    """A publisher, and what a subscriber of it has seen once all is delivered."""

    publisher: EventPublisher
    delivered: Callable[[], Awaitable[list[SessionEvent]]]


def the_fake() -> Publication:
    publisher = RecordingEventPublisher()

    async def delivered() -> list[SessionEvent]:
        return publisher.events

    return Publication(publisher, delivered)


def the_bus() -> Publication:
    seen: list[SessionEvent] = []

    async def keep(event: SessionEvent) -> None:
        seen.append(event)

    bus = InProcessEventBus([Subscription("keeper", keep)])

    async def delivered() -> list[SessionEvent]:
        await bus.start()
        await bus.close(deadline_s=5)
        return seen

    return Publication(bus, delivered)


def started(session_id: str) -> SessionStarted:
    return SessionStarted(session_id=session_id, at_s=1.0, caller=LOCAL_CALLER, config=SessionConfig())


def ended(session_id: str) -> SessionEnded:
    return SessionEnded(
        session_id=session_id,
        at_s=2.0,
        reason=EndReason.COMPLETED,
        received_samples=16_000,
        decoded_samples=16_000,
        finalized_samples=16_000,
    )


class EventPublisherContract:
    """The suite; a subclass provides ``publication``."""

    async def test_every_published_event_reaches_the_subscriber_unchanged(self, publication: Publication) -> None:
        events = [started("ses_a"), ended("ses_a")]
        for event in events:
            publication.publisher.publish(event)
        assert await publication.delivered() == events

    async def test_the_events_of_interleaved_sessions_keep_their_order(self, publication: Publication) -> None:
        sessions = [f"ses_{number}" for number in range(50)]
        for session_id in sessions:
            publication.publisher.publish(started(session_id))
        for session_id in reversed(sessions):
            publication.publisher.publish(ended(session_id))
        delivered = await publication.delivered()
        for session_id in sessions:
            assert [event for event in delivered if event.session_id == session_id] == [
                started(session_id),
                ended(session_id),
            ]

    async def test_publishing_returns_at_once_without_giving_way_to_other_tasks(self, publication: Publication) -> None:
        outcome = publication.publisher.publish(started("ses_a"))  # type: ignore[func-returns-value]
        assert outcome is None
        assert await publication.delivered() == [started("ses_a")]

    async def test_an_event_published_twice_is_delivered_twice(self, publication: Publication) -> None:
        publication.publisher.publish(started("ses_a"))
        publication.publisher.publish(started("ses_a"))
        assert await publication.delivered() == [started("ses_a"), started("ses_a")]


class TestEventPublishers(EventPublisherContract):
    @pytest.fixture(params=[the_fake, the_bus], ids=["recording fake", "in-process bus"])
    async def publication(self, request: pytest.FixtureRequest) -> AsyncIterator[Publication]:
        made: Publication = request.param()
        yield made
        await made.delivered()
