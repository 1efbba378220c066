"""Ends a live session from outside, whichever server has it."""

from collections.abc import Callable

import structlog

from asr_service.domain.entities.session_record import SessionRecord
from asr_service.domain.ports.node_link import NodeLink
from asr_service.domain.ports.transcript_reader import TranscriptReader
from asr_service.domain.value_objects.caller import Caller
from asr_service.domain.value_objects.session_status import SessionStatus
from asr_service.shared.errors import AsrError

log = structlog.get_logger(__name__)


class SessionNotLive(AsrError):
    """Nobody has the session, so there is nothing to cancel."""

    code = "session_not_live"


class NodeUnreachable(AsrError):
    """The server that has the session cannot be told anything from here."""

    code = "node_unreachable"


class SessionCancellation:
    """Cancels sessions.

    Args:
        transcripts: Knows which server has a session.
        node_id: This one.
        cancel_here: Cancels a session of this server; returns whether it had it.
        link: The way to the others.
    """

    def __init__(
        self, transcripts: TranscriptReader, node_id: str, cancel_here: Callable[[str], bool], link: NodeLink
    ) -> None:
        self._transcripts = transcripts
        self._node_id = node_id
        self._cancel_here = cancel_here
        self._link = link

    async def cancel(self, caller: Caller, session_id: str) -> SessionRecord:
        """Has the server of a session end it; returns what is known of the session, which may not have ended yet.

        Raises:
            NotFound: There is no such session for this caller.
            SessionNotLive: It is over, or nobody has it.
            NodeUnreachable: The server that has it does not listen to this one.
            StorageUnavailable: What the servers share does not answer.
        """
        record = await self._transcripts.get_session(caller, session_id)
        if not self._cancel_here(session_id):  # whatever is stored of it: that may lag behind
            await self._cancel_elsewhere(record)
        log.info("session_cancelled", session_id=session_id, node_id=record.node_id)
        return record

    async def _cancel_elsewhere(self, record: SessionRecord) -> None:
        if record.status in (SessionStatus.CLOSED, SessionStatus.INTERRUPTED) or record.node_id is None:
            raise _not_live()
        # All are told, since a session may have moved to another server, and that not be stored yet.
        if not await self._link.cancel(record.session_id):
            if record.node_id == self._node_id:
                raise _not_live()  # it ended just now, and that is not stored yet
            raise NodeUnreachable(
                "The server that has this session cannot be reached from here.",
                hint="Try again; servers reach each other through the Redis that ASR_EVENTS__URL names.",
                retry_after_s=2.0,
            )


def _not_live() -> SessionNotLive:
    return SessionNotLive("Nobody speaks in this session.", hint="Only a session that is listening can be cancelled.")
