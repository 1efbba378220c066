import asyncio
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from asr_service.domain.events.recognition_events import PartialRecognized, SpeechStarted, UtteranceFinalized
from asr_service.domain.events.session_events import (
    SessionEnded,
    SessionEvent,
    SessionRecovered,
    SessionResumed,
    SessionStarted,
)
from asr_service.domain.value_objects.asr_config import SessionConfig
from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.caller import LOCAL_CALLER
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.domain.value_objects.session_status import EndReason
from asr_service.infrastructure.messaging.event_publisher import InProcessEventBus, RetryPolicy, Subscription
from asr_service.shared.correlation import current_correlation
from asr_service.shared.errors import AsrError

SECRET_WORDS = "the patient is called Ada"


class StoreDown(AsrError):
    code = "storage_unavailable"


def speech(utterance: int) -> SpeechStarted:
    return SpeechStarted(session_id="ses_1", at_s=1.0, utterance=utterance, start=0)


def final(utterance: int) -> UtteranceFinalized:
    return UtteranceFinalized(
        session_id="ses_1",
        at_s=2.0,
        utterance=utterance,
        span=SampleSpan(0, 16_000),
        hypothesis=Hypothesis(text=SECRET_WORDS),
        endpoint_at_s=1.9,
    )


def partial() -> PartialRecognized:
    return PartialRecognized(
        session_id="ses_1",
        at_s=1.5,
        utterance=0,
        revision=1,
        span=SampleSpan(0, 8_000),
        stable=SECRET_WORDS,
        volatile="",
        language=None,
    )


class Listener:
    """Keeps what it handles; fails as often as it is told to, before that."""

    def __init__(self, *failures: BaseException) -> None:
        self.handled: list[SessionEvent] = []
        self.tries = 0
        self._failures = list(failures)

    async def handle(self, event: SessionEvent) -> None:
        self.tries += 1
        if self._failures:
            raise self._failures.pop(0)
        self.handled.append(event)


class Gate:
    """A listener that handles nothing before it is opened."""

    def __init__(self) -> None:
        self.handled: list[SessionEvent] = []
        self.entered = asyncio.Event()
        self.open = asyncio.Event()

    async def handle(self, event: SessionEvent) -> None:
        self.entered.set()
        await self.open.wait()
        self.handled.append(event)


