"""What is kept of sessions: only what clients allow, each thing once, whatever the store is up to."""

from datetime import timedelta
from itertools import permutations

import pytest

from asr_service.app.services.session_recorder import SessionNotRecorded, SessionRecorder
from asr_service.domain.entities.session_record import SessionRecord
from asr_service.domain.events.recognition_events import SpeechStarted, UtteranceFailed, UtteranceFinalized
from asr_service.domain.events.session_events import (
    SessionEnded,
    SessionEvent,
    SessionRecovered,
    SessionResumed,
    SessionStarted,
)
from asr_service.domain.ports.storage import StorageUnavailable
from asr_service.domain.value_objects.asr_config import RecognitionOptions, SessionConfig
from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.caller import Caller
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.domain.value_objects.session_status import EndReason, SessionStatus
from tests.fakes.clocks import START, FakeClock
from tests.fakes.repositories import InMemoryResultRepository, InMemorySessionRepository, InMemoryStore

CALLER = Caller(tenant="acme", key_id="key_1")
CONFIG = SessionConfig(name="talk", options=RecognitionOptions(language="zh"))


@pytest.fixture
def store() -> InMemoryStore:
    return InMemoryStore()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def recorder(store: InMemoryStore, clock: FakeClock) -> SessionRecorder:
    return SessionRecorder(InMemorySessionRepository(store), InMemoryResultRepository(store), clock)


def started(config: SessionConfig = CONFIG, session_id: str = "ses_1") -> SessionStarted:
    return SessionStarted(session_id=session_id, at_s=0.0, caller=CALLER, config=config, node_id="nod_1")


def final(utterance: int = 0, text: str = "你好") -> UtteranceFinalized:
    return UtteranceFinalized(
        session_id="ses_1",
        at_s=1.0,
        utterance=utterance,
        span=SampleSpan(0, 16_000),
        hypothesis=Hypothesis(text),
        endpoint_at_s=0.9,
    )


def failed(utterance: int) -> UtteranceFailed:
    return UtteranceFailed(
        session_id="ses_1",
        at_s=1.0,
        utterance=utterance,
        span=SampleSpan(0, 16_000),
        code="worker_crashed",
        message="The worker crashed.",
    )


def ended(epoch: int = 1, reason: EndReason = EndReason.COMPLETED) -> SessionEnded:
    return SessionEnded(
        session_id="ses_1",
        at_s=2.0,
        reason=reason,
        received_samples=32_000,
        decoded_samples=31_000,
        finalized_samples=30_000,
        epoch=epoch,
    )


def resumed(epoch: int = 2, outcomes: tuple[SessionEvent, ...] = ()) -> SessionResumed:
    return SessionResumed(
        session_id="ses_1",
        at_s=1.5,
        caller=CALLER,
        config=CONFIG,
        utterances=len(outcomes),
        replay_from=64_000,
        outcomes=outcomes,
        epoch=epoch,
        node_id=f"nod_{epoch}",
    )


def recovered(
    epoch: int = 1, outcomes: tuple[SessionEvent, ...] = (), ending: SessionEnded | None = None
) -> SessionRecovered:
    return SessionRecovered(
        session_id="ses_1", at_s=9.0, caller=CALLER, config=CONFIG, outcomes=outcomes, ending=ending, epoch=epoch
    )


async def test_a_session_is_kept_from_its_start(recorder: SessionRecorder, store: InMemoryStore) -> None:
    await recorder.handle(started())
    assert store.sessions["ses_1"] == SessionRecord(
        session_id="ses_1",
        tenant="acme",
        key_id="key_1",
        name="talk",
        language="zh",
        status=SessionStatus.LISTENING,
        started_at=START,
        node_id="nod_1",
    )


async def test_its_finals_are_kept_for_its_tenant(recorder: SessionRecorder, store: InMemoryStore) -> None:
    await recorder.handle(started())
    await recorder.handle(SpeechStarted(session_id="ses_1", at_s=0.0, utterance=0, start=0))
    await recorder.handle(final())
    (result,) = store.results.values()
    assert (result.tenant, result.utterance, result.hypothesis.text) == ("acme", 0, "你好")


