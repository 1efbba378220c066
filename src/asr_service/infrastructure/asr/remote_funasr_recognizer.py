"""A FunASR runtime server as a recognizer: whoever runs one keeps it, and its models."""

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.typing import Subprotocol

from asr_service.domain.ports.recognizer import (
    RecognitionFailed,
    RecognitionKind,
    RecognitionRequest,
    RecognizerCapabilities,
    RecognizerUnavailable,
)
from asr_service.domain.value_objects.audio_metadata import BYTES_PER_SAMPLE
from asr_service.domain.value_objects.hypothesis import SILENCE, Hypothesis, Timing
from asr_service.infrastructure.asr.batch_observer import BatchObserver
from asr_service.infrastructure.asr.remote.circuit_breaker import CircuitBreaker
from asr_service.infrastructure.asr.remote.funasr_messages import (
    END_OF_INPUT,
    FRAME_BYTES,
    LANGUAGES,
    Completeness,
    OfflineAnswer,
    opening,
    read_frame,
)
from asr_service.infrastructure.asr.remote.funasr_streams import FunAsrStreams
from asr_service.infrastructure.asr.remote.funasr_times import words_from_stamps
from asr_service.infrastructure.asr.remote.remote_calls import CallPolicy, RemoteCalls
from asr_service.infrastructure.asr.remote.request_limits import MAX_SECONDS, check_request
from asr_service.shared.clock import Clock

_LINGER_S = 2.0  # for the rest, where a server does not say whether there is any; the next segment takes its time
_CLOSING_S = 1.0  # for a server to answer the end of a connection
_MAX_MESSAGE_BYTES = 1 << 20  # of a server's; a minute of talk with its stamps is 20 kB
_AT_ONCE_BYTES = 16 * FRAME_BYTES  # about a second of audio in a frame, where nobody listens as it comes


@dataclass(frozen=True, slots=True)
class FunAsrServer:
    """Where the server is, and what it can do, which it does not say itself.

    Attributes:
        url: ``ws://host:port`` or ``wss://…``.
        verify_tls: Whether its certificate has to be one that is trusted; FunASR's servers come with a self-signed one.
        api_key: Sent as a bearer token, to a proxy in front of it; empty: none. The protocol itself has no such thing.
        connect_timeout_s: Longest wait for a connection, TLS and WebSocket included.
        languages: Those that its models know.
        model: What to call them.
        word_times: Whether they say when each word was spoken.
    """

    url: str
    verify_tls: bool = True
    api_key: str = ""
    connect_timeout_s: float = 5.0
    languages: frozenset[str] = frozenset(LANGUAGES)
    model: str = "funasr"
    word_times: bool = True

    def capabilities(self) -> RecognizerCapabilities:
        """Hotwords and numbers as they are spoken are fields of the protocol; the C++ servers heed them."""
        return RecognizerCapabilities(
            engine="funasr-remote",
            model=self.model,
            languages=self.languages,
            word_times=self.word_times,
            hotwords=True,
            prompt=False,
            spoken_numbers=True,
            translation=False,
            max_seconds=MAX_SECONDS,
        )

    async def connect(self) -> ClientConnection:
        """Opens a connection.

        Raises:
            RecognizerUnavailable: There is none to be had.
        """
        try:
            return await connect(
                self.url,
                ssl=_tls(verify=self.verify_tls) if self.url.startswith("wss://") else None,
                subprotocols=[Subprotocol("binary")],
                additional_headers={"Authorization": f"Bearer {self.api_key}"} if self.api_key else None,
                compression=None,
                open_timeout=self.connect_timeout_s,
                close_timeout=_CLOSING_S,
                ping_interval=None,
                max_size=_MAX_MESSAGE_BYTES,
            )
        except (OSError, TimeoutError, InvalidHandshake, InvalidURI, EOFError) as error:
            raise RecognizerUnavailable(f"The FunASR server cannot be reached: {type(error).__name__}.") from error


