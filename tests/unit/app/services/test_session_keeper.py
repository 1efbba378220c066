"""What a session keeper does when the journal is away, and when it is back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from asr_service.app.services import session_keeper
from asr_service.app.services.session_keeper import JournalState, SessionKeeper
from asr_service.domain.events.session_events import ResumeOffer
from tests.fakes.session_journal import InMemorySessionJournal
from tests.fixtures.journaled_sessions import final, journaled
from tests.fixtures.tidiness import everybody_waits

pytestmark = pytest.mark.usefixtures("tidy")

NEVER_S = 3_600.0
NewKeeper = Callable[[str], SessionKeeper]


@pytest.fixture
def journal() -> InMemorySessionJournal:
    return InMemorySessionJournal()


@pytest.fixture
def writes() -> list[str]:
    """How each write went, of all sessions."""
    return []


@pytest.fixture
async def keeper(journal: InMemorySessionJournal, writes: list[str]) -> AsyncIterator[NewKeeper]:
    """Begins to keep a new session; all sessions share what they know of the journal."""
    state = JournalState(on_write=writes.append)
    async with AsyncExitStack() as stack:

        def begin(session_id: str) -> SessionKeeper:
            offer = ResumeOffer(f"token of {session_id}", NEVER_S)
            made = SessionKeeper(journal, journaled(session_id), offer.token, offer=offer, wait_s=2, state=state)
            stack.push_async_callback(made.close)
            made.start(lambda _checkpoint: None, lambda _error: None)
            return made

        yield begin


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No keeper tries again by itself."""
    monkeypatch.setattr(session_keeper, "_FIRST_PAUSE_S", NEVER_S)
    monkeypatch.setattr(session_keeper, "_LEAST_PAUSE_S", 0.0)


def put_final(keeper: SessionKeeper, utterance: int) -> None:
    keeper.put([final(utterance, session_id=keeper.session.session_id)], None, None)


@pytest.mark.usefixtures("patient")
async def test_finals_are_durable_again_as_soon_as_another_session_finds_the_journal_back(
    journal: InMemorySessionJournal, keeper: NewKeeper
) -> None:
    journal.available = False
    waiting = keeper("ses_waiting")
    await everybody_waits()
    put_final(waiting, 0)
    assert not await waiting.written()
    journal.available = True
    await everybody_waits()
    assert "ses_waiting" not in journal.sessions_by_id, "nobody has told it yet"

    assert await _put_and_written(keeper("ses_other"))
    assert await waiting.written()
    assert len(journal.sessions_by_id["ses_waiting"].outcomes) == 1


@pytest.mark.usefixtures("patient")
async def test_a_journal_that_goes_away_again_is_waited_for_again(
    journal: InMemorySessionJournal, keeper: NewKeeper
) -> None:
    for outage in range(2):
        journal.available = False
        waiting = keeper(f"ses_waiting_{outage}")
        await everybody_waits()
        assert not await waiting.written()
        journal.available = True
        assert await _put_and_written(keeper(f"ses_other_{outage}"))
        assert await waiting.written()


async def test_a_session_that_fails_alone_is_not_tried_as_often_as_others_write(
    journal: InMemorySessionJournal, keeper: NewKeeper, writes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_keeper, "_FIRST_PAUSE_S", NEVER_S)
    monkeypatch.setattr(session_keeper, "_LEAST_PAUSE_S", NEVER_S)
    journal.available = False
    keeper("ses_alone")
    await everybody_waits()
    journal.available = True
    other = keeper("ses_other")
    for utterance in range(20):
        put_final(other, utterance)
        await everybody_waits()

    assert "ses_alone" not in journal.sessions_by_id
    assert (writes.count("failed"), writes.count("done")) == (1, 21)


async def test_a_session_that_is_alone_finds_out_by_itself(
    journal: InMemorySessionJournal, keeper: NewKeeper, writes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_keeper, "_FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(session_keeper, "_LEAST_PAUSE_S", 0.001)
    journal.available = False
    alone = keeper("ses_alone")
    put_final(alone, 0)
    await _until(lambda: writes.count("failed") == 3)
    journal.available = True
    await _until(lambda: "done" in writes)
    assert await alone.written()
    assert len(journal.sessions_by_id["ses_alone"].outcomes) == 1


async def _put_and_written(keeper: SessionKeeper) -> bool:
    """Whether a final of a session is written; the journal is known to be back then."""
    put_final(keeper, 0)
    await everybody_waits()
    return await keeper.written()


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while True:
            await asyncio.sleep(0)
            if condition():
                return
