"""Live sessions that a client can take up again: on this connection or another, on this server or another."""

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import replace

import structlog

from asr_service.app.services.audio_session_service import AudioSessionService, Deliver, LiveSession, cancelled
from asr_service.app.services.held_recognizer import HeldRecognizer
from asr_service.app.services.safekeeping import Safekeeping
from asr_service.app.services.session_keeper import JournalState, SessionKeeper
from asr_service.domain.events.session_events import ResumeOffer, SessionEnded, SessionResumed
from asr_service.domain.ports.audio_decoder import AudioDecoder, AudioStreamDecoder
from asr_service.domain.ports.recognizer import Recognizer
from asr_service.domain.repositories.session_journal import JournaledSession, SessionJournal, SessionTakenOver
from asr_service.domain.services.replay import audio_from_ms
from asr_service.domain.value_objects.asr_config import EndpointingPolicy, RecognitionOptions, SessionConfig
from asr_service.domain.value_objects.audio_metadata import BYTES_PER_SAMPLE, AudioFormat, samples_from_ms
from asr_service.domain.value_objects.caller import Caller
from asr_service.domain.value_objects.session_status import EndReason
from asr_service.shared.identifiers import new_id

log = structlog.get_logger(__name__)

_TOKEN_BYTES = 32
_HANDOVER_S = 5.0  # for the last holder of a session, in this process, to let go of it


