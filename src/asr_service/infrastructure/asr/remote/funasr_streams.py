"""Partials from a FunASR server: a connection in mode online for each utterance that is being spoken."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeAlias

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from asr_service.domain.ports.recognizer import (
    RecognitionFailed,
    RecognitionRequest,
    RecognizerOverloaded,
    RecognizerUnavailable,
)
from asr_service.domain.value_objects.transcript import join_texts
from asr_service.infrastructure.asr.remote.funasr_messages import FRAME_BYTES, opening, read_frame
from asr_service.shared.clock import Clock
from asr_service.shared.errors import AsrError

Connect: TypeAlias = Callable[[], Awaitable[ClientConnection]]
"""Opens a connection; raises ``RecognizerUnavailable`` if there is none to be had."""

_IDLE_S = 30.0  # then its utterance is over, or its session gone; a live one asks several times a second


class _Stream:
    """One utterance, and what the server has said of it so far."""

    def __init__(self, start: int) -> None:
        self.start = start  # position of the audio in its session
        self.used_at_s = 0.0
        self.lock = asyncio.Lock()
        self.text = ""
        self._whole = ""  # texts of segments, which replace the increments before them
        self._fed_bytes = 0
        self._told = 0  # frames that were there when a text was given
        self._heard = 0  # frames that have come
        self._news = asyncio.Event()
        self._socket: ClientConnection | None = None
        self._reading: asyncio.Task[None] | None = None
        self._trouble: AsrError | None = None

    async def open(self, connect: Connect, request: RecognitionRequest) -> None:
        """Connects, if it is not connected."""
        if self._socket is None:
            self._socket = await connect()
            await self._socket.send(opening(request, "online"))
            self._reading = asyncio.create_task(self._read(self._socket))

    async def feed(self, pcm: bytes) -> None:
        """Sends what is new of the utterance, in whole frames; the rest goes with the next."""
        assert self._socket is not None
        try:
            while self._fed_bytes + FRAME_BYTES <= len(pcm):
                await self._socket.send(pcm[self._fed_bytes : self._fed_bytes + FRAME_BYTES])
                self._fed_bytes += FRAME_BYTES
        except ConnectionClosed:
            raise _gone() from None

    async def text_so_far(self, patience_s: float) -> str:
        """The text, as soon as there is news since it was last given, or when there is none for a while."""
        if self._heard == self._told and self._trouble is None:
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    await self._news.wait()
        if self._trouble is not None:
            raise self._trouble
        self._told = self._heard
        return self.text

    def continues(self, request: RecognitionRequest) -> bool:
        """Whether the request is about the same audio and more of it, and the connection still there."""
        return self.start == request.span.start and self._fed_bytes <= len(request.pcm) and self._trouble is None

    async def close(self) -> None:
        """Returns when the connection is closed, as the server wants it to be, or after a second."""
        if self._reading is not None:
            self._reading.cancel()
        if self._socket is not None:
            await self._socket.close()

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for message in socket:
                self._take(message)
            self._trouble = _gone()
        except ConnectionClosed:
            self._trouble = _gone()
        except AsrError as error:
            self._trouble = error
        self._news.set()

    def _take(self, message: str | bytes) -> None:
        frame = read_frame(message)
        if frame.error:
            raise RecognitionFailed("The server reports an error.")
        if frame.is_increment:
            self.text += frame.text or ""
        elif frame.text:  # older C++ servers write each sentence anew at its end, in this mode too
            self._whole = join_texts((self._whole, frame.text))
            self.text = self._whole
        self._heard += 1
        self._news.set()


class FunAsrStreams:
    """Keeps a connection for each utterance, and feeds it only what is new.

    A request has the whole utterance so far. If there is no connection for it, or no longer, a new one is fed from the
    start, so nothing depends on a connection. The number of connections is bounded: when all are there, the one that
    was idle longest makes room; when all are in use, the partial is refused.

    Args:
        connect: Opens a connection.
        clock: For what is idle.
        max_streams: Connections at once.
        patience_s: A server that has nothing new to say says nothing: so long it is waited for.
    """

    def __init__(self, connect: Connect, clock: Clock, *, max_streams: int, patience_s: float) -> None:
        self._connect = connect
        self._clock = clock
        self._max_streams = max_streams
        self._patience_s = patience_s
        self._streams: OrderedDict[tuple[str, int], _Stream] = OrderedDict()  # that used last is last
        self._closing: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._streams)

    async def hear(self, request: RecognitionRequest) -> str:
        """The text of the utterance so far, which may lag behind its audio.

        Raises:
            RecognizerOverloaded: Every connection is in use.
            RecognizerUnavailable: The server is gone, or says something else.
            RecognitionFailed: It reports an error.
        """
        key = (request.session_id, request.utterance)
        stream = self._stream(key, request)
        async with stream.lock:
            try:
                await stream.open(self._connect, request)
                await stream.feed(request.pcm)
            except BaseException:  # whether the last frame was sent is not known, even if the caller has just gone away
                self._forget(key, stream)
                raise
            try:
                return await stream.text_so_far(self._patience_s)
            except AsrError:
                self._forget(key, stream)
                raise

    def drop(self, session_id: str, utterance: int) -> None:
        """Closes the connection of an utterance that is over, and those of the session's utterances before it."""
        for key, stream in list(self._streams.items()):
            if key[0] == session_id and key[1] <= utterance and not stream.lock.locked():
                self._forget(key, stream)

    async def close(self) -> None:
        """Closes all connections."""
        for key, stream in list(self._streams.items()):
            self._forget(key, stream)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _stream(self, key: tuple[str, int], request: RecognitionRequest) -> _Stream:
        self._forget_idle()
        stream = self._streams.get(key)
        if stream is not None and not stream.continues(request):
            self._forget(key, stream)
            stream = None
        if stream is None:
            self._make_room()
            stream = self._streams[key] = _Stream(request.span.start)
        self._streams.move_to_end(key)
        stream.used_at_s = self._clock.monotonic_s()
        return stream

    def _forget_idle(self) -> None:
        since_s = self._clock.monotonic_s() - _IDLE_S
        for key, stream in [(k, s) for k, s in self._streams.items() if s.used_at_s < since_s and not s.lock.locked()]:
            self._forget(key, stream)

    def _make_room(self) -> None:
        if len(self._streams) < self._max_streams:
            return
        idle = next(((key, stream) for key, stream in self._streams.items() if not stream.lock.locked()), None)
        if idle is None:
            raise RecognizerOverloaded("Every connection for partials is in use.", retry_after_s=1.0)
        self._forget(*idle)

    def _forget(self, key: tuple[str, int], stream: _Stream) -> None:
        """Closes a connection in the background."""
        if self._streams.get(key) is stream:
            del self._streams[key]
            closing = asyncio.create_task(stream.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)


def _gone() -> RecognizerUnavailable:
    return RecognizerUnavailable("The server has closed the connection.")
