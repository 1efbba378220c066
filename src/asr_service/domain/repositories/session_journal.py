"""What is kept of live sessions so that they outlive their connection and their server."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from asr_service.domain.events.recognition_events import UtteranceFailed, UtteranceFinalized
from asr_service.domain.events.session_events import SessionEnded
from asr_service.domain.value_objects.asr_config import SessionConfig
from asr_service.domain.value_objects.audio_metadata import AudioFormat
from asr_service.domain.value_objects.caller import Caller
from asr_service.domain.value_objects.session_checkpoint import SessionCheckpoint
from asr_service.shared.errors import AsrError, InvalidRequest

UtteranceOutcome: TypeAlias = UtteranceFinalized | UtteranceFailed


class SessionNotResumable(InvalidRequest):
    """There is no such session for this caller, not any more, or what is kept of it cannot be read.

    One error for all of it: whoever guesses tokens learns nothing.
    """

    code = "session_not_resumable"


class SessionTakenOver(AsrError):
    """Another connection goes on with the session; this one has lost it."""

    code = "session_taken_over"


@dataclass(frozen=True, slots=True)
class JournaledSession:
    """What the journal knows of a session.

    Attributes:
        config: As the session was started with; its options are those of the start.
        audio_format: Of the client's bytes.
        checkpoint: Where it can be taken up.
        outcomes: Of the utterances from 0, without gaps; at least those before the checkpoint. Their times are those of
            the process that had the session then.
        ending: The end of a session that came to its end.
        epoch: Grows with each claim, from 1. Who writes with an older one has lost the session.
    """

    session_id: str
    caller: Caller
    config: SessionConfig
    audio_format: AudioFormat
    checkpoint: SessionCheckpoint
    outcomes: tuple[UtteranceOutcome, ...] = ()
    ending: SessionEnded | None = None
    epoch: int = 1


class SessionJournal(Protocol):
    """Keeps each session for a time after the last write; whoever has its token may take it up until then.

    Writes are durable when they return, and harmless when they are repeated. All calls raise ``StorageUnavailable`` when the
    store does not answer; whether a write took effect is unknown then.
    """

    async def begin(self, session: JournaledSession, token: str) -> None:
        """Takes a new session into the journal. The token is stored as a digest only."""
        ...

    async def advance(
        self,
        session_id: str,
        epoch: int,
        outcomes: Sequence[UtteranceOutcome],
        checkpoint: SessionCheckpoint | None,
        ending: SessionEnded | None = None,
    ) -> None:
        """Adds outcomes, and sets the checkpoint and the ending if they are given, all or nothing.

        Of two outcomes for one utterance the first counts.

        Raises:
            SessionTakenOver: The epoch is not the newest, or the session has expired; nothing is written.
        """
        ...

    async def claim(self, token: str, caller: Caller) -> JournaledSession:
        """Takes a session over from whoever had it: gives it the next epoch, and another full time to live.

        Raises:
            SessionNotResumable: The token is wrong, expired, or of another tenant or key, or the entry cannot be read.
        """
        ...

    def sessions(self) -> AsyncIterator[JournaledSession]:
        """Every session that can be read, whoever's it is and in no order, without taking it from anybody.

        Those that begin or expire meanwhile may be missing; one that is written to meanwhile may have outcomes that are
        newer than the rest of it.
        """
        ...

    async def expiries(self, session_ids: Collection[str]) -> Mapping[str, datetime]:
        """Until when each of these sessions can be claimed, should nothing more be written; those that cannot are missing."""
        ...