class RemoteFunAsrRecognizer:
    """Has finals recognized in mode offline, a connection each, and partials in mode online, a connection per utterance.

    How many finals are under way and how many wait is bounded (``RemoteCalls``), and so is the number of connections for
    partials (``FunAsrStreams``). While the server fails, requests are refused at once (``CircuitBreaker``).

    Args:
        server: See there.
        breaker: Says whether the server is asked.
        clock: For queues and idle connections.
        policy: Of finals; the deadline holds for partials as well.
        max_streams: Connections for partials.
        patience_s: How long a partial waits for something new; see ``FunAsrStreams``.
        observer: Is told of finals.
    """

    def __init__(
        self,
        server: FunAsrServer,
        *,
        breaker: CircuitBreaker,
        clock: Clock,
        policy: CallPolicy | None = None,
        max_streams: int = 64,
        patience_s: float = 0.25,
        observer: BatchObserver | None = None,
    ) -> None:
        self._server = server
        self._breaker = breaker
        self._policy = policy or CallPolicy()
        self._capabilities = server.capabilities()
        self._calls = RemoteCalls(
            "funasr", self._offline, breaker=breaker, clock=clock, policy=self._policy, observer=observer
        )
        self._streams = FunAsrStreams(server.connect, clock, max_streams=max_streams, patience_s=patience_s)
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def capabilities(self) -> RecognizerCapabilities:
        return self._capabilities

    @property
    def is_ready(self) -> bool:
        """Whether the server would be asked, as far as is known."""
        return self._breaker.is_ready

    @property
    def waiting(self) -> int:
        """Finals that the server has not been given yet."""
        return self._calls.waiting

    @property
    def streams(self) -> int:
        """Connections for partials."""
        return len(self._streams)

    async def start(self) -> None:
        """Makes ready; the server is not asked before there is a request, so it may be down."""
        self._calls.start()

    async def close(self) -> None:
        """Answers all that wait with ``RecognizerUnavailable`` and closes every connection. Repeatable."""
        await self._calls.close()
        await self._streams.close()
        await asyncio.gather(*self._closing, return_exceptions=True)

    async def recognize(self, request: RecognitionRequest) -> Hypothesis:
        """See ``Recognizer``. Audio of no samples is silence; what the server cannot do is refused here."""
        check_request(request, self._capabilities)
        if not request.pcm:
            return SILENCE
        if request.kind is RecognitionKind.PARTIAL:
            return await self._partial(request)
        hypothesis = await self._calls.answer(request)
        self._streams.drop(request.session_id, request.utterance)
        return hypothesis

    # --- partials

    async def _partial(self, request: RecognitionRequest) -> Hypothesis:
        with self._breaker.attempt() as attempt:
            try:
                async with asyncio.timeout(self._policy.timeout_s):
                    text = await self._streams.hear(request)
            except TimeoutError:
                raise RecognizerUnavailable("The FunASR server takes no audio.") from None
            attempt.is_conclusive = bool(text)  # a server that takes audio and says nothing may be of no use
        return Hypothesis(text=text.strip(), language=request.options.language)

    # --- finals

    async def _offline(self, request: RecognitionRequest) -> Hypothesis:
        socket = await self._server.connect()
        try:
            answer = await self._exchange(socket, request)
        except ConnectionClosed as error:
            raise RecognizerUnavailable("The FunASR server has closed the connection.") from error
        finally:
            self._close_later(socket)
        if answer.error:
            raise RecognitionFailed("The FunASR server could not process this audio.")
        return self._hypothesis(answer, request)

    async def _exchange(self, socket: ClientConnection, request: RecognitionRequest) -> OfflineAnswer:
        answer = OfflineAnswer()
        await socket.send(opening(request, "offline"))
        for start in range(0, len(request.pcm), _AT_ONCE_BYTES):
            await socket.send(request.pcm[start : start + _AT_ONCE_BYTES])
        await socket.send(END_OF_INPUT)
        while answer.completeness is Completeness.OPEN:
            answer.take(read_frame(await socket.recv()))
        with suppress(TimeoutError):  # what has come is all, then
            while answer.completeness is Completeness.LIKELY:
                async with asyncio.timeout(_LINGER_S):
                    answer.take(read_frame(await socket.recv()))
        return answer

    def _hypothesis(self, answer: OfflineAnswer, request: RecognitionRequest) -> Hypothesis:
        text = answer.text
        words = words_from_stamps(answer.frames, text, len(request.pcm) // BYTES_PER_SAMPLE)
        timing = Timing.ALIGNED if words else Timing.NONE
        heard = Hypothesis(text=text, words=words, timing=timing, language=request.options.language)
        return heard if request.options.word_times else replace(heard, words=(), timing=Timing.NONE)

    def _close_later(self, socket: ClientConnection) -> None:
        """Nobody waits for a server to say goodbye."""
        closing = asyncio.create_task(socket.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)


@cache  # it reads all certificates of the system
def _tls(*, verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