class ResumableSessions:
    """Opens sessions that are kept in a journal, and takes them up again.

    Args:
        sessions: Opens them.
        decoder: Reads their audio.
        journal: Keeps them.
        expires_s: So long a session can be taken up after the last that was written of it.
        wait_s: A final waits so long for the journal before it is told without being stored.
        state: What is known of the journal.
    """

    def __init__(
        self,
        *,
        sessions: AudioSessionService,
        decoder: AudioDecoder,
        journal: SessionJournal,
        expires_s: float,
        wait_s: float,
        state: JournalState,
    ) -> None:
        self._sessions = sessions
        self._decoder = decoder
        self._journal = journal
        self._expires_s = expires_s
        self._wait_s = wait_s
        self._state = state
        self._holders: dict[str, LiveSession] = {}  # as many as there are live sessions

    def begin(
        self,
        caller: Caller,
        config: SessionConfig,
        audio_format: AudioFormat,
        deliver: Deliver,
        recognizer: Recognizer,
        session_id: str | None = None,
    ) -> LiveSession:
        """A new session; the caller runs it, and hands it to ``ended`` after that."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        session_id = session_id or new_id("ses")
        session = JournaledSession(session_id, caller, config, audio_format, self._sessions.beginning(config))
        safekeeping = Safekeeping(self._keeper(session, token, new=True))
        decoder = self._decoder.open_stream(audio_format)
        return self._held(self._sessions.open(caller, config, decoder, deliver, recognizer, safekeeping))

    async def resume(
        self, caller: Caller, token: str, told: int, deliver: Deliver, held: HeldRecognizer
    ) -> "LiveSession | FinishedSession":
        """Takes a session up; its last holder loses it. The caller runs it, as one from ``begin``.

        Args:
            caller: Must be of the tenant that began it, and have the same key.
            token: From the offer that its client was made.
            told: The client has the outcomes of so many utterances.
            deliver: Is told ``SessionResumed``, what it missed, and then what comes.
            held: Is exchanged for the recognizer that the session had; if there is none of that name any more, for the
                default, and the session's configuration tells.

        Raises:
            SessionNotResumable: There is no such session, or it is somebody else's.
            SessionCancelled: It was cancelled.
            CheckpointUnusable: What is kept of it does not fit this server.
            StorageUnavailable: The journal does not answer.
            AsrError: There is no recognizer; see ``RecognizerDirectory.lease``.
        """
        session = await self._journal.claim(token, caller)
        await self._take_from_holder(session.session_id)
        await held.choose_again(session.config.lineup)
        safekeeping = Safekeeping(self._keeper(session, token, new=False), told)
        if session.ending is not None:
            self._sessions.found(session)
            if session.ending.reason is EndReason.CANCELLED:
                raise cancelled()
            return FinishedSession(session, session.ending, safekeeping, deliver)
        decoder = _FromTheMiddle(self._decoder.open_stream(session.audio_format), session.checkpoint.replay_from)
        log.info("session_resumed", session_id=session.session_id, epoch=session.epoch)
        config = held.named_in(session.config)
        opened = self._sessions.open(session.caller, config, decoder, deliver, held.recognizer, safekeeping)
        return self._held(opened)

    def ended(self, session: "LiveSession | FinishedSession") -> None:
        """Forgets a session that has run to its end."""
        if self._holders.get(session.session_id) is session:
            del self._holders[session.session_id]

    def _held(self, session: LiveSession) -> LiveSession:
        self._holders[session.session_id] = session
        return session

    async def _take_from_holder(self, session_id: str) -> None:
        holder = self._holders.pop(session_id, None)
        if holder is not None:
            holder.abort(EndReason.DISCONNECTED, SessionTakenOver("Another connection goes on with this session."))
            with suppress(TimeoutError):  # it can write nothing any more, whatever holds it up
                async with asyncio.timeout(_HANDOVER_S):
                    await holder.over()

    def _keeper(self, session: JournaledSession, token: str, *, new: bool) -> SessionKeeper:
        return SessionKeeper(
            self._journal,
            session,
            token if new else None,
            offer=ResumeOffer(token, self._expires_s),
            wait_s=self._wait_s,
            state=self._state,
        )


class _FromTheMiddle:
    """A decoder of audio that comes from ``audio_from_ms`` on, of which only what lies from a sample on is wanted."""

    def __init__(self, decoder: AudioStreamDecoder, replay_from: int) -> None:
        self._decoder = decoder
        self._unwanted_bytes = (replay_from - samples_from_ms(audio_from_ms(replay_from))) * BYTES_PER_SAMPLE

    async def feed(self, data: bytes) -> bytes:
        return self._wanted(await self._decoder.feed(data))

    async def flush(self) -> AsyncGenerator[bytes, None]:
        async for block in self._decoder.flush():
            if wanted := self._wanted(block):
                yield wanted

    def _wanted(self, pcm: bytes) -> bytes:
        skipped = min(len(pcm), self._unwanted_bytes)
        self._unwanted_bytes -= skipped
        return pcm[skipped:]


class FinishedSession:
    """A session that came to its end before its client could be told all of it; it takes nothing more."""

    def __init__(
        self, session: JournaledSession, ending: SessionEnded, safekeeping: Safekeeping, deliver: Deliver
    ) -> None:
        self.session_id = session.session_id
        self._session = session
        self._ending = ending
        self._safekeeping = safekeeping
        self._deliver = deliver

    async def run(self) -> None:
        """Tells the client what it missed, and the end."""
        session, at_s = self._session, self._ending.at_s
        resumed = SessionResumed(
            session_id=session.session_id,
            at_s=at_s,
            caller=session.caller,
            config=replace(session.config, options=session.checkpoint.options),
            utterances=len(session.outcomes),
            replay_from=self._ending.received_samples,
            resume=self._safekeeping.keeper.offer,
        )
        for event in (resumed, *self._safekeeping.missed(len(session.outcomes), at_s), self._ending):
            await self._deliver(event)

    async def push_audio(self, data: bytes) -> None:
        """Drops it: all of it has been heard."""

    async def change_options(self, options: RecognitionOptions) -> None:
        """Does nothing: there is nothing left to recognize."""

    async def change_endpointing(self, policy: EndpointingPolicy) -> None:
        """Does nothing: every utterance has ended."""

    async def discard_audio(self) -> None:
        """Does nothing: there is none."""

    async def force_endpoint(self) -> None:
        """Does nothing: every utterance has ended."""

    async def end_input(self) -> None:
        """Does nothing: the input has ended."""

    def hand_over(self, deadline_s: float) -> None:
        """Does nothing: it ends by itself."""

    async def last_words(self) -> None:
        """Does nothing: they are being told."""

    def cancel(self) -> None:
        """Does nothing: it has ended."""

    def abort(self, reason: EndReason) -> None:
        """Does nothing: there is nothing to end."""
