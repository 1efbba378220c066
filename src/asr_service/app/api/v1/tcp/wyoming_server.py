"""Where Wyoming's clients connect: a TCP port of its own."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from asr_service.app.api.v1.live.outbox import ClientGone
from asr_service.app.api.v1.live.reception import Reception
from asr_service.app.api.v1.tcp.listener import listening
from asr_service.app.api.v1.tcp.protocols.wyoming import error_event
from asr_service.app.api.v1.tcp.protocols.wyoming_framing import EventReader, event_bytes
from asr_service.app.api.v1.websocket.protocols.codec import CodecFactory, Frame, MalformedMessage
from asr_service.domain.value_objects.caller import LOCAL_CALLER
from asr_service.shared.errors import AsrError

log = structlog.get_logger(__name__)

_READ_BYTES = 1 << 16
_LINGER_S = 2.0  # so long what a client still sends is read and dropped, so that it can read why it was closed


@asynccontextmanager
async def wyoming_served(reception: Reception, new_codec: CodecFactory, host: str, port: int) -> AsyncIterator[str]:
    """Serves Wyoming's clients while the block runs, which is given the address; then breaks off those who are connected.

    Raises:
        CannotListen: The port cannot be had.
    """
    connections: set[asyncio.Task[None]] = set()

    def on_connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.get_running_loop().create_task(_serve(reception, new_codec, reader, writer))
        connections.add(connection)
        connection.add_done_callback(connections.discard)

    hint = "Choose another address with ASR_WYOMING__HOST and ASR_WYOMING__PORT."
    async with listening(on_connected, host, port, what="Wyoming", hint=hint) as address:
        log.info("protocol_listening", protocol="wyoming", url=f"tcp://{address}")
        try:
            yield address
        finally:
            for connection in connections:
                connection.cancel()
            await asyncio.gather(*connections, return_exceptions=True)


async def _serve(
    reception: Reception, new_codec: CodecFactory, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        await reception.serve(WyomingTransport(reader, writer), LOCAL_CALLER, new_codec)
    except Exception:  # a fault of ours: nobody waits for this task, so this is where it is told
        log.exception("connection_crashed", protocol="wyoming")
    finally:
        writer.transport.abort()  # what the client has not taken by now it will not take


class WyomingTransport:
    """Frames are events and their payloads.

    The input is read no faster than it is taken: what has arrived is bounded by the stream's buffer, and TCP pushes back.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._events = EventReader()
        self._frames: deque[Frame] = deque()  # of what was read at once

    async def accept(self) -> None:
        """There is no handshake."""

    async def refuse(self, error: AsrError) -> None:
        with suppress(ClientGone):
            await self.send(error_event(error))
        await self._hang_up()

    async def receive(self) -> Frame | None:
        while not self._frames:
            if not await self._read_on():
                return None
        return self._frames.popleft()

    async def _read_on(self) -> bool:
        """Takes what has arrived; false at the end of the stream."""
        if self._events.failure is not None:
            raise self._events.failure
        try:
            data = await self._reader.read(_READ_BYTES)
        except OSError:  # the connection was broken off
            return False
        if not data and self._events.inside_event:
            raise MalformedMessage("The stream ended within an event.")
        self._frames.extend(self._events.feed(data))
        return bool(data)

    async def send(self, frame: Frame) -> None:
        if self._writer.is_closing():  # uvloop raises a RuntimeError where asyncio writes to nowhere
            raise ClientGone("The client has gone.")
        try:
            self._writer.write(event_bytes(frame))
            await self._writer.drain()
        except OSError as error:
            raise ClientGone("The client has gone.") from error

    async def close(self, close_code: int) -> None:
        """Wyoming knows no close codes; what went wrong has been told by an event."""
        await self._hang_up()

    async def _hang_up(self) -> None:
        """Says that nothing more comes, and leaves the client time to read that: with unread input it would be reset."""
        if self._writer.is_closing():
            return
        with suppress(OSError, TimeoutError):
            self._writer.write_eof()
            async with asyncio.timeout(_LINGER_S):
                while await self._reader.read(_READ_BYTES):
                    pass
