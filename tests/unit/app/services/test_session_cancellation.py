"""Cancelling a session reaches the server that has it, or says why not."""

from dataclasses import dataclass, field, replace

import pytest

from asr_service.app.services.session_cancellation import NodeUnreachable, SessionCancellation, SessionNotLive
from asr_service.domain.entities.session_record import SessionRecord
from asr_service.domain.value_objects.caller import LOCAL_CALLER, Caller
from asr_service.domain.value_objects.session_status import SessionStatus
from asr_service.shared.errors import NotFound
from tests.fakes.clocks import START
from tests.fakes.repositories import InMemoryStore, InMemoryTranscriptReader

RECORD = SessionRecord("ses_1", LOCAL_CALLER.tenant, None, None, None, SessionStatus.LISTENING, START, node_id="nod_1")


@dataclass
class ScriptedLink:
    """Implements ``NodeLink``: notes what it is asked for; ``hears`` says whether anybody does."""

    hears: bool = True
    asked: list[str] = field(default_factory=list)

    async def cancel(self, session_id: str) -> bool:
        self.asked.append(session_id)
        return self.hears


class Switchboard:
    """A cancellation with everything around it."""

    def __init__(self) -> None:
        self.store = InMemoryStore({"ses_1": RECORD})
        self.link = ScriptedLink()
        self.here: set[str] = {"ses_1"}
        self.cancelled: list[str] = []
        reader = InMemoryTranscriptReader(self.store, {"nod_1", "nod_2"})
        self.cancellation = SessionCancellation(reader, "nod_1", self._cancel, self.link)

    def _cancel(self, session_id: str) -> bool:
        self.cancelled.append(session_id)
        return session_id in self.here


@pytest.fixture
def board() -> Switchboard:
    return Switchboard()


async def test_a_session_of_this_server_is_cancelled_here(board: Switchboard) -> None:
    assert await board.cancellation.cancel(LOCAL_CALLER, "ses_1") == RECORD
    assert (board.cancelled, board.link.asked) == (["ses_1"], [])


async def test_a_session_of_another_server_is_cancelled_there(board: Switchboard) -> None:
    board.store.sessions["ses_1"] = replace(RECORD, node_id="nod_2")
    board.here.clear()
    await board.cancellation.cancel(LOCAL_CALLER, "ses_1")
    assert board.link.asked == ["ses_1"]


async def test_a_session_that_has_moved_lately_is_cancelled_where_it_is(board: Switchboard) -> None:
    board.here.clear()
    await board.cancellation.cancel(LOCAL_CALLER, "ses_1")
    assert board.link.asked == ["ses_1"]
    board.here.add("ses_1")
    board.store.sessions["ses_1"] = replace(RECORD, node_id="nod_2")
    await board.cancellation.cancel(LOCAL_CALLER, "ses_1")
    assert board.link.asked == ["ses_1"]


async def test_a_server_that_does_not_hear_is_unreachable(board: Switchboard) -> None:
    board.store.sessions["ses_1"] = replace(RECORD, node_id="nod_2")
    board.link.hears = False
    board.here.clear()
    with pytest.raises(NodeUnreachable) as failure:
        await board.cancellation.cancel(LOCAL_CALLER, "ses_1")
    assert failure.value.retry_after_s is not None


@pytest.mark.parametrize(
    "record",
    [
        replace(RECORD, status=SessionStatus.CLOSED),
        replace(RECORD, node_id="nod_gone"),
        replace(RECORD, node_id=None),
    ],
    ids=["closed", "interrupted", "nobody knows who has it"],
)
async def test_what_nobody_has_cannot_be_cancelled(board: Switchboard, record: SessionRecord) -> None:
    board.store.sessions["ses_1"] = record
    board.here.clear()
    with pytest.raises(SessionNotLive):
        await board.cancellation.cancel(LOCAL_CALLER, "ses_1")
    assert board.link.asked == []


async def test_whoever_has_a_session_cancels_it_whatever_is_stored(board: Switchboard) -> None:
    board.store.sessions["ses_1"] = replace(RECORD, status=SessionStatus.CLOSED)
    await board.cancellation.cancel(LOCAL_CALLER, "ses_1")
    assert board.cancelled == ["ses_1"]


async def test_a_session_that_has_ended_just_now_is_not_live(board: Switchboard) -> None:
    board.here.clear()
    board.link.hears = False
    with pytest.raises(SessionNotLive):
        await board.cancellation.cancel(LOCAL_CALLER, "ses_1")


@pytest.mark.parametrize(("caller", "session_id"), [(Caller("other"), "ses_1"), (LOCAL_CALLER, "ses_2")])
async def test_what_is_not_ones_own_does_not_exist(board: Switchboard, caller: Caller, session_id: str) -> None:
    with pytest.raises(NotFound):
        await board.cancellation.cancel(caller, session_id)
    assert board.cancelled == []
