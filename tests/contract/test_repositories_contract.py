"""What every pair of repositories promises: the fakes and SQLite here, PostgreSQL among the integration tests."""

from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import pytest

from asr_service.domain.entities.recognition_result import RecognitionResult
from asr_service.domain.entities.session_record import SessionRecord
from asr_service.domain.ports.transcript_reader import TranscriptReader
from asr_service.domain.repositories.result_repository import ResultRepository
from asr_service.domain.repositories.session_repository import SessionRepository
from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.caller import LOCAL_CALLER, Caller
from asr_service.domain.value_objects.hypothesis import SILENCE, Hypothesis, Timing, Word
from asr_service.domain.value_objects.session_status import EndReason, SessionStatus
from asr_service.infrastructure.persistence.database import Database
from asr_service.infrastructure.persistence.result_repository import SqlResultRepository
from asr_service.infrastructure.persistence.session_repository import SqlSessionRepository
from asr_service.infrastructure.persistence.transcript_reader import SqlTranscriptReader
from tests.fakes.repositories import (
    InMemoryResultRepository,
    InMemorySessionRepository,
    InMemoryStore,
    InMemoryTranscriptReader,
)

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
A_WEEK_SAMPLES = 7 * 24 * 3600 * 16_000


@dataclass(frozen=True)
class Storage:
    """The two repositories, and the reader through which their effect is seen.

    Attributes:
        reader_knowing: One that knows which nodes are alive.
    """

    sessions: SessionRepository
    results: ResultRepository
    reader: TranscriptReader
    reader_knowing: Callable[[Collection[str]], TranscriptReader]

    async def finals(self, session_id: str) -> list[RecognitionResult]:
        page = await self.reader.list_results(LOCAL_CALLER, session_id, cursor=None, limit=100)
        return list(page.items)


def storage_in_memory() -> Storage:
    store = InMemoryStore()
    return Storage(
        InMemorySessionRepository(store),
        InMemoryResultRepository(store),
        InMemoryTranscriptReader(store),
        lambda alive: InMemoryTranscriptReader(store, alive),
    )


async def storage_in(url: str) -> AsyncIterator[Storage]:
    """The SQL adapters on a database that is empty so far; closed at the end."""
    database = Database(url)
    await database.migrate()
    await database.connect()
    yield Storage(
        SqlSessionRepository(database),
        SqlResultRepository(database),
        SqlTranscriptReader(database),
        partial(_sql_reader_knowing, database),
    )
    await database.close()


def _sql_reader_knowing(database: Database, alive: Collection[str]) -> SqlTranscriptReader:
    async def look() -> Collection[str]:
        return alive

    return SqlTranscriptReader(database, look)


def listening(session_id: str = "ses_1", *, tenant: str = LOCAL_CALLER.tenant) -> SessionRecord:
    return SessionRecord(session_id, tenant, None, None, None, SessionStatus.LISTENING, NOON)


def final(
    session_id: str = "ses_1",
    utterance: int = 0,
    *,
    hypothesis: Hypothesis = SILENCE,
    tenant: str = LOCAL_CALLER.tenant,
    created_at: datetime = NOON,
) -> RecognitionResult:
    return RecognitionResult(session_id, tenant, utterance, SampleSpan(0, 16_000), hypothesis, created_at)


