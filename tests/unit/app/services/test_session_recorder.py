"""What is kept of sessions: only what clients allow, each thing once, whatever the store is up to."""

import pytest

from asr_service.app.services.session_recorder import SessionRecorder
from asr_service.domain.entities.session_record import SessionRecord
from asr_service.domain.events.recognition_events import SpeechStarted, UtteranceFailed, UtteranceFinalized
from asr_service.domain.events.session_events import SessionEnded, SessionResumed, SessionStarted
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
    return SessionStarted(session_id=session_id, at_s=0.0, caller=CALLER, config=config)


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


def ended() -> SessionEnded:
    return SessionEnded(
        session_id="ses_1",
        at_s=2.0,
        reason=EndReason.COMPLETED,
        received_samples=32_000,
        decoded_samples=31_000,
        finalized_samples=30_000,
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


async def test_what_a_client_does_not_want_kept_is_not(recorder: SessionRecorder, store: InMemoryStore) -> None:
    for event in (started(SessionConfig(stored=False)), final(), ended()):
        await recorder.handle(event)
    assert (store.sessions, store.results) == ({}, {})


async def test_what_comes_after_the_end_is_not_kept(recorder: SessionRecorder, store: InMemoryStore) -> None:
    for event in (started(), ended(), final(), ended()):
        await recorder.handle(event)
    assert store.results == {}


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
    resumed = SessionResumed(
        session_id="ses_1",
        at_s=1.5,
        caller=CALLER,
        config=CONFIG,
        utterances=4,
        replay_from=64_000,
        outcomes=(final(), final(utterance=1), failed(utterance=2), final(utterance=3, text="")),
    )
    for event in (resumed, final(utterance=4), ended()):
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