async def test_a_final_without_words_is_not_kept(recorder: SessionRecorder, store: InMemoryStore) -> None:
    await recorder.handle(started())
    await recorder.handle(final(text=""))
    assert store.results == {}


async def test_the_end_says_how_far_it_got(recorder: SessionRecorder, store: InMemoryStore, clock: FakeClock) -> None:
    await recorder.handle(started())
    clock.advance(2.0)
    await recorder.handle(ended())
    record = store.sessions["ses_1"]
    assert (record.status, record.end_reason) == (SessionStatus.CLOSED, EndReason.COMPLETED)
    assert record.ended_at is not None
    assert (record.ended_at - record.started_at).total_seconds() == 2.0
    assert (record.received_samples, record.decoded_samples, record.finalized_samples) == (32_000, 31_000, 30_000)


@pytest.mark.parametrize("event", [final(), ended()], ids=["final", "end"])
async def test_what_is_told_of_a_session_without_a_beginning_is_refused(
    recorder: SessionRecorder, store: InMemoryStore, event: SessionEvent
) -> None:
    with pytest.raises(SessionNotRecorded):
        await recorder.handle(event)
    assert (store.sessions, store.results) == ({}, {})


async def test_a_final_that_comes_after_the_end_is_kept(recorder: SessionRecorder, store: InMemoryStore) -> None:
    for event in (started(), ended(), final()):
        await recorder.handle(event)
    assert list(store.results) == [("ses_1", 0)]
    assert store.sessions["ses_1"].status is SessionStatus.CLOSED


async def test_what_waited_for_the_store_is_dated_when_it_happened(
    recorder: SessionRecorder, store: InMemoryStore, clock: FakeClock
) -> None:
    clock.advance(3_600.0)
    for event in (started(), final(), ended()):
        await recorder.handle(event)
    record = store.sessions["ses_1"]
    assert (record.started_at, record.ended_at) == (START, START + timedelta(seconds=2))
    assert store.results["ses_1", 0].created_at == START + timedelta(seconds=1)


LIFE: tuple[SessionEvent, ...] = (
    started(),
    final(),
    ended(reason=EndReason.DISCONNECTED),
    resumed(2, (final(),)),
    final(utterance=1),
    ended(epoch=2),
)
"""A session whose connection broke, and which another server brought to its end."""


async def lived(recorder: SessionRecorder, events: tuple[SessionEvent, ...]) -> None:
    """Delivers events, each again at the end as long as it is refused."""
    waiting = list(events)
    while waiting:
        refused = []
        for event in waiting:
            try:
                await recorder.handle(event)
            except SessionNotRecorded:
                refused.append(event)
        assert len(refused) < len(waiting)
        waiting = refused


async def test_telling_everything_twice_keeps_it_once(recorder: SessionRecorder, store: InMemoryStore) -> None:
    await lived(recorder, LIFE)
    once = (dict(store.sessions), dict(store.results))
    await lived(recorder, LIFE)
    assert (store.sessions, store.results) == once
    for event in LIFE:
        await recorder.handle(event)
        await recorder.handle(event)
    assert (store.sessions, store.results) == once


async def test_the_order_of_telling_makes_no_difference(store: InMemoryStore, clock: FakeClock) -> None:
    for order in permutations(LIFE):
        store.sessions.clear()
        store.results.clear()
        recorder = SessionRecorder(InMemorySessionRepository(store), InMemoryResultRepository(store), clock)
        await lived(recorder, order)
        record = store.sessions["ses_1"]
        assert (record.status, record.end_reason) == (SessionStatus.CLOSED, EndReason.COMPLETED)
        assert (record.epoch, record.received_samples) == (2, 32_000)
        assert sorted(store.results) == [("ses_1", 0), ("ses_1", 1)]


async def test_another_server_goes_on_where_one_has_stopped(
    recorder: SessionRecorder, store: InMemoryStore, clock: FakeClock
) -> None:
    other = SessionRecorder(InMemorySessionRepository(store), InMemoryResultRepository(store), clock)
    for number, event in enumerate(LIFE):
        await (recorder, other)[number % 2].handle(event)
    assert sorted(store.results) == [("ses_1", 0), ("ses_1", 1)]
    assert store.sessions["ses_1"].status is SessionStatus.CLOSED


