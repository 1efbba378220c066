"""Drives live sessions: the one place where a session, its audio, the recognizer and the listeners meet."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TypeAlias

import structlog

from asr_service.app.services.drain import ServerStopping
from asr_service.app.services.journal_reconciliation import recovery_of
from asr_service.app.services.safekeeping import Safekeeping
from asr_service.app.services.session_inbox import SessionInbox
from asr_service.app.services.session_inputs import (
    Abort,
    Answer,
    ClientItem,
    DiscardedAudio,
    EndOfInput,
    ForcedEndpoint,
    HandOver,
    NotRecognized,
    OtherEndpointing,
    OtherOptions,
    PushedAudio,
    Recognized,
    SafelyKept,
)
from asr_service.domain.entities.audio_session import AudioSession
from asr_service.domain.events.session_events import AudioSafe, HandoverAnnounced, SessionEnded, SessionEvent
from asr_service.domain.ports.audio_decoder import AudioStreamDecoder
from asr_service.domain.ports.event_publisher import EventPublisher
from asr_service.domain.ports.recognizer import RecognitionRequest, Recognizer, RecognizerCapabilities
from asr_service.domain.ports.voice_activity import WINDOW_BYTES, VoiceActivityDetector, VoiceActivityStream
from asr_service.domain.repositories.session_journal import JournaledSession
from asr_service.domain.value_objects.asr_config import EndpointingPolicy, RecognitionOptions, SessionConfig
from asr_service.domain.value_objects.caller import Caller
from asr_service.domain.value_objects.session_checkpoint import SegmenterState, SessionCheckpoint
from asr_service.domain.value_objects.session_status import EndReason, SessionStatus
from asr_service.shared.clock import Clock
from asr_service.shared.correlation import correlated
from asr_service.shared.errors import AsrError
from asr_service.shared.identifiers import new_id

log = structlog.get_logger(__name__)

Deliver: TypeAlias = Callable[[SessionEvent], Awaitable[None]]

_SLICE_BYTES = 64 * WINDOW_BYTES  # 2 s: so much of a large packet is heard before the recognizer's answers get a turn
_OPTIONS_BYTES = 16_384  # about what the longest prompt and all hotwords take that a client may send


class SessionCancelled(AsrError):
    """Somebody has ended the session from outside; it cannot be resumed."""

    code = "session_cancelled"


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """What one session may hold.

    Attributes:
        max_waiting_bytes: Client audio that waits to be heard; beyond it the socket is not read.
        max_owed_finals: Utterances that wait for their text; beyond it no audio is heard.
        max_owed_finals_of_recording: The same where nobody waits: twice what is recognized at once, so that pieces of about
            the same length can be recognized together. They may hold 13 MB of audio.
        drain_deadline_s: After the end of input, so long until what is still owed is reported as failed; ``None``: it is
            waited for, however long the recognizer takes.
    """

    max_waiting_bytes: int = 1 << 20
    max_owed_finals: int = 8
    max_owed_finals_of_recording: int = 16
    drain_deadline_s: float | None = 60.0


class LiveSession:
    """One session in progress.

    ``run`` is the one task that owns the aggregate; the other methods put something into its inbox. Every event goes to
    the publisher, which may not make the session wait, and to ``deliver``, which may (a slow client slows only itself).
    """

    def __init__(
        self,
        session: AudioSession,
        *,
        decoder: AudioStreamDecoder | None,
        voice: VoiceActivityStream,
        recognizer: Recognizer,
        publisher: EventPublisher,
        clock: Clock,
        limits: SessionLimits,
        deliver: Deliver,
        safekeeping: Safekeeping | None = None,
    ) -> None:
        self._session = session
        self._decoder = decoder
        self._voice = voice
        self._recognizer = recognizer
        self._publisher = publisher
        self._clock = clock
        self._limits = limits
        self._max_owed_finals = limits.max_owed_finals if session.config.live else limits.max_owed_finals_of_recording
        self._deliver = deliver
        self._safekeeping = safekeeping
        self._leaving = False  # as soon as nobody speaks
        self._over = asyncio.Event()
        self._inbox: SessionInbox[ClientItem, Answer] = SessionInbox(limits.max_waiting_bytes)
        self._recognitions: dict[str, asyncio.Task[None]] = {}
        self._drain_deadline_s: float | None = None
        self._damage: AsrError | None = None  # why the rest of the audio cannot be read

    @property
    def session_id(self) -> str:
        return self._session.session_id

    async def push_audio(self, data: bytes) -> None:
        """Takes the client's next bytes, waiting for room."""
        await self._inbox.put(PushedAudio(data), len(data))

    async def change_options(self, options: RecognitionOptions) -> None:
        """Applies other options, from the audio that is pushed next."""
        await self._inbox.put(OtherOptions(options), _OPTIONS_BYTES)

    async def change_endpointing(self, policy: EndpointingPolicy) -> None:
        """Ends utterances by another policy, from the audio that is pushed next."""
        await self._inbox.put(OtherEndpointing(policy))

    async def force_endpoint(self) -> None:
        """Ends the open utterance after the audio pushed so far."""
        await self._inbox.put(ForcedEndpoint())

    async def discard_audio(self) -> None:
        """Drops the open utterance, and what of the audio pushed so far might have begun one."""
        await self._inbox.put(DiscardedAudio())

    async def end_input(self) -> None:
        """No more audio will be pushed; the session ends when all of it is answered."""
        await self._inbox.put(EndOfInput())

    def abort(self, reason: EndReason, error: AsrError | None = None) -> None:
        """Ends the session without waiting for anything; ``run`` raises the error, if there is one."""
        self._inbox.answer(Abort(reason, error))

    def cancel(self) -> None:
        """Ends the session for good, since somebody wants it so; ``run`` raises ``SessionCancelled``."""
        self.abort(EndReason.CANCELLED, cancelled())

    def hand_over(self, deadline_s: float) -> None:
        """Tells the client that the server is about to stop. If the session can be resumed it ends when nobody speaks.

        ``run`` raises ``ServerStopping`` then.
        """
        self._inbox.answer(HandOver(deadline_s))

    async def last_words(self) -> None:
        """Ends the session, since the server stops: at once if it can be resumed, else with what was pushed so far."""
        if self._safekeeping is None:
            await self.end_input()
        else:
            self.abort(EndReason.DISCONNECTED, _stopping())

    async def over(self) -> None:
        """Waits until nothing of the session is left."""
        await self._over.wait()

    async def run(self) -> None:
        """Lives the session's life; returns when it is closed, and nothing of it is left running.

        Raises:
            AsrError: The audio could not be decoded, and what was heard before is answered; or ``deliver`` failed. The
                session is closed then too.
        """
        with correlated(session_id=self.session_id):
            try:
                if self._safekeeping is not None:
                    self._safekeeping.keeper.start(
                        lambda checkpoint: self._inbox.answer(SafelyKept(checkpoint)),
                        lambda error: self.abort(EndReason.DISCONNECTED, error),
                    )
                self._session.open(self._clock.monotonic_s())
                await self._pass_on()
                while self._session.status is not SessionStatus.CLOSED:
                    await self._take(await self._next_input())
                    if self._leaving and self._session.quiet and self._safekeeping is not None:
                        self.abort(EndReason.DISCONNECTED, _stopping())
                if self._damage is not None:
                    raise self._damage
            except asyncio.CancelledError:
                self._session.abort(EndReason.DISCONNECTED)  # whoever had it run has no more use for it
                raise
            finally:
                await self._end()

    async def _next_input(self) -> object:
        if self._drain_deadline_s is None:
            return await self._inbox.next()
        try:
            async with asyncio.timeout(self._drain_deadline_s - self._clock.monotonic_s()):
                return await self._inbox.next()
        except TimeoutError:
            return None

    async def _take(self, item: object) -> None:
        self._session.time_passed(self._clock.monotonic_s())
        match item:
            case PushedAudio(data) if self._session.status is SessionStatus.LISTENING:
                await self._hear_packet(data)
            case OtherOptions(options):
                self._session.options_changed(options)
            case OtherEndpointing(policy) if self._session.status is SessionStatus.LISTENING:
                self._session.endpointing_changed(policy)
            case ForcedEndpoint() if self._session.status is SessionStatus.LISTENING:
                self._session.endpoint_forced()
            case DiscardedAudio() if self._session.status is SessionStatus.LISTENING:
                self._session.audio_discarded()
            case EndOfInput() if self._session.status is SessionStatus.LISTENING:
                await self._finish()
            case Recognized() | NotRecognized() | SafelyKept() | HandOver() | Abort():
                await self._apply(item)
        await self._pass_on()

    async def _apply(self, answer: Answer) -> None:
        match answer:
            case Recognized(request_id, hypothesis):
                self._session.recognized(request_id, hypothesis)
            case NotRecognized(request_id, code, message):
                self._session.recognition_failed(request_id, code, message)
            case SafelyKept(checkpoint):
                await self._tell([self._safe_at(checkpoint)])
            case HandOver(deadline_s):
                self._leaving = True
                await self._tell([self._handover_within(deadline_s)])
            case Abort(reason, error):
                self._damage = self._damage or error
                self._session.abort(reason)

    async def _hear_packet(self, data: bytes) -> None:
        """Hears the client's next bytes. Damage ends the input there: what was heard before it is still answered."""
        try:
            pcm = await self._decoder.feed(data) if self._decoder else data
        except AsrError as damage:
            self._damage = damage
            await self._drain()
        else:
            await self._hear(pcm)

    async def _hear(self, pcm: bytes) -> None:
        """Lets the session hear canonical audio, in slices, so that a long packet does not outrun the recognizer."""
        for start in range(0, len(pcm), _SLICE_BYTES):
            if self._session.status is not SessionStatus.LISTENING:
                return  # aborted while a backlog was worked off
            self._session.audio_received(pcm[start : start + _SLICE_BYTES])
            await self._listen()
            while self._inbox.has_answers or self._session.owed_finals >= self._max_owed_finals:
                await self._apply(await self._inbox.next_answer())
                await self._pass_on()

    async def _listen(self) -> None:
        windows = self._session.take_windows()
        if windows:
            probabilities = await self._voice.observe(windows)
            self._session.time_passed(self._clock.monotonic_s())
            self._session.voice_observed(probabilities)
            if self._safekeeping is not None and self._session.at_safe_place:
                self._session.note_safe_place(self._voice.state())
        await self._pass_on()

    async def _finish(self) -> None:
        if self._decoder:
            await self._hear_rest(self._decoder)
        if self._session.status is SessionStatus.LISTENING:
            await self._drain()

    async def _hear_rest(self, decoder: AudioStreamDecoder) -> None:
        async with aclosing(decoder.flush()) as blocks:
            while (block := await self._next_block(blocks)) is not None:
                await self._hear(block)
                if self._session.status is not SessionStatus.LISTENING:
                    return  # aborted meanwhile: the rest of a long container need not be decoded

    async def _next_block(self, blocks: AsyncGenerator[bytes, None]) -> bytes | None:
        try:
            return await anext(blocks, None)
        except AsrError as damage:
            self._damage = damage
            return None

    async def _drain(self) -> None:
        """Ends the input; from here on only answers are waited for."""
        if self._limits.drain_deadline_s is not None:
            self._drain_deadline_s = self._clock.monotonic_s() + self._limits.drain_deadline_s
        reason = EndReason.COMPLETED if self._damage is None else EndReason.FAILED
        self._session.end_input(self._drain_deadline_s, reason)
        await self._listen()

    async def _pass_on(self) -> None:
        """Carries the session's outputs to where they belong."""
        for request_id in self._session.take_withdrawn():
            if (recognition := self._recognitions.get(request_id)) is not None:
                recognition.cancel()
        for request in self._session.take_requests():
            self._begin_recognition(request)
        events = self._session.take_events()
        for event in events:  # all of them, before a client that has gone can break this off
            self._publish(event)
        if self._safekeeping is not None:
            checkpoint = self._session.take_checkpoint()
            if events or checkpoint is not None:
                events = await self._safekeeping.keep(events, checkpoint)
        if events:
            await self._tell(events)

    def _publish(self, event: SessionEvent) -> None:
        self._publisher.publish(event if self._safekeeping is None else self._safekeeping.published(event))

    async def _tell(self, events: Sequence[SessionEvent]) -> None:
        try:
            for event in events:
                if self._damage is None or not isinstance(event, SessionEnded):  # the error says that, and why
                    await self._deliver(event)
        except AsrError:
            self._session.abort(EndReason.DISCONNECTED)  # nobody listens any more
            raise

    def _safe_at(self, checkpoint: SessionCheckpoint) -> AudioSafe:
        return AudioSafe(
            session_id=self.session_id,
            at_s=self._clock.monotonic_s(),
            replay_from=checkpoint.replay_from,
            utterances=checkpoint.utterances,
        )

    def _handover_within(self, deadline_s: float) -> HandoverAnnounced:
        return HandoverAnnounced(
            session_id=self.session_id,
            at_s=self._clock.monotonic_s(),
            deadline_s=deadline_s,
            resumable=self._safekeeping is not None,
        )

    def _begin_recognition(self, request: RecognitionRequest) -> None:
        recognition = asyncio.create_task(self._recognize(request))
        self._recognitions[request.request_id] = recognition
        recognition.add_done_callback(lambda _: self._recognitions.pop(request.request_id, None))

    async def _recognize(self, request: RecognitionRequest) -> None:
        try:
            hypothesis = await self._recognizer.recognize(request)
        except AsrError as error:
            self._inbox.answer(NotRecognized(request.request_id, error.code, error.message))
        except Exception:  # a fault of ours: the utterance fails, the session goes on
            log.exception("recognition_crashed", request_id=request.request_id, kind=request.kind)
            self._inbox.answer(NotRecognized(request.request_id, AsrError.code, "The recognizer failed unexpectedly."))
        else:
            self._inbox.answer(Recognized(request.request_id, hypothesis))

    async def _end(self) -> None:
        """Leaves nothing behind, however the session came to its end; who listens elsewhere learns of it."""
        self._session.abort(EndReason.FAILED)
        for event in self._session.take_events():
            self._publish(event)
        self._inbox.close()
        recognitions = tuple(self._recognitions.values())
        for recognition in recognitions:
            recognition.cancel()
        await asyncio.gather(*recognitions, return_exceptions=True)
        if self._safekeeping is not None:
            await self._safekeeping.keeper.close()
        self._over.set()


