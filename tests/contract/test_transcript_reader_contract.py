"""What every transcript reader promises: the fake and SQLite here, PostgreSQL among the integration tests."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from asr_service.domain.entities.session_record import SessionRecord
from asr_service.domain.value_objects.caller import LOCAL_CALLER, Caller
from asr_service.domain.value_objects.session_status import SessionStatus
from asr_service.shared.errors import InvalidRequest, NotFound
from tests.contract.test_repositories_contract import NOON, Storage, final, listening, storage_in, storage_in_memory

SOMEBODY_ELSE = Caller(tenant="other")


async def save_sessions(storage: Storage, count: int) -> list[SessionRecord]:
    """Saves sessions a minute apart, in an order that is not theirs; returns them newest first."""
    records = [
        replace(listening(f"ses_{number:02}"), started_at=NOON + timedelta(minutes=number)) for number in range(count)
    ]
    for record in [*records[1::2], *records[0::2]]:
        await storage.sessions.save(record)
    return records[::-1]


async def session_ids(storage: Storage, *, limit: int = 100, status: SessionStatus | None = None) -> list[list[str]]:
    """The ids in a whole listing, page by page."""
    pages = []
    cursor: str | None = None
    while True:
        page = await storage.reader.list_sessions(LOCAL_CALLER, status=status, cursor=cursor, limit=limit)
        pages.append([record.session_id for record in page.items])
        cursor = page.next_cursor
        if cursor is None:
            return pages


class TranscriptReaderContract:
    """The suite; a subclass provides ``storage``, empty."""

    async def test_an_empty_listing_is_one_empty_page(self, storage: Storage) -> None:
        assert await session_ids(storage) == [[]]

    async def test_the_newest_sessions_come_first(self, storage: Storage) -> None:
        records = await save_sessions(storage, 5)
        page = await storage.reader.list_sessions(LOCAL_CALLER, status=None, cursor=None, limit=10)
        assert list(page.items) == records
        assert page.next_cursor is None

    @pytest.mark.parametrize(
        ("limit", "sizes"), [(1, [1] * 6), (2, [2, 2, 2]), (4, [4, 2]), (5, [5, 1]), (6, [6]), (7, [6])]
    )
    async def test_pages_join_to_the_whole_listing(self, storage: Storage, limit: int, sizes: list[int]) -> None:
        records = await save_sessions(storage, 6)
        pages = await session_ids(storage, limit=limit)
        assert [len(page) for page in pages] == sizes
        assert [session_id for page in pages for session_id in page] == [record.session_id for record in records]

    async def test_sessions_of_the_same_instant_are_listed_once_each_by_descending_id(self, storage: Storage) -> None:
        ids = ["ses_b", "ses_A", "ses_1", "ses_a0", "ses-a1", "ses_é", "ses_中"]
        for session_id in ids:
            await storage.sessions.save(listening(session_id))
        pages = await session_ids(storage, limit=2)
        assert [session_id for page in pages for session_id in page] == sorted(ids, reverse=True)

    async def test_instants_are_told_apart_to_the_microsecond(self, storage: Storage) -> None:
        for number, microseconds in enumerate([0, 999_999, 1, 500_000]):
            instant = NOON.replace(microsecond=microseconds)
            await storage.sessions.save(replace(listening(f"ses_{number}"), started_at=instant))
        assert await session_ids(storage, limit=1) == [["ses_1"], ["ses_3"], ["ses_2"], ["ses_0"]]

    async def test_what_is_stored_meanwhile_shifts_no_page(self, storage: Storage) -> None:
        await save_sessions(storage, 4)
        first = await storage.reader.list_sessions(LOCAL_CALLER, status=None, cursor=None, limit=2)
        await storage.sessions.save(replace(listening("ses_new"), started_at=NOON + timedelta(days=1)))
        second = await storage.reader.list_sessions(LOCAL_CALLER, status=None, cursor=first.next_cursor, limit=2)
        assert [record.session_id for record in second.items] == ["ses_01", "ses_00"]

    async def test_a_status_selects_and_pages_on(self, storage: Storage) -> None:
        for record in await save_sessions(storage, 6):
            if int(record.session_id[-1]) % 2:
                await storage.sessions.save(replace(record, status=SessionStatus.CLOSED))
        closed = await session_ids(storage, limit=2, status=SessionStatus.CLOSED)
        assert closed == [["ses_05", "ses_03"], ["ses_01"]]
        assert await session_ids(storage, status=SessionStatus.DRAINING) == [[]]

    async def test_a_session_whose_server_is_gone_is_interrupted(self, storage: Storage) -> None:
        for node_id in ("nod_alive", "nod_gone", None):
            await storage.sessions.save(replace(listening(f"ses_{node_id}"), node_id=node_id))
        await storage.sessions.save(replace(listening("ses_over"), status=SessionStatus.CLOSED, node_id="nod_gone"))
        reader = storage.reader_knowing({"nod_alive", "nod_other"})
        page = await reader.list_sessions(LOCAL_CALLER, status=None, cursor=None, limit=10)
        seen = {record.session_id: record.status for record in page.items}
        assert seen == {
            "ses_nod_alive": SessionStatus.LISTENING,
            "ses_nod_gone": SessionStatus.INTERRUPTED,
            "ses_None": SessionStatus.INTERRUPTED,
            "ses_over": SessionStatus.CLOSED,
        }
        for session_id, status in seen.items():
            assert (await reader.get_session(LOCAL_CALLER, session_id)).status is status
        for status in SessionStatus:
            page = await reader.list_sessions(LOCAL_CALLER, status=status, cursor=None, limit=10)
            assert {record.session_id for record in page.items} == {key for key in seen if seen[key] is status}

    async def test_where_nobody_is_alive_every_open_session_is_interrupted(self, storage: Storage) -> None:
        await storage.sessions.save(replace(listening(), node_id="nod_gone"))
        reader = storage.reader_knowing(())
        page = await reader.list_sessions(LOCAL_CALLER, status=SessionStatus.INTERRUPTED, cursor=None, limit=10)
        assert [record.status for record in page.items] == [SessionStatus.INTERRUPTED]

    async def test_finals_come_in_the_order_of_utterances_whatever_order_they_were_stored_in(
        self, storage: Storage
    ) -> None:
        await storage.sessions.save(listening())
        for utterance in (10, 2, 0, 100, 9):
            await storage.results.add(final(utterance=utterance))
        utterances: list[list[int]] = []
        cursor: str | None = None
        while not utterances or cursor is not None:
            page = await storage.reader.list_results(LOCAL_CALLER, "ses_1", cursor=cursor, limit=2)
            utterances.append([result.utterance for result in page.items])
            cursor = page.next_cursor
        assert utterances == [[0, 2], [9, 10], [100]]

    async def test_a_session_without_finals_has_an_empty_page(self, storage: Storage) -> None:
        await storage.sessions.save(listening())
        page = await storage.reader.list_results(LOCAL_CALLER, "ses_1", cursor=None, limit=10)
        assert (list(page.items), page.next_cursor) == ([], None)

    @pytest.mark.parametrize("session_id", ["ses_2", "", "SES_1", "ses_1 ", "ses_%", "ses_1\x00", "\ud800"])
    async def test_a_session_that_was_never_stored_is_not_found(self, storage: Storage, session_id: str) -> None:
        await storage.sessions.save(listening())
        with pytest.raises(NotFound):
            await storage.reader.get_session(LOCAL_CALLER, session_id)
        with pytest.raises(NotFound):
            await storage.reader.list_results(LOCAL_CALLER, session_id, cursor=None, limit=10)

    async def test_what_belongs_to_another_tenant_does_not_exist(self, storage: Storage) -> None:
        await storage.sessions.save(listening())
        await storage.results.add(final())
        page = await storage.reader.list_sessions(SOMEBODY_ELSE, status=None, cursor=None, limit=10)
        assert list(page.items) == []
        with pytest.raises(NotFound):
            await storage.reader.get_session(SOMEBODY_ELSE, "ses_1")
        with pytest.raises(NotFound):
            await storage.reader.list_results(SOMEBODY_ELSE, "ses_1", cursor=None, limit=10)

    async def test_a_final_of_another_tenant_does_not_show_in_ones_own_session(self, storage: Storage) -> None:
        await storage.sessions.save(listening())
        await storage.results.add(final(tenant=SOMEBODY_ELSE.tenant))
        page = await storage.reader.list_results(LOCAL_CALLER, "ses_1", cursor=None, limit=10)
        assert list(page.items) == []

    @pytest.mark.parametrize("cursor", ["", "x", "ses_01", "bnVsbA", "W10", "=", "ü", "\x00", "\ud800", "A" * 10_000])
    async def test_a_cursor_that_nobody_gave_out_is_refused_by_name(self, storage: Storage, cursor: str) -> None:
        await save_sessions(storage, 3)
        with pytest.raises(InvalidRequest) as sessions_refusal:
            await storage.reader.list_sessions(LOCAL_CALLER, status=None, cursor=cursor, limit=2)
        with pytest.raises(InvalidRequest) as results_refusal:
            await storage.reader.list_results(LOCAL_CALLER, "ses_01", cursor=cursor, limit=2)
        assert sessions_refusal.value.field == results_refusal.value.field == "cursor"

    async def test_a_cursor_of_another_listing_is_refused(self, storage: Storage) -> None:
        for session_id in ("ses_1", "ses_2"):
            await storage.sessions.save(listening(session_id))
            for utterance in range(3):
                await storage.results.add(final(session_id, utterance))
        sessions = await storage.reader.list_sessions(LOCAL_CALLER, status=None, cursor=None, limit=1)
        results = await storage.reader.list_results(LOCAL_CALLER, "ses_1", cursor=None, limit=1)
        with pytest.raises(InvalidRequest):
            await storage.reader.list_results(LOCAL_CALLER, "ses_1", cursor=sessions.next_cursor, limit=1)
        with pytest.raises(InvalidRequest):
            await storage.reader.list_results(LOCAL_CALLER, "ses_2", cursor=results.next_cursor, limit=1)
        with pytest.raises(InvalidRequest):
            await storage.reader.list_sessions(LOCAL_CALLER, status=None, cursor=results.next_cursor, limit=1)


class TestInMemoryTranscriptReader(TranscriptReaderContract):
    @pytest.fixture
    def storage(self) -> Storage:
        return storage_in_memory()


class TestSqliteTranscriptReader(TranscriptReaderContract):
    @pytest.fixture
    async def storage(self, tmp_path: Path) -> AsyncIterator[Storage]:
        async for storage in storage_in(f"sqlite:///{tmp_path}/asr.db"):
            yield storage