async def test_whoever_has_lost_a_session_does_not_close_it(recorder: SessionRecorder, store: InMemoryStore) -> None:
    for event in (started(), resumed(2), ended(reason=EndReason.DISCONNECTED)):
        await recorder.handle(event)
    record = store.sessions["ses_1"]
    assert (record.status, record.node_id, record.epoch) == (SessionStatus.LISTENING, "nod_2", 2)


# --- what the journal has of sessions whose server did not come to tell it


async def test_a_session_that_is_found_in_the_journal_is_stored_with_its_finals(
    recorder: SessionRecorder, store: InMemoryStore
) -> None:
    await recorder.handle(recovered(3, (final(), failed(1), final(2)), ended()))
    record = store.sessions["ses_1"]
    assert (record.status, record.end_reason, record.epoch) == (SessionStatus.CLOSED, EndReason.COMPLETED, 3)
    assert sorted(store.results) == [("ses_1", 0), ("ses_1", 2)]


async def test_what_is_missing_is_added_and_what_is_there_stays(
    recorder: SessionRecorder, store: InMemoryStore
) -> None:
    for event in (started(), final(), recovered(1, (final(0, "other"), final(1)), ended())):
        await recorder.handle(event)
    assert {place: result.hypothesis.text for place, result in store.results.items()} == {
        ("ses_1", 0): "你好",
        ("ses_1", 1): "你好",
    }
    assert store.sessions["ses_1"].status is SessionStatus.CLOSED


async def test_a_session_that_is_found_unfinished_stays_open_and_has_no_server(
    recorder: SessionRecorder, store: InMemoryStore
) -> None:
    for event in (started(), ended(reason=EndReason.DISCONNECTED), recovered(2, (final(),))):
        await recorder.handle(event)
    record = store.sessions["ses_1"]
    assert (record.status, record.node_id, record.ended_at) == (SessionStatus.LISTENING, None, None)


@pytest.mark.parametrize("beginning", [started(), resumed(1)], ids=["start", "resumption"])
async def test_the_server_of_a_session_that_was_found_too_early_says_so(
    recorder: SessionRecorder, store: InMemoryStore, beginning: SessionEvent
) -> None:
    for event in (recovered(), beginning):
        await recorder.handle(event)
    assert store.sessions["ses_1"].node_id == "nod_1"


async def test_what_is_found_again_after_the_end_changes_nothing(
    recorder: SessionRecorder, store: InMemoryStore
) -> None:
    for event in (started(), final(), ended()):
        await recorder.handle(event)
    before = dict(store.sessions)
    await recorder.handle(recovered(1, (final(),), ended()))
    assert store.sessions == before


async def test_telling_an_event_twice_keeps_it_once(recorder: SessionRecorder, store: InMemoryStore) -> None:
    for event in (started(), started(), final(), final(), final(utterance=1), ended()):
        await recorder.handle(event)
    assert len(store.sessions) == 1
    assert sorted(store.results) == [("ses_1", 0), ("ses_1", 1)]


async def test_finals_that_a_killed_server_did_not_store_are_stored_on_resumption(
    recorder: SessionRecorder, store: InMemoryStore
) -> None:
    await recorder.handle(started())
    await recorder.handle(final())
    outcomes = (final(), final(utterance=1), failed(utterance=2), final(utterance=3, text=""))
    for event in (resumed(2, outcomes), final(utterance=4), ended(epoch=2)):
        await recorder.handle(event)
    assert sorted(store.results) == [("ses_1", 0), ("ses_1", 1), ("ses_1", 4)]


async def test_a_store_that_comes_back_has_lost_nothing(recorder: SessionRecorder, store: InMemoryStore) -> None:
    for event in (started(), final(), ended()):
        store.available = False
        with pytest.raises(StorageUnavailable):
            await recorder.handle(event)
        store.available = True
        await recorder.handle(event)
    assert store.sessions["ses_1"].status is SessionStatus.CLOSED
    assert len(store.results) == 1
