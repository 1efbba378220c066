"""One session of the native protocol (``docs/api/native-protocol.md``), with the time of everything that was sent and came.

All times are those of ``time.monotonic()``, in seconds. Messages are kept as they came, and read when the session is over,
so that many sessions in one process disturb each other, and the server beside them, as little as possible.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException

BYTES_PER_MS = 32  # of canonical audio: 16 kHz, mono, 16 bit
_OPEN_TIMEOUT_S = 30.0
_PING = '{"type": "ping"}'


@dataclass(frozen=True, slots=True)
class Pace:
    """How audio is sent.

    Attributes:
        packet_ms: Audio in one packet; 20–100 is what microphones send.
        real_time: Whether a packet leaves when its last sample would have been spoken; else as soon as the server takes it.
        ping_every: Packets from one ``ping`` message to the next; 0: none is sent.
    """

    packet_ms: int = 100
    real_time: bool = True
    ping_every: int = 0


@dataclass(slots=True)
class SessionRecord:
    """What was sent in one session, what came back, and when.

    Attributes:
        pace: How audio was sent.
        refused_status: The HTTP status that stood in the way of the connection; ``None``: there was a connection.
        retry_after_s: When to come back, as the refusal said; ``None``: it did not say.
        started_s: When the first sample was spoken: one packet's length before the first packet was due.
        sent_s: For each packet, when the server's socket had taken it.
        pinged_s: For each ``ping``, when it was sent.
        frames: For each message, when it came, and its text.
        close_code: How the connection ended; ``None``: there was none, or it broke off.
        failure: Why the session came to no good end, in one line; empty: it did.
    """

    pace: Pace
    refused_status: int | None = None
    retry_after_s: float | None = None
    started_s: float = 0.0
    sent_s: list[float] = field(default_factory=list)
    pinged_s: list[float] = field(default_factory=list)
    frames: list[tuple[float, str]] = field(default_factory=list)
    close_code: int | None = None
    failure: str = ""

    def messages(self) -> list[tuple[float, dict[str, Any]]]:
        """The messages in their order, each with the time of its arrival."""
        return [(came_s, json.loads(frame)) for came_s, frame in self.frames]

    def spoken_s(self, position_ms: float) -> float:
        """When the sample at a position of the audio was spoken."""
        return self.started_s + position_ms / 1_000

    def audio_sent_s(self, position_ms: float) -> float:
        """When all audio before the position had been sent; at the end of the audio, when all of it had."""
        packets = -(-position_ms // self.pace.packet_ms)
        return self.sent_s[min(int(packets), len(self.sent_s)) - 1]

    def lateness_s(self) -> float:
        """The longest delay of a packet sent in real time: of the sender, or of a server that does not read."""
        packet_s = self.pace.packet_ms / 1_000
        return max((at_s - self.started_s - n * packet_s for n, at_s in enumerate(self.sent_s, start=1)), default=0.0)


async def run_session(
    stream_url: str, pcm: bytes, *, pace: Pace | None = None, begin_s: float | None = None, **start: Any
) -> SessionRecord:
    """One session from the connection to its end; returns when the server has closed it. Refusals do not raise.

    Args:
        stream_url: Address of the native stream.
        pcm: All audio, canonical.
        pace: How it is sent.
        begin_s: When the first sample is spoken; ``None``: once the connection is there.
        start: Fields of the ``start`` message.
    """
    record = SessionRecord(pace or Pace())
    try:
        async with connect(
            stream_url, max_size=None, compression=None, ping_interval=None, open_timeout=_OPEN_TIMEOUT_S, proxy=None
        ) as socket:
            await _converse(socket, record, pcm, begin_s, json.dumps({"type": "start", **start}))
    except InvalidStatus as refusal:
        record.refused_status = refusal.response.status_code
        retry_after = refusal.response.headers.get("Retry-After")
        record.retry_after_s = None if retry_after is None else float(retry_after)
    except (OSError, WebSocketException) as error:  # TimeoutError is an OSError
        record.failure = f"{type(error).__name__}: {error}"
    return record


async def _converse(
    socket: ClientConnection, record: SessionRecord, pcm: bytes, begin_s: float | None, start: str
) -> None:
    await socket.send(start)
    record.started_s = time.monotonic() if begin_s is None else begin_s
    sending = asyncio.create_task(_send(socket, record, pcm))
    try:
        async for frame in socket:
            record.frames.append((time.monotonic(), str(frame)))
    finally:
        sending.cancel()
        (outcome,) = await asyncio.gather(sending, return_exceptions=True)
        record.close_code = socket.close_code
    if isinstance(outcome, asyncio.CancelledError):
        record.failure = "the server ended the session before all audio was sent"
    elif isinstance(outcome, BaseException):
        raise outcome


async def _send(socket: ClientConnection, record: SessionRecord, pcm: bytes) -> None:
    async for number, packet in _packets(record, pcm):
        await socket.send(packet)
        record.sent_s.append(time.monotonic())
        if record.pace.ping_every and number % record.pace.ping_every == 0:
            record.pinged_s.append(time.monotonic())
            await socket.send(_PING)
    await socket.send('{"type": "end"}')


async def _packets(record: SessionRecord, pcm: bytes) -> AsyncIterator[tuple[int, memoryview]]:
    """Packets with their numbers from 1, each when it is due: on a fixed schedule, so that delays do not add up."""
    view, size = memoryview(pcm), record.pace.packet_ms * BYTES_PER_MS
    for number, first in enumerate(range(0, len(pcm), size), start=1):
        if record.pace.real_time:
            due_s = record.started_s + number * record.pace.packet_ms / 1_000
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        yield number, view[first : first + size]