class RepositoriesContract:
    """The suite; a subclass provides ``storage``, empty."""

    async def test_a_saved_session_is_read_back_as_it_was(self, storage: Storage) -> None:
        record = SessionRecord(
            session_id="ses_1",
            tenant=LOCAL_CALLER.tenant,
            key_id="key_1",
            name="周会 “Q1” 🎙 <b>",
            language="zh",
            status=SessionStatus.CLOSED,
            started_at=NOON,
            ended_at=NOON + timedelta(hours=2),
            end_reason=EndReason.TIMED_OUT,
            received_samples=A_WEEK_SAMPLES,
            decoded_samples=A_WEEK_SAMPLES - 1,
            finalized_samples=A_WEEK_SAMPLES - 2,
        )
        await storage.sessions.save(record)
        assert await storage.reader.get_session(LOCAL_CALLER, "ses_1") == record

    async def test_what_is_unknown_of_a_session_stays_none(self, storage: Storage) -> None:
        await storage.sessions.save(listening())
        assert await storage.reader.get_session(LOCAL_CALLER, "ses_1") == listening()

    @pytest.mark.parametrize("status", SessionStatus)
    async def test_every_status_is_kept(self, storage: Storage, status: SessionStatus) -> None:
        await storage.sessions.save(replace(listening(), status=status))
        assert (await storage.reader.get_session(LOCAL_CALLER, "ses_1")).status is status

    @pytest.mark.parametrize("reason", EndReason)
    async def test_every_end_reason_is_kept(self, storage: Storage, reason: EndReason) -> None:
        await storage.sessions.save(replace(listening(), end_reason=reason))
        assert (await storage.reader.get_session(LOCAL_CALLER, "ses_1")).end_reason is reason

    async def test_saving_again_replaces_every_field_but_the_id(self, storage: Storage) -> None:
        await storage.sessions.save(replace(listening(), name="before", language="en", key_id="key_1"))
        later = SessionRecord(
            "ses_1",
            LOCAL_CALLER.tenant,
            "key_2",
            None,
            "zh",
            SessionStatus.CLOSED,
            NOON + timedelta(seconds=1),
            NOON + timedelta(seconds=9),
            EndReason.COMPLETED,
            30,
            20,
            10,
        )
        await storage.sessions.save(later)
        page = await storage.reader.list_sessions(LOCAL_CALLER, status=None, cursor=None, limit=10)
        assert list(page.items) == [later]

    async def test_a_record_of_an_older_epoch_replaces_nothing(self, storage: Storage) -> None:
        newer = replace(listening(), node_id="nod_2", epoch=2)
        await storage.sessions.save(newer)
        await storage.sessions.save(replace(listening(), status=SessionStatus.CLOSED, node_id="nod_1", epoch=1))
        assert await storage.reader.get_session(LOCAL_CALLER, "ses_1") == newer
        await storage.sessions.save(replace(newer, status=SessionStatus.CLOSED))
        assert (await storage.reader.get_session(LOCAL_CALLER, "ses_1")).status is SessionStatus.CLOSED

    async def test_instants_come_back_in_utc_to_the_microsecond(self, storage: Storage) -> None:
        in_shanghai = NOON.astimezone(timezone(timedelta(hours=8)))
        await storage.sessions.save(replace(listening(), started_at=in_shanghai))
        await storage.results.add(final(created_at=in_shanghai))
        record = await storage.reader.get_session(LOCAL_CALLER, "ses_1")
        [result] = await storage.finals("ses_1")
        assert record.started_at == result.created_at == NOON
        assert record.started_at.utcoffset() is not None
        assert result.created_at.utcoffset() is not None

    async def test_a_final_is_read_back_with_its_words_and_probabilities(self, storage: Storage) -> None:
        words = (
            Word("It's", SampleSpan(A_WEEK_SAMPLES, A_WEEK_SAMPLES + 8_000), 0.1 + 0.2),
            Word("“五”。", SampleSpan(A_WEEK_SAMPLES + 8_000, A_WEEK_SAMPLES + 8_000)),
        )
        hypothesis = Hypothesis("It's “五”。\n\\", words, Timing.ALIGNED, "zh", 1.0, -0.123456789012345, 1e-300, 2.4)
        result = replace(final(hypothesis=hypothesis), span=SampleSpan(A_WEEK_SAMPLES, A_WEEK_SAMPLES + 16_000))
        await storage.sessions.save(listening())
        await storage.results.add(result)
        assert await storage.finals("ses_1") == [result]

    async def test_what_is_unknown_of_a_final_stays_none_and_no_words_stay_no_words(self, storage: Storage) -> None:
        await storage.sessions.save(listening())
        await storage.results.add(final(hypothesis=SILENCE))
        [result] = await storage.finals("ses_1")
        assert result.hypothesis == SILENCE

    async def test_zero_is_not_taken_for_unknown(self, storage: Storage) -> None:
        hypothesis = Hypothesis("a", (Word("a", SampleSpan(0, 0), 0.0),), Timing.ALIGNED, "en", 0.0, 0.0, 0.0, 0.0)
        await storage.sessions.save(listening())
        await storage.results.add(final(hypothesis=hypothesis))
        [result] = await storage.finals("ses_1")
        assert result.hypothesis == hypothesis

    async def test_adding_a_final_again_changes_nothing(self, storage: Storage) -> None:
        await storage.sessions.save(listening())
        await storage.results.add(final(hypothesis=Hypothesis("first")))
        await storage.results.add(final(hypothesis=Hypothesis("first")))
        await storage.results.add(final(hypothesis=Hypothesis("second"), tenant="other"))
        assert await storage.finals("ses_1") == [final(hypothesis=Hypothesis("first"))]

    async def test_the_same_utterance_of_two_sessions_is_two_finals(self, storage: Storage) -> None:
        for session_id in ("ses_1", "ses_2"):
            await storage.sessions.save(listening(session_id))
            await storage.results.add(final(session_id, hypothesis=Hypothesis(session_id)))
        assert await storage.finals("ses_1") == [final("ses_1", hypothesis=Hypothesis("ses_1"))]
        assert await storage.finals("ses_2") == [final("ses_2", hypothesis=Hypothesis("ses_2"))]

    async def test_a_final_that_comes_before_its_session_is_kept(self, storage: Storage) -> None:
        await storage.results.add(final())
        await storage.sessions.save(listening())
        assert await storage.finals("ses_1") == [final()]

    async def test_saving_a_session_again_keeps_its_finals(self, storage: Storage) -> None:
        await storage.sessions.save(listening())
        await storage.results.add(final())
        await storage.sessions.save(replace(listening(), status=SessionStatus.CLOSED))
        assert await storage.finals("ses_1") == [final()]

    @pytest.mark.parametrize("strange", ["\x00", "\ud800", "\U0010ffff", "' OR 1=1 --", "%_\\", "x" * 100_000])
    async def test_a_strange_label_or_word_costs_nothing_else(self, storage: Storage, strange: str) -> None:
        text = f"label {strange}"
        await storage.sessions.save(replace(listening(), name=text))
        await storage.results.add(final(hypothesis=Hypothesis(text, (Word(text, SampleSpan(0, 9)),), Timing.ALIGNED)))
        name = (await storage.reader.get_session(LOCAL_CALLER, "ses_1")).name
        [result] = await storage.finals("ses_1")
        assert name is not None
        assert name.startswith("label ")
        assert result.hypothesis.text == name
        assert result.hypothesis.words[0].text == name

    async def test_a_tenant_of_any_name_is_kept_apart(self, storage: Storage) -> None:
        for number, tenant in enumerate(["a", "A", "a ", "甲"]):
            await storage.sessions.save(listening(f"ses_{number}", tenant=tenant))
        page = await storage.reader.list_sessions(Caller(tenant="a"), status=None, cursor=None, limit=10)
        assert [record.session_id for record in page.items] == ["ses_0"]


class TestInMemoryRepositories(RepositoriesContract):
    @pytest.fixture
    def storage(self) -> Storage:
        return storage_in_memory()


class TestSqliteRepositories(RepositoriesContract):
    @pytest.fixture
    async def storage(self, tmp_path: Path) -> AsyncIterator[Storage]:
        async for storage in storage_in(f"sqlite:///{tmp_path}/asr.db"):
            yield storage
