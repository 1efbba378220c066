"""A FunASR runtime server without a model: it hears the name of each exchange, in the dialect that it is told."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from ssl import SSLContext
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

FAIL = "fail"  # as a hotword: the server reports an error
CHUNK_BYTES = 19_200  # 600 ms, what online recognition works on


class Dialect(Enum):
    """The servers that there are, by what they say in mode offline."""

    CPP_TWO_PASS = "C++, two-pass"
    CPP_OFFLINE = "C++, offline"
    PYTHON_CLASSIC = "Python, up to 2026-02"
    PYTHON_NEW = "Python, with acknowledgement"
    PYTHON_MUTE = "Python, without acknowledgement"


@dataclass
class Exchange:
    """What a client has sent on one connection."""

    config: dict[str, Any] = field(default_factory=dict)
    audio: bytearray = field(default_factory=bytearray)
    ended: bool = False
    frames: int = 0

    @property
    def is_online(self) -> bool:
        return bool(self.config.get("mode") == "online")

    @property
    def must_fail(self) -> bool:
        return FAIL in (self.config.get("hotwords") or "")


def name_of(exchange: Exchange) -> list[str]:
    """One segment, with the name of the exchange; none for silence."""
    return [exchange.config["wav_name"]] if any(exchange.audio) else []


class FunAsrRuntime:
    """The server. Before each frame that it sends in mode offline, ``gate`` has to be open.

    Attributes:
        exchanges: One for each connection, in order.
        headers: Of their handshakes.
        url: Where it is.
        gate: Cleared by a test that lets clients wait.
        reply: Frames in place of all others, once there is audio; an empty one closes the connection.
        fields: Further fields of results in mode offline.
    """

    def __init__(self, dialect: Dialect, segments: Callable[[Exchange], Sequence[str]]) -> None:
        self.exchanges: list[Exchange] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""
        self.gate = asyncio.Event()
        self.gate.set()
        self.reply: list[str] | None = None
        self.fields: dict[str, Any] = {}
        self._dialect = dialect
        self._segments = segments
        self._changed = asyncio.Condition()
        self._connections: set[ServerConnection] = set()

    @property
    def connected(self) -> int:
        """Connections that there are."""
        return len(self._connections)

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Returns when the condition holds."""
        async with self._changed:
            await self._changed.wait_for(condition)

    def cut(self) -> None:
        """Ends every connection, as the death of the process does."""
        for connection in self._connections:
            connection.transport.abort()

    async def handle(self, socket: ServerConnection) -> None:
        """Serves a connection."""
        exchange = Exchange()
        self.exchanges.append(exchange)
        self.headers.append(dict(socket.request.headers) if socket.request else {})
        self._connections.add(socket)
        try:
            async for message in socket:
                await self._take(socket, exchange, message)
                await self._notify()
        except ConnectionClosed:
            pass
        finally:
            self._connections.discard(socket)
            await self._notify()

    async def _take(self, socket: ServerConnection, exchange: Exchange, message: str | bytes) -> None:
        if isinstance(message, bytes):
            exchange.audio += message
            exchange.frames += 1
        else:
            said = json.loads(message)
            exchange.config |= said
            exchange.ended = said.get("is_speaking") is False
        if self.reply is not None:
            await self._misbehave(socket, exchange, self.reply)
        elif exchange.is_online:
            await self._go_on(socket, exchange, message)
        elif exchange.ended:
            for frame in self._offline(exchange):
                await self.gate.wait()
                await socket.send(json.dumps(frame, ensure_ascii=False))

    async def _misbehave(self, socket: ServerConnection, exchange: Exchange, reply: list[str]) -> None:
        if not exchange.audio:
            return
        for frame in reply:
            if not frame:
                socket.transport.abort()
                return
            await socket.send(frame)

    async def _go_on(self, socket: ServerConnection, exchange: Exchange, message: str | bytes) -> None:
        """An increment for each chunk that is full now."""
        if isinstance(message, str) or not any(message):
            return
        full = len(exchange.audio) // CHUNK_BYTES - (len(exchange.audio) - len(message)) // CHUNK_BYTES
        for _ in range(full):
            increment = {"mode": "2pass-online", "text": f"{len(exchange.audio) // CHUNK_BYTES},", "is_final": False}
            await socket.send(json.dumps(increment))

    def _offline(self, exchange: Exchange) -> list[dict[str, Any]]:
        texts = list(self._segments(exchange))
        results = [{"text": text, "wav_name": exchange.config["wav_name"], **self.fields} for text in texts]
        if exchange.must_fail:
            return [{"text": "", "is_final": True, "is_end": True, "error": "offline inference failed"}]
        last = {"text": "", "wav_name": exchange.config["wav_name"]}
        match self._dialect:
            case Dialect.CPP_TWO_PASS:
                closing = [{**last, "is_final": True}]
                return [*({"mode": "2pass-offline", "is_final": False, **one} for one in results), *closing]
            case Dialect.CPP_OFFLINE:
                return [{"mode": "offline", "is_final": False, **last, "text": "".join(texts)}]
            case Dialect.PYTHON_CLASSIC:
                spoken = [{"mode": "offline", "is_final": True, **one} for one in results[:-1]]
                return [*spoken, {"mode": "offline", "is_final": False, **(results[-1] if results else last)}]
            case Dialect.PYTHON_MUTE:
                return [{"mode": "offline", "is_final": True, **one} for one in results or [last]]
            case Dialect.PYTHON_NEW:
                acknowledged = {"mode": "offline", "is_final": True, "is_end": True}
                return [*({"mode": "offline", "is_final": True, **one} for one in results), acknowledged]

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()


@asynccontextmanager
async def funasr_runtime(
    dialect: Dialect = Dialect.CPP_TWO_PASS,
    segments: Callable[[Exchange], Sequence[str]] = name_of,
    tls: SSLContext | None = None,
) -> AsyncIterator[FunAsrRuntime]:
    """A server on a port of its own."""
    runtime = FunAsrRuntime(dialect, segments)
    async with serve(runtime.handle, "127.0.0.1", 0, ssl=tls, max_size=None, ping_interval=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        runtime.url = f"{'wss' if tls else 'ws'}://127.0.0.1:{port}"
        try:
            yield runtime
        finally:
            runtime.gate.set()
