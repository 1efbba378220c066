"""Sessions through speech, cuts, kills, outages and take-overs, against a client that knows what it must be told."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from asr_service.app.services import session_keeper
from asr_service.app.services.audio_session_service import LiveSession
from asr_service.app.services.held_recognizer import HeldRecognizer
from asr_service.app.services.resumable_sessions import FinishedSession
from asr_service.domain.events.recognition_events import SpeechStarted, UtteranceFailed, UtteranceFinalized
from asr_service.domain.events.session_events import (
    AudioSafe,
    SessionEnded,
    SessionEvent,
    SessionResumed,
    SessionStarted,
)
from asr_service.domain.ports.storage import StorageUnavailable
from asr_service.domain.services.replay import audio_from_ms
from asr_service.domain.value_objects.asr_config import EndpointingPolicy, PartialPolicy, SessionConfig
from asr_service.domain.value_objects.audio_metadata import AudioFormat, SampleSpan
from asr_service.domain.value_objects.caller import LOCAL_CALLER
from asr_service.domain.value_objects.session_status import EndReason
from tests.fakes.session_journal import InMemorySessionJournal
from tests.fixtures.live_sessions import Studio, silence, sound

BYTES_PER_MS = 32
CONFIG = SessionConfig(
    endpointing=EndpointingPolicy(silence_ms=400, max_utterance_ms=3_000), partials=PartialPolicy(enabled=False)
)
STRETCHES = st.lists(st.tuples(st.booleans(), st.integers(20, 1_500)), min_size=1, max_size=6)
TURNS = st.integers(0, 40)  # of the event loop, so that things happen in the middle of others

Outcome = tuple[int, SampleSpan, str]


def speech(stretches: list[tuple[bool, int]]) -> bytes:
    """Sound and silence in turns of so many milliseconds."""
    return b"".join(sound(ms) if is_sound else silence(ms) for is_sound, ms in stretches)


class Client:
    """Keeps what is not safe, and holds the server to what the protocol promises.

    Attributes:
        said: All audio so far.
        outcomes: Of the utterances, as told.
        ended: How the session ended.
    """

    def __init__(self) -> None:
        self.said = bytearray()
        self.outcomes: list[Outcome] = []
        self.ended: EndReason | None = None
        self.token = ""
        self._sent = 0
        self._safe_ms = 0
        self._connection = 0

    def connect(self) -> Callable[[SessionEvent], Coroutine[Any, Any, None]]:
        """A new connection; what the last one is told reaches nobody any more."""
        self._connection += 1
        this = self._connection

        async def deliver(event: SessionEvent) -> None:
            if this == self._connection:
                self._take(event)

        return deliver

    def disconnect(self) -> None:
        self._connection += 1

    def unsent(self) -> bytes:
        """The audio that goes out next."""
        data = bytes(self.said[self._sent :])
        self._sent = len(self.said)
        return data

    def _take(self, event: SessionEvent) -> None:
        match event:
            case SessionStarted():
                assert event.resume is not None
                self.token = event.resume.token
            case SessionResumed():
                from_ms = audio_from_ms(event.replay_from)
                assert from_ms >= self._safe_ms, "audio is asked for that was called safe"
                self._sent = from_ms * BYTES_PER_MS
                assert self._sent <= len(self.said), "audio is passed over that was never sent"
            case AudioSafe():
                assert event.utterances <= len(self.outcomes), "an outcome is called stored that was not told"
                self._safe_ms = audio_from_ms(event.replay_from)
            case SpeechStarted():
                assert event.utterance >= len(self.outcomes), "an utterance begins that was told already"
            case UtteranceFinalized():
                assert event.utterance == len(self.outcomes), "an outcome is missing, or comes twice"
                self.outcomes.append((event.utterance, event.span, event.hypothesis.text))
            case UtteranceFailed():
                raise AssertionError("nothing has failed")
            case SessionEnded():
                self.ended = event.reason


class Server:
    """One of several that share a journal."""

    def __init__(self, journal: InMemorySessionJournal) -> None:
        self._studio = Studio(journal=journal)

    def begin(self, client: Client) -> LiveSession:
        recognizer = self._studio.recognizer
        return self._studio.resumable.begin(LOCAL_CALLER, CONFIG, AudioFormat(), client.connect(), recognizer)

    async def resume(self, client: Client) -> LiveSession | FinishedSession:
        """See ``ResumableSessions``; the one recognizer is there all the time."""
        told, deliver = len(client.outcomes), client.connect()
        async with HeldRecognizer(self._studio.directory, LOCAL_CALLER, "ses_1") as held:
            return await self._studio.resumable.resume(LOCAL_CALLER, client.token, told, deliver, held)


class ResumptionMachine(RuleBasedStateMachine):
    """What happens to the one session of one client."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.runner.run(self._prepare())

    async def _prepare(self) -> None:
        self.journal = InMemorySessionJournal()
        self.server = Server(self.journal)
        self.client = Client()
        self.live: LiveSession | FinishedSession | None = None
        self.running: asyncio.Task[None] | None = None
        self.abandoned: list[asyncio.Task[None]] = []

    @initialize()
    def start(self) -> None:
        self.runner.run(self._start())

    async def _start(self) -> None:
        self._run(self.server.begin(self.client))
        async with asyncio.timeout(5):
            while not (self.client.token and self.journal.sessions_by_id):
                await asyncio.to_thread(lambda: None)

    def _run(self, live: LiveSession | FinishedSession) -> None:
        self.live, self.running = live, asyncio.create_task(live.run())

    # --- what may happen

    @rule(stretches=STRETCHES, turns=TURNS)
    def speak(self, stretches: list[tuple[bool, int]], turns: int) -> None:
        self.client.said += speech(stretches)
        self.runner.run(self._send(turns))

    async def _send(self, turns: int) -> None:
        if self.live is not None:
            await self.live.push_audio(self.client.unsent())
        for _ in range(turns):
            await asyncio.sleep(0)

    @precondition(lambda self: self.live is not None)
    @rule(turns=TURNS)
    def cut(self, turns: int) -> None:
        """The connection breaks; the server notices."""
        self.runner.run(self._cut(turns))

    async def _cut(self, turns: int) -> None:
        await self._send(turns)
        self.client.disconnect()
        assert self.live is not None
        self.live.abort(EndReason.DISCONNECTED)
        await self._over()

    @precondition(lambda self: self.live is not None)
    @rule(turns=TURNS)
    def kill(self, turns: int) -> None:
        """The server ends in mid-sentence, and writes nothing any more; there is another one."""
        self.runner.run(self._kill(turns))

    async def _kill(self, turns: int) -> None:
        await self._send(turns)
        kept = dict(self.journal.sessions_by_id)
        self.client.disconnect()
        assert self.running is not None
        self.running.cancel()
        await self._over()
        self.journal.sessions_by_id = kept
        self.server = Server(self.journal)

    async def _over(self) -> None:
        assert self.running is not None
        await asyncio.gather(self.running, return_exceptions=True)
        self.live = self.running = None

    @rule(available=st.booleans())
    def store(self, available: bool) -> None:
        """The journal goes away, or comes back."""
        self.journal.available = available

    @precondition(lambda self: self.live is None and self.journal.available)
    @rule(turns=TURNS)
    def resume(self, turns: int) -> None:
        self.runner.run(self._resume(turns))

    @precondition(lambda self: self.live is not None and self.journal.available)
    @rule(elsewhere=st.booleans(), turns=TURNS)
    def take_over(self, elsewhere: bool, turns: int) -> None:
        """The client has noticed that its connection is broken before the server has."""
        assert self.running is not None
        self.abandoned.append(self.running)
        if elsewhere:
            self.server = Server(self.journal)
        self.runner.run(self._resume(turns))

    async def _resume(self, turns: int) -> None:
        self._run(await self.server.resume(self.client))
        await self._resumed()
        await self._send(turns)

    async def _resumed(self) -> None:
        """Nothing is sent before the server has said from where on."""
        assert self.running is not None
        for _ in range(5):
            await asyncio.sleep(0)

    @precondition(lambda self: self.live is None and not self.journal.available)
    @rule()
    def fail_to_resume(self) -> None:
        """Whoever comes back while the journal is away is told to come again."""
        with pytest.raises(StorageUnavailable):
            self.runner.run(self.server.resume(self.client))

    # --- how it has to end

    def teardown(self) -> None:
        try:
            if self.client.token:
                self.runner.run(self._finish())
        finally:
            self.runner.close()

    async def _finish(self) -> None:
        self.journal.available = True
        if self.live is None:
            await self._resume(0)
        assert self.live is not None
        await self._send(0)
        await self.live.end_input()
        async with asyncio.timeout(3):
            await asyncio.gather(*(task for task in [self.running] if task is not None))
        for task in self.abandoned:  # that are told at their next write that they have lost the session
            task.cancel()
        await asyncio.gather(*self.abandoned, return_exceptions=True)
        assert self.client.ended is EndReason.COMPLETED
        assert self.client.outcomes == await uninterrupted(bytes(self.client.said))


async def uninterrupted(audio: bytes) -> list[Outcome]:
    """What a session is told to which nothing happens."""
    client = Client()
    live = Server(InMemorySessionJournal()).begin(client)
    running = asyncio.create_task(live.run())
    await live.push_audio(audio)
    await live.end_input()
    await running
    return client.outcomes


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_FIRST_PAUSE_S", "_LEAST_PAUSE_S", "_LONGEST_PAUSE_S"):
        monkeypatch.setattr(session_keeper, name, 0.001)


class TestResumption(ResumptionMachine.TestCase):  # type: ignore[name-defined,misc]
    settings = settings(max_examples=50, stateful_step_count=20, deadline=None)
