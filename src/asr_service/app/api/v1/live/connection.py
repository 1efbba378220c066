"""One connection: the only place where a transport, a codec and a session meet."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from asr_service.app.api.errors import NORMAL_CLOSURE, SERVICE_RESTART, meaning_of
from asr_service.app.api.v1.live.flow import FlowHints
from asr_service.app.api.v1.live.outbox import ClientGone, ClientIdle, ClientTooSlow, Outbox
from asr_service.app.api.v1.websocket.protocols.codec import (
    AudioData,
    ChangeEndpointing,
    ChangeOptions,
    ClientMessage,
    Codec,
    DiscardAudio,
    EndInput,
    ForceEndpoint,
    Frame,
    GiveUp,
    Refuse,
    Reply,
    ResumeSession,
    SelectModel,
    StartSession,
)
from asr_service.app.dto.model_names import not_found
from asr_service.app.services.audio_session_service import AudioSessionService, LiveSession
from asr_service.app.services.held_recognizer import HeldRecognizer
from asr_service.app.services.resumable_sessions import FinishedSession, ResumableSessions
from asr_service.domain.events.recognition_events import PartialRecognized
from asr_service.domain.events.session_events import (
    FlowChanged,
    SessionEnded,
    SessionEvent,
    SessionResumed,
    SessionStarted,
)
from asr_service.domain.ports.audio_decoder import AudioDecoder
from asr_service.domain.ports.recognizer_directory import LineupUnknown
from asr_service.domain.repositories.session_journal import SessionNotResumable
from asr_service.domain.services.replay import is_replayable
from asr_service.domain.value_objects.caller import Caller
from asr_service.domain.value_objects.session_status import EndReason
from asr_service.shared.errors import AsrError
from asr_service.shared.identifiers import new_id

log = structlog.get_logger(__name__)

_OUTBOX_FRAMES = 256


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How long a connection is waited for.

    Attributes:
        idle_timeout_s: Without any frame from the client for so long, the connection is closed.
        send_timeout_s: A frame that the client does not take within this time closes the connection.
    """

    idle_timeout_s: float = 120.0
    send_timeout_s: float = 30.0


class Transport(Protocol):
    """What carries the frames of one connection."""

    async def accept(self) -> None:
        """Lets the client in; called once, before anything is received or sent."""
        ...

    async def refuse(self, error: AsrError) -> None:
        """Tells the client why it is not let in, and closes; called in the place of ``accept``."""
        ...

    async def receive(self, idle_timeout_s: float) -> Frame | None:
        """The next frame; ``None`` when the client has gone.

        Raises:
            ClientIdle: No frame came within the timeout.
            MalformedMessage: What came cannot be taken apart into frames, nor can what follows.
        """
        ...

    async def send(self, frame: Frame) -> None:
        """Returns when there is room for more on the way to the client.

        Raises:
            ClientGone: Nothing can be sent any more.
        """
        ...

    async def close(self, close_code: int) -> None:
        """Closes the connection, if the client has not; the code is a WebSocket's."""
        ...