def cancelled() -> SessionCancelled:
    """What the client of a cancelled session is told."""
    return SessionCancelled("The session was cancelled.", hint="Begin a new session, if it was not you who did it.")


def _stopping() -> ServerStopping:
    return ServerStopping("This server is about to stop.", hint="Resume the session.", retry_after_s=0.0)


class AudioSessionService:
    """Opens live sessions.

    ``load`` says how loaded the recognizer is, from 0 (idle) to 1 (saturated).
    """

    def __init__(
        self,
        *,
        detector: VoiceActivityDetector,
        publisher: EventPublisher,
        clock: Clock,
        limits: SessionLimits,
        load: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._detector = detector
        self._publisher = publisher
        self._clock = clock
        self._limits = limits
        self._load = load

    def open(
        self,
        caller: Caller,
        config: SessionConfig,
        decoder: AudioStreamDecoder | None,
        deliver: Deliver,
        recognizer: Recognizer,
        safekeeping: Safekeeping | None = None,
        *,
        session_id: str | None = None,
    ) -> LiveSession:
        """A session; the caller runs it, and sees to it that its recognizer outlives it.

        Without a decoder it takes canonical audio; with safekeeping it goes on from there, else it may be given its id.

        Raises:
            CheckpointUnusable: What is kept is not of this detector.
        """
        kept = None if safekeeping is None else safekeeping.keeper.session
        return LiveSession(
            AudioSession(
                session_id or new_id("ses") if kept is None else kept.session_id,
                caller,
                _feasible(config, recognizer.capabilities),
                new_request_id=lambda: new_id("rec"),
                load=self._load,
                checkpoint=None if safekeeping is None else safekeeping.checkpoint,
            ),
            decoder=decoder,
            voice=self._detector.open_stream(None if kept is None else kept.checkpoint.voice),
            recognizer=recognizer,
            publisher=self._publisher,
            clock=self._clock,
            limits=self._limits,
            deliver=deliver,
            safekeeping=safekeeping,
        )

    def found(self, session: JournaledSession) -> None:
        """Tells those who keep results of a session that came to its end before: its server may have died over it."""
        self._publisher.publish(recovery_of(session, self._clock.monotonic_s()))

    def beginning(self, config: SessionConfig) -> SessionCheckpoint:
        """The checkpoint of a session of which nothing has been heard yet."""
        return SessionCheckpoint(0, 0, SegmenterState(), None, config.options, self._detector.open_stream().state())


def _feasible(config: SessionConfig, capabilities: RecognizerCapabilities) -> SessionConfig:
    """The same without partials, if the recognizer has none; clients see it in what they are told of the session."""
    if capabilities.partials:
        return config
    return replace(config, partials=replace(config.partials, enabled=False))
