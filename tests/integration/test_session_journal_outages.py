"""Journals whose store, or whose own process, is killed: what was acknowledged is there, and the rest goes on."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from asr_service.domain.ports.storage import StorageUnavailable
from asr_service.domain.repositories.session_journal import SessionJournal
from asr_service.infrastructure.persistence.database import Database
from asr_service.infrastructure.persistence.redis_session_journal import RedisSessionJournal
from asr_service.infrastructure.persistence.redis_store import RedisStore
from asr_service.infrastructure.persistence.session_journal import SqlSessionJournal
from asr_service.shared.clock import SystemClock
from tests.fixtures.journaled_sessions import ADA, checkpoint, final, journaled
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.redis import RedisServer

ROOT = Path(__file__).resolve().parents[2]
EXPIRES_S = 600.0
PATIENCE_S = 2.0  # so long a frozen store is waited for
TOKEN = "a token"
ENOUGH = 30  # writes before somebody is killed

# The process that is killed: it says which utterance is stored, as soon as it is.
WRITER = """
import asyncio, sys
from asr_service.infrastructure.persistence.database import Database
from asr_service.infrastructure.persistence.session_journal import SqlSessionJournal
from asr_service.shared.clock import SystemClock
from tests.fixtures.journaled_sessions import checkpoint, final, journaled

async def write(url):
    database = Database(url)
    await database.migrate()
    await database.connect()
    journal = SqlSessionJournal(database, 600.0, SystemClock())
    await journal.begin(journaled(), "a token")
    for utterance in range(1_000_000):
        await journal.advance("ses_1", 1, [final(utterance)], checkpoint(utterance + 1))
        print(utterance, flush=True)

asyncio.run(write(sys.argv[1]))
"""


class Writer:
    """Writes one outcome after another, as long as the store takes them, and counts those that were acknowledged."""

    def __init__(self, journal: SessionJournal) -> None:
        self._journal = journal
        self.acknowledged = 0
        self.enough = asyncio.Event()

    async def write(self) -> None:
        while True:
            await self._journal.advance("ses_1", 1, [final(self.acknowledged)], checkpoint(self.acknowledged + 1))
            self.acknowledged += 1
            if self.acknowledged >= ENOUGH:
                self.enough.set()


@asynccontextmanager
async def redis_journal(url: str) -> AsyncIterator[SessionJournal]:
    store = RedisStore(url, timeout_s=PATIENCE_S)
    await store.connect()
    yield RedisSessionJournal(store, EXPIRES_S)
    await store.close()


@asynccontextmanager
async def sql_journal(url: str) -> AsyncIterator[SessionJournal]:
    database = Database(url, pool_size=2, timeout_s=PATIENCE_S)
    await database.migrate()
    await database.connect()
    yield SqlSessionJournal(database, EXPIRES_S, SystemClock())
    await database.close()


@pytest.fixture(params=["redis", "postgresql"])
async def killable(
    request: pytest.FixtureRequest,
) -> AsyncIterator[tuple[SessionJournal, RedisServer | PostgresServer]]:
    """A journal, and the server that it is kept in."""
    async with AsyncExitStack() as stack:
        if request.param == "redis":
            server, url = request.getfixturevalue("redis_server"), request.getfixturevalue("redis_url")
            yield await stack.enter_async_context(redis_journal(url)), server
        else:
            server, url = request.getfixturevalue("postgres_server"), request.getfixturevalue("postgres_url")
            # The fixture's server does not wait for the log to be written; an operator's does.
            server.query(f"alter database {url.rpartition('/')[2]} set synchronous_commit = on")
            yield await stack.enter_async_context(sql_journal(url)), server


async def test_what_a_killed_store_acknowledged_is_there_when_it_is_back(
    killable: tuple[SessionJournal, RedisServer | PostgresServer],
) -> None:
    journal, server = killable
    await journal.begin(journaled(), TOKEN)
    writer = Writer(journal)
    writing = asyncio.create_task(writer.write())
    await writer.enough.wait()
    await asyncio.to_thread(server.kill)
    try:
        with pytest.raises(StorageUnavailable):
            await writing
        with pytest.raises(StorageUnavailable):
            await journal.claim(TOKEN, ADA)
    finally:
        await asyncio.to_thread(server.start)
    session = await journal.claim(TOKEN, ADA)
    # The last write was under way; whether it took effect is unknown.
    assert len(session.outcomes) in (writer.acknowledged, writer.acknowledged + 1)
    assert session.checkpoint.utterances == len(session.outcomes)
    await journal.advance("ses_1", session.epoch, [final(len(session.outcomes))], None)


async def test_a_write_whose_answer_was_lost_can_be_repeated(
    killable: tuple[SessionJournal, RedisServer | PostgresServer],
) -> None:
    journal, server = killable
    await journal.begin(journaled(), TOKEN)
    server.freeze()
    try:
        writing = asyncio.create_task(journal.advance("ses_1", 1, [final(0)], checkpoint(1)))
        with pytest.raises(StorageUnavailable):
            await writing
    finally:
        server.thaw()
    for _ in range(2):
        await journal.advance("ses_1", 1, [final(0), final(1)], checkpoint(2))
    session = await journal.claim(TOKEN, ADA)
    assert session.outcomes == (final(0), final(1))
    assert session.checkpoint == checkpoint(2)


def killed_writer(url: str) -> int:
    """How many outcomes a process said that it had stored, which was killed while it went on."""
    command = [sys.executable, "-c", WRITER, url]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if len(said) == ENOUGH:
                process.kill()
    assert process.returncode == -signal.SIGKILL
    return len([line for line in said if line.endswith("\n")])


async def test_what_a_killed_process_wrote_to_sqlite_is_there(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/asr.db"
    acknowledged = await asyncio.to_thread(killed_writer, url)
    async with sql_journal(url) as journal:
        session = await journal.claim(TOKEN, ADA)
    assert acknowledged >= ENOUGH
    assert len(session.outcomes) in (acknowledged, acknowledged + 1)
    assert session.checkpoint.utterances == len(session.outcomes)