class Connection:
    """One client that was let in: a receiving task, a sending task, and the task of the session that is in progress."""

    def __init__(
        self,
        transport: Transport,
        codec: Codec,
        caller: Caller,
        held: HeldRecognizer,
        session_id: str,
        *,
        sessions: AudioSessionService,
        decoder: AudioDecoder,
        limits: ConnectionLimits,
        resumable: ResumableSessions | None,
    ) -> None:
        self._transport = transport
        self._codec = codec
        self._caller = caller
        self._held = held
        self._session_id: str | None = session_id  # of the first session
        self._sessions = sessions
        self._decoder = decoder
        self._limits = limits
        self._resumable = resumable
        self._outbox = Outbox(transport.send, capacity=_OUTBOX_FRAMES, send_timeout_s=limits.send_timeout_s)
        self._live: LiveSession | FinishedSession | None = None
        self._exchange: asyncio.Task[None] | None = None
        self._flow: FlowHints | None = None  # from the first to the last word of a session
        self._answers_due = False  # the client has ended its input, and waits
        self._stopping = False  # the server is, or the recognizer
        self._last_words: asyncio.Task[None] | None = None
        self._over: asyncio.Future[int] = asyncio.get_running_loop().create_future()  # the close code

    async def run(self) -> int:
        """Serves until the client goes, the last exchange is over, or something fails; returns the close code."""
        self._held.tell_retired(self._let_go)
        sending = asyncio.create_task(self._outbox.run())
        receiving = asyncio.create_task(self._receive())
        try:
            endings: set[asyncio.Future[Any]] = {sending, receiving, self._over}
            await asyncio.wait(endings, return_when=asyncio.FIRST_COMPLETED)
            close_code = await self._conclude(sending, receiving)
        finally:
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)
            await self._end_exchange(EndReason.DISCONNECTED)
            self._outbox.close()
            await asyncio.gather(sending, return_exceptions=True)
        with suppress(TimeoutError):  # the client reads nothing, not even that it is over
            async with asyncio.timeout(self._limits.send_timeout_s):
                await self._transport.close(close_code)
        return close_code

    def announce_stop(self, deadline_s: float) -> None:
        """Tells the client that the server will stop; a connection without a session is closed."""
        if self._live is not None:
            self._live.hand_over(deadline_s)
        self._let_go()

    def _let_go(self) -> None:
        """Closes the connection as soon as there is no session on it: its client connects anew, and finds what is new."""
        self._stopping = True
        if self._live is None and (self._exchange is None or self._exchange.done()):
            self._close(SERVICE_RESTART)

    def cancel(self, session_id: str) -> bool:
        """Has the session come to its end for good, if it is this one's; returns whether it is."""
        if self._live is None or self._live.session_id != session_id:
            return False
        self._live.cancel()
        return True

    def demand_last_words(self) -> None:
        """Has the session come to its end."""
        if self._live is not None:
            self._last_words = asyncio.create_task(self._live.last_words())

    def _close(self, close_code: int) -> None:
        if not self._over.done():
            self._over.set_result(close_code)

    async def _conclude(self, sending: asyncio.Task[None], receiving: asyncio.Task[None]) -> int:
        """What ended the connection, as a close code; tells the client, if it is a failure that it can be told of."""
        if self._over.done():
            return self._over.result()
        failure = (receiving if receiving.done() else sending).exception()
        if failure is None or isinstance(failure, ClientGone):
            return NORMAL_CLOSURE  # the client closed; nobody is there to read a code
        if not isinstance(failure, AsrError):
            log.error("connection_crashed", protocol=self._codec.name, exc_info=failure)
            failure = AsrError("The server failed unexpectedly.")
        return await self._fail(failure)

    async def _fail(self, error: AsrError) -> int:
        with suppress(ClientTooSlow, ClientGone):
            await self._outbox.put(self._codec.encode_error(error, fatal=True))
        log.info("connection_failed", protocol=self._codec.name, code=error.code, reason=error.message)
        return meaning_of(error).close_code

    # --- from the client

    async def _receive(self) -> None:
        await self._outbox.put(self._codec.greet())
        while (frame := await self._next_frame()) is not None:
            for message in self._codec.decode(frame):
                await self._obey(message)

    async def _next_frame(self) -> Frame | None:
        """The next frame; a client that is owed answers need not say anything."""
        while True:
            try:
                return await self._transport.receive(self._limits.idle_timeout_s)
            except ClientIdle:
                if not self._answers_due:
                    raise

    async def _obey(self, message: ClientMessage) -> None:
        match message:
            case Reply(frames):
                await self._outbox.put(frames)
            case Refuse(error):
                log.info("message_refused", protocol=self._codec.name, code=error.code)
                await self._outbox.put(self._codec.encode_error(error, fatal=False))
            case GiveUp(error):
                raise error
            case SelectModel():
                await self._select(message)
            case StartSession():
                await self._start(message)
            case ResumeSession():
                await self._resume(message)
            case _:
                await self._tell_session(message)

    async def _select(self, message: SelectModel) -> None:
        if self._exchange is not None:
            await asyncio.wait([self._exchange])  # the last session keeps its recognizer to its end
        try:
            capabilities = await self._held.choose(message.name)
        except AsrError as error:
            unknown = isinstance(error, LineupUnknown)
            await self._obey(Refuse(not_found(message.name, field=message.where) if unknown else error))
            return
        for meant in message.go_on(capabilities):
            await self._obey(meant)

    async def _start(self, message: StartSession) -> None:
        if self._exchange is not None:
            await asyncio.wait([self._exchange])  # of a reusable connection: the last exchange finishes first
        config, recognizer = self._held.named_in(message.config), self._held.recognizer
        audio_format = message.audio_format
        session_id, self._session_id = self._session_id or new_id("ses"), None
        if self._resumable is not None and message.resumable and is_replayable(audio_format):
            begin = self._resumable.begin
            self._run(begin(self._caller, config, audio_format, self._deliver, recognizer, session_id))
        else:
            decoder = self._decoder.open_stream(audio_format)
            open_session = self._sessions.open
            self._run(open_session(self._caller, config, decoder, self._deliver, recognizer, session_id=session_id))

    async def _resume(self, message: ResumeSession) -> None:
        if self._resumable is None:
            raise SessionNotResumable("This server keeps no sessions that could be resumed.")
        live = await self._resumable.resume(self._caller, message.token, message.told, self._deliver, self._held)
        message.go_on(self._held.capabilities, self._held.substituted)
        self._run(live)

    def _run(self, live: LiveSession | FinishedSession) -> None:
        self._live = live
        self._exchange = asyncio.create_task(self._run_exchange(live))

    async def _tell_session(self, message: ClientMessage) -> None:
        if self._live is None:
            return  # the session has ended, or failed, while this was under way
        match message:
            case AudioData(data):
                await self._push_audio(self._live, data)
            case ChangeOptions(options):
                await self._live.change_options(options)
            case ChangeEndpointing(endpointing):
                await self._live.change_endpointing(endpointing)
            case DiscardAudio():
                await self._live.discard_audio()
            case ForceEndpoint():
                await self._live.force_endpoint()
            case EndInput():
                self._answers_due = True
                await self._live.end_input()

    async def _push_audio(self, live: LiveSession | FinishedSession, data: bytes) -> None:
        now_s = asyncio.get_running_loop().time
        came_at_s = now_s()
        await live.push_audio(data)
        if self._flow is not None and not self._outbox.congested:  # else the session's own task tells
            self._flow.frame_waited(now_s() - came_at_s)
            await self._tell_flow(live.session_id, self._flow)

    async def _tell_flow(self, session_id: str, flow: FlowHints) -> None:
        now_s = asyncio.get_running_loop().time()
        if (state := flow.due(now_s)) is not None:
            waiting_ms = round(flow.waited_s * 1_000)
            hint = FlowChanged(session_id=session_id, at_s=now_s, state=state, waiting_ms=waiting_ms)
            await self._outbox.put(self._codec.encode(hint))

    # --- the session in progress

    async def _run_exchange(self, live: LiveSession | FinishedSession) -> None:
        close_code = NORMAL_CLOSURE
        try:
            await live.run()
        except (ClientGone, ClientTooSlow) as error:  # who sends has noticed, and ends the connection
            log.info("client_lost", protocol=self._codec.name, code=error.code)
            return
        except AsrError as error:
            close_code = await self._fail(error)
        except Exception:  # a fault of ours: this client is told, and nobody else notices
            log.exception("session_crashed", session_id=live.session_id)
            close_code = await self._fail(AsrError("The session failed unexpectedly."))
        finally:
            self._live = None
            self._answers_due = False
            if self._resumable is not None:
                self._resumable.ended(live)
        if close_code != NORMAL_CLOSURE or not self._codec.reusable:
            self._close(close_code)
        elif self._stopping:
            self._close(SERVICE_RESTART)

    async def _end_exchange(self, reason: EndReason) -> None:
        if self._exchange is not None:
            if self._live is not None:
                self._live.abort(reason)
            await asyncio.wait([self._exchange])

    async def _deliver(self, event: SessionEvent) -> None:
        if isinstance(event, SessionEnded):
            self._note_end(event)
        if isinstance(event, PartialRecognized) and not await self._has_room_for_partial(event):
            return  # not even encoded: what a partial says may build on the one before
        await self._outbox.put(self._codec.encode(event))
        if isinstance(event, SessionStarted | SessionResumed):
            self._flow = FlowHints()

    def _note_end(self, event: SessionEnded) -> None:
        self._flow = None
        log.info(
            "session_ended",
            protocol=self._codec.name,
            reason=event.reason,
            received_samples=event.received_samples,
            finalized_samples=event.finalized_samples,
        )

    async def _has_room_for_partial(self, event: PartialRecognized) -> bool:
        congested = self._outbox.congested
        if self._flow is not None:
            self._flow.partial_due(dropped=congested)
            await self._tell_flow(event.session_id, self._flow)
        return not congested
