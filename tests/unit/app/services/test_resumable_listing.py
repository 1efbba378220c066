"""Until when sessions can be resumed: asked of the journal for those that were broken off, and for no others."""

from dataclasses import replace

import pytest

from asr_service.app.services.resumable_listing import ResumableListing
from asr_service.domain.entities.recognition_result import RecognitionResult
from asr_service.domain.entities.session_record import SessionRecord
from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.caller import LOCAL_CALLER
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.domain.value_objects.session_status import EndReason, SessionStatus
from tests.fakes.clocks import START
from tests.fakes.repositories import InMemoryStore, InMemoryTranscriptReader
from tests.fakes.session_journal import EXPIRY, InMemorySessionJournal
from tests.fixtures.journaled_sessions import journaled

GONE = SessionRecord("ses_gone", LOCAL_CALLER.tenant, None, None, None, SessionStatus.LISTENING, START, node_id="nod_2")
RECORDS = (
    GONE,
    replace(GONE, session_id="ses_live", node_id="nod_1"),
    replace(GONE, session_id="ses_cut", status=SessionStatus.CLOSED, end_reason=EndReason.DISCONNECTED),
    replace(GONE, session_id="ses_over", status=SessionStatus.CLOSED, end_reason=EndReason.COMPLETED),
    replace(GONE, session_id="ses_expired"),
)


@pytest.fixture
def store() -> InMemoryStore:
    return InMemoryStore({record.session_id: record for record in RECORDS})


@pytest.fixture
def journal() -> InMemorySessionJournal:
    kept = ("ses_gone", "ses_live", "ses_cut", "ses_over")
    return InMemorySessionJournal({session_id: journaled(session_id) for session_id in kept})


@pytest.fixture
def listing(store: InMemoryStore, journal: InMemorySessionJournal) -> ResumableListing:
    return ResumableListing(InMemoryTranscriptReader(store, {"nod_1"}), journal)


async def test_what_was_broken_off_says_until_when_it_can_be_resumed(listing: ResumableListing) -> None:
    page = await listing.list_sessions(LOCAL_CALLER, status=None, cursor=None, limit=10)
    until = {record.session_id: record.resumable_until for record in page.items}
    assert until == {"ses_gone": EXPIRY, "ses_live": None, "ses_cut": EXPIRY, "ses_over": None, "ses_expired": None}
    for session_id, expiry in until.items():
        assert (await listing.get_session(LOCAL_CALLER, session_id)).resumable_until == expiry


async def test_pages_go_on_as_they_did(listing: ResumableListing) -> None:
    first = await listing.list_sessions(LOCAL_CALLER, status=SessionStatus.INTERRUPTED, cursor=None, limit=1)
    second = await listing.list_sessions(
        LOCAL_CALLER, status=SessionStatus.INTERRUPTED, cursor=first.next_cursor, limit=1
    )
    assert [record.session_id for page in (first, second) for record in page.items] == ["ses_gone", "ses_expired"]


async def test_a_journal_that_is_away_costs_nothing_else(
    listing: ResumableListing, journal: InMemorySessionJournal
) -> None:
    journal.available = False
    assert (await listing.get_session(LOCAL_CALLER, "ses_gone")).resumable_until is None


async def test_results_come_as_they_are(listing: ResumableListing, store: InMemoryStore) -> None:
    final = RecognitionResult("ses_gone", LOCAL_CALLER.tenant, 0, SampleSpan(0, 1), Hypothesis("go"), START)
    store.results["ses_gone", 0] = final
    page = await listing.list_results(LOCAL_CALLER, "ses_gone", cursor=None, limit=10)
    assert (list(page.items), page.next_cursor) == ([final], None)