class Waits:
    """Records how long the bus wanted to sleep, and does not."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)


async def delivered(bus: InProcessEventBus, *events: SessionEvent) -> None:
    for event in events:
        bus.publish(event)
    await bus.start()
    await bus.close(deadline_s=5)


def never_sleeps() -> Callable[[float], Awaitable[None]]:
    return Waits().sleep


async def test_each_subscriber_gets_every_event_in_order() -> None:
    first, second = Listener(), Listener()
    events = [speech(number) for number in range(20)]
    await delivered(InProcessEventBus([Subscription("a", first.handle), Subscription("b", second.handle)]), *events)
    assert first.handled == second.handled == events


async def test_a_subscriber_sees_only_the_kinds_of_events_it_asked_for() -> None:
    listener = Listener()
    bus = InProcessEventBus([Subscription("store", listener.handle, events=(UtteranceFinalized,), capacity=1)])
    await delivered(bus, partial(), partial(), final(0), partial())
    assert listener.handled == [final(0)]


UNSTORED = SessionConfig(stored=False)


def ended() -> SessionEnded:
    return SessionEnded(
        session_id="ses_1",
        at_s=3.0,
        reason=EndReason.COMPLETED,
        received_samples=0,
        decoded_samples=0,
        finalized_samples=0,
    )


@pytest.mark.parametrize(
    "beginning",
    [
        SessionStarted(session_id="ses_1", at_s=0.0, caller=LOCAL_CALLER, config=UNSTORED),
        SessionResumed(session_id="ses_1", at_s=0.0, caller=LOCAL_CALLER, config=UNSTORED, utterances=0, replay_from=0),
    ],
    ids=["started", "resumed"],
)
async def test_what_a_client_does_not_want_kept_is_not_told_to_those_who_keep_things(beginning: SessionEvent) -> None:
    keeper, counter = Listener(), Listener()
    bus = InProcessEventBus(
        [Subscription("keeper", keeper.handle, stored_only=True), Subscription("counter", counter.handle)]
    )
    events = [beginning, partial(), final(0), ended()]
    later = [SessionStarted(session_id="ses_1", at_s=4.0, caller=LOCAL_CALLER, config=SessionConfig()), final(1)]
    await delivered(bus, *events, *later)
    assert counter.handled == [*events, *later]
    assert keeper.handled == later


@pytest.mark.parametrize("stored", [True, False])
async def test_what_is_recovered_says_itself_whether_it_may_be_kept(stored: bool) -> None:
    keeper = Listener()
    event = SessionRecovered(
        session_id="ses_1",
        at_s=0.0,
        caller=LOCAL_CALLER,
        config=SessionConfig(stored=stored),
        outcomes=(final(0),),
        ending=None,
        epoch=2,
    )
    await delivered(InProcessEventBus([Subscription("keeper", keeper.handle, stored_only=True)]), event)
    assert keeper.handled == [event] * stored


async def test_two_subscribers_with_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="share a name"):
        InProcessEventBus([Subscription("a", Listener().handle), Subscription("a", Listener().handle)])


async def test_a_stuck_subscriber_does_not_hold_up_another() -> None:
    stuck, quick = Gate(), asyncio.Queue[SessionEvent]()
    bus = InProcessEventBus([Subscription("stuck", stuck.handle), Subscription("quick", quick.put)])
    await bus.start()
    bus.publish(speech(0))
    bus.publish(speech(1))
    assert [await quick.get(), await quick.get()] == [speech(0), speech(1)]
    assert stuck.handled == []
    stuck.open.set()
    await bus.close(deadline_s=5)
    assert stuck.handled == [speech(0), speech(1)]


async def test_a_full_queue_refuses_the_newest_event_and_counts_it() -> None:
    listener, dropped = Listener(), list[str]()
    bus = InProcessEventBus([Subscription("store", listener.handle, capacity=2)], on_dropped=dropped.append)
    await delivered(bus, speech(0), speech(1), speech(2), speech(3))
    assert listener.handled == [speech(0), speech(1)]
    assert dropped == ["store", "store"]


async def test_a_burst_of_refusals_is_logged_once_and_its_end_once() -> None:
    gate = Gate()
    bus = InProcessEventBus([Subscription("store", gate.handle, capacity=4)])
    await bus.start()
    with capture_logs() as logs:
        for number in range(10):
            bus.publish(speech(number))
        gate.open.set()
        await bus.close(deadline_s=5)
    assert [line["event"] for line in logs] == ["events_refused", "events_accepted_again"]
    assert logs[0]["subscriber"] == "store"
    assert logs[0]["session_id"] == "ses_1"
    assert logs[1]["refused"] == 6


async def test_queued_counts_what_waits_and_what_is_in_hand() -> None:
    gate = Gate()
    bus = InProcessEventBus([Subscription("store", gate.handle)])
    bus.publish(speech(0))
    bus.publish(speech(1))
    await bus.start()
    await gate.entered.wait()
    assert bus.queued("store") == 2
    gate.open.set()
    await bus.close(deadline_s=5)
    assert bus.queued("store") == 0


async def test_an_error_that_is_not_retryable_is_counted_and_the_next_event_is_handled() -> None:
    listener, failed = Listener(StoreDown("gone")), list[str]()
    bus = InProcessEventBus([Subscription("store", listener.handle)], on_failed=failed.append)
    with capture_logs() as logs:
        await delivered(bus, speech(0), speech(1))
    assert listener.handled == [speech(1)]
    assert failed == ["store"]
    assert [(line["event"], line["event_type"], line["error"]) for line in logs] == [
        ("event_failed", "SpeechStarted", "storage_unavailable")
    ]


async def test_an_unexpected_error_is_logged_with_its_place_but_without_its_message() -> None:
    listener = Listener(ValueError(f"cannot store {SECRET_WORDS}"))
    with capture_logs() as logs:
        await delivered(InProcessEventBus([Subscription("store", listener.handle)]), final(0))
    assert logs[0]["error"] == "ValueError"
    assert "in handle" in logs[0]["stack"]
    assert SECRET_WORDS not in str(logs)


async def test_a_retryable_error_is_tried_again_with_longer_and_longer_waits_up_to_the_cap() -> None:
    listener, waits = Listener(*[StoreDown("gone")] * 6), Waits()
    policy = RetryPolicy((StoreDown,), attempts=None, first_delay_s=0.1, max_delay_s=1.0)
    bus = InProcessEventBus([Subscription("store", listener.handle, retry=policy)], sleep=waits.sleep)
    await delivered(bus, speech(0), speech(1))
    assert listener.handled == [speech(0), speech(1)]
    assert waits.seconds == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.0, 1.0])


async def test_retrying_logs_its_start_and_its_end_only() -> None:
    listener = Listener(*[StoreDown("gone")] * 50)
    policy = RetryPolicy((StoreDown,), attempts=None)
    bus = InProcessEventBus([Subscription("store", listener.handle, retry=policy)], sleep=never_sleeps())
    with capture_logs() as logs:
        await delivered(bus, speech(0))
    assert [line["event"] for line in logs] == ["event_retried", "event_handled_after_retries"]
    assert logs[1]["attempts"] == 51


async def test_tries_are_bounded_when_the_policy_says_so() -> None:
    listener, failed = Listener(*[StoreDown("gone")] * 5), list[str]()
    policy = RetryPolicy((StoreDown,), attempts=3)
    bus = InProcessEventBus(
        [Subscription("store", listener.handle, retry=policy)], sleep=never_sleeps(), on_failed=failed.append
    )
    await delivered(bus, speech(0))
    assert (listener.tries, failed) == (3, ["store"])


async def test_an_endless_retry_never_overflows() -> None:
    assert RetryPolicy((StoreDown,), attempts=None, max_delay_s=30.0).delay_s(10_000) == 30.0


async def test_a_cancellation_inside_a_handler_does_not_end_the_subscriber() -> None:
    listener, failed = Listener(asyncio.CancelledError()), list[str]()
    bus = InProcessEventBus([Subscription("store", listener.handle)], on_failed=failed.append)
    await delivered(bus, speech(0), speech(1))
    assert listener.handled == [speech(1)]
    assert failed == ["store"]


async def test_a_handler_works_under_the_correlation_of_its_session() -> None:
    seen: list[dict[str, str]] = []

    async def note(event: SessionEvent) -> None:
        seen.append(current_correlation())

    await delivered(InProcessEventBus([Subscription("a", note)]), speech(0))
    assert seen == [{"session_id": "ses_1"}]


async def test_closing_past_the_deadline_counts_and_logs_what_is_left() -> None:
    gate, dropped = Gate(), list[str]()
    bus = InProcessEventBus([Subscription("store", gate.handle)], on_dropped=dropped.append)
    for number in range(3):
        bus.publish(speech(number))
    await bus.start()
    await gate.entered.wait()
    with capture_logs() as logs:
        await bus.close(deadline_s=0)
        await bus.close(deadline_s=0)
    assert dropped == ["store"] * 3
    assert [(line["event"], line["events"]) for line in logs] == [("events_undelivered", 3)]


async def test_a_bus_that_never_started_says_what_it_did_not_deliver() -> None:
    dropped: list[str] = []
    bus = InProcessEventBus([Subscription("store", Listener().handle)], on_dropped=dropped.append)
    bus.publish(speech(0))
    await bus.close(deadline_s=5)
    await bus.close(deadline_s=5)
    assert dropped == ["store"]


async def test_publishing_after_the_close_is_counted_and_does_not_raise() -> None:
    listener, dropped = Listener(), list[str]()
    bus = InProcessEventBus([Subscription("store", listener.handle)], on_dropped=dropped.append)
    await delivered(bus, speech(0))
    with capture_logs() as logs:
        bus.publish(speech(1))
    assert (listener.handled, dropped) == ([speech(0)], ["store"])
    assert logs[0]["reason"] == "closed"


async def test_starting_twice_delivers_once() -> None:
    listener = Listener()
    bus = InProcessEventBus([Subscription("store", listener.handle)])
    await bus.start()
    await delivered(bus, speech(0))
    assert listener.handled == [speech(0)]
