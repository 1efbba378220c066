"""What a dead server left in the journal is stored; what others are about to store is left to them."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from asr_service.app.services.journal_reconciliation import JournalReconciliation
from asr_service.domain.entities.session_record import SessionRecord
from asr_service.domain.events.session_events import SessionRecovered
from asr_service.domain.repositories.session_journal import JournaledSession
from asr_service.domain.value_objects.session_status import EndReason, SessionStatus
from tests.fakes.clocks import START, FakeClock
from tests.fakes.event_publishers import RecordingEventPublisher
from tests.fakes.repositories import InMemorySessionRepository, InMemoryStore
from tests.fakes.session_journal import InMemorySessionJournal
from tests.fixtures.journaled_sessions import ADA, CONFIG, checkpoint, ending, failure, final, journaled

RECORD = SessionRecord("ses_1", ADA.tenant, ADA.key_id, None, None, SessionStatus.LISTENING, START, node_id="nod_gone")
LEFT = replace(journaled(), outcomes=(final(0), failure(1)), checkpoint=checkpoint(2))
FINISHED = replace(LEFT, ending=ending())
CLOSED = replace(RECORD, status=SessionStatus.CLOSED, end_reason=EndReason.COMPLETED)


class House:
    """A journal, a store, and what is published between them."""

    def __init__(self) -> None:
        self.journal = InMemorySessionJournal()
        self.store = InMemoryStore()
        self.publisher = RecordingEventPublisher()
        self.reconciliation = JournalReconciliation(
            self.journal,
            InMemorySessionRepository(self.store),
            self.publisher,
            FakeClock(),
            lambda: {"nod_alive"},
        )

    async def recovered(self, session: JournaledSession, record: SessionRecord | None) -> list[SessionRecovered]:
        """What is published where these two are found."""
        self.journal.sessions_by_id["ses_1"] = session
        if record is not None:
            self.store.sessions["ses_1"] = record
        await self.reconciliation.run()
        return self.publisher.of_type(SessionRecovered)


@pytest.fixture
def house() -> House:
    return House()


@pytest.mark.parametrize(
    ("session", "record"),
    [
        (LEFT, None),
        (FINISHED, None),
        (LEFT, RECORD),
        (FINISHED, RECORD),
        (FINISHED, replace(RECORD, node_id="nod_alive")),
        (replace(FINISHED, epoch=2), CLOSED),
        (replace(LEFT, epoch=2), replace(CLOSED, end_reason=EndReason.DISCONNECTED)),
    ],
    ids=[
        "unknown",
        "unknown and finished",
        "its server is gone",
        "finished, and its server gone",
        "finished, and not stored yet",
        "closed before it was claimed",
        "broken off before it was claimed",
    ],
)
async def test_what_is_missing_is_published(
    house: House, session: JournaledSession, record: SessionRecord | None
) -> None:
    (event,) = await house.recovered(session, record)
    assert (event.caller, event.config, event.epoch) == (ADA, CONFIG, session.epoch)
    assert (event.outcomes, event.ending) == (session.outcomes, session.ending)


@pytest.mark.parametrize(
    ("session", "record"),
    [
        (LEFT, replace(RECORD, node_id="nod_alive")),
        (FINISHED, CLOSED),
        (LEFT, replace(CLOSED, end_reason=EndReason.DISCONNECTED)),
        (replace(LEFT, config=replace(CONFIG, stored=False)), None),
    ],
    ids=["its server is alive", "stored", "its client is gone", "not to be stored"],
)
async def test_what_is_stored_or_will_be_is_left_alone(
    house: House, session: JournaledSession, record: SessionRecord | None
) -> None:
    assert await house.recovered(session, record) == []


@pytest.mark.parametrize("away", ["journal", "store"])
async def test_a_store_that_is_away_ends_it_and_the_next_time_makes_up_for_it(house: House, away: str) -> None:
    house.journal.available = away != "journal"
    house.store.available = away != "store"
    with capture_logs() as logs:
        assert await house.recovered(LEFT, RECORD) == []
    assert [line["event"] for line in logs] == ["reconciliation_broken_off"]
    house.journal.available = house.store.available = True
    assert len(await house.recovered(LEFT, RECORD)) == 1
