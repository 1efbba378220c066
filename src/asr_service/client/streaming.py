"""A live stream over the native protocol that goes on when its connection, or its server, is lost."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from asr_service.client.errors import ReplayLost, RequestRefused, ServerUnreachable, SessionLost, StreamFailed
from asr_service.client.events import Ended, Event, Failed, Final, Reconnecting, Safe, read_event
from asr_service.client.replay_buffer import Item, ReplayBuffer

_END = json.dumps({"type": "end"})
_KEPT_MS = 120_000  # a server holds back half a minute at most,
_KEPT_BYTES = (
    1 << 24
)  # and sockets of Linux 6 MiB on their way in and 4 MiB on their way out (tcp(7), tcp_rmem and tcp_wmem)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0  # between attempts to connect, doubled each time
_PASSING_CODES = frozenset({"internal_error", "overloaded", "storage_unavailable", "idle_timeout", "client_too_slow"})


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """The format of the bytes that are streamed; a ``container`` is a whole file, and cannot be resumed."""

    encoding: str = "pcm_s16le"
    sample_rate: int = 16_000
    channels: int = 1

    _SAMPLE_BYTES: ClassVar[Mapping[str, int]] = {"pcm_s16le": 2, "pcm_f32le": 4, "mulaw": 1, "alaw": 1}

    @property
    def bytes_per_ms(self) -> Fraction:
        """Of a container nobody knows; what stands there is not used."""
        return Fraction(self._SAMPLE_BYTES.get(self.encoding, 1) * self.channels * self.sample_rate, 1_000)

    def as_message(self) -> dict[str, Any]:
        return {"encoding": self.encoding, "sample_rate": self.sample_rate, "channels": self.channels}


@dataclass(frozen=True, slots=True)
class StreamPolicy:
    """How a stream deals with losses.

    Attributes:
        give_up_after_s: So long it tries to reach a server before ``ServerUnreachable``.
        max_kept_s: Audio that is kept to be sent again; ``None``: two minutes, and at least 16 MiB, which is more than a server
            and the sockets on the way hold of a recording that is sent as fast as it is taken.
    """

    give_up_after_s: float = 60.0
    max_kept_s: float | None = None

    def max_kept_bytes(self, bytes_per_ms: Fraction) -> int:
        """The same for audio of a format."""
        if self.max_kept_s is not None:
            return int(self.max_kept_s * 1_000 * bytes_per_ms)
        return max(int(_KEPT_MS * bytes_per_ms), _KEPT_BYTES)


class Stream:
    """One session. Its events come by ``events``; ``configure`` and ``force_endpoint`` speak in between.

    Args:
        url: Of the server's stream, ``ws`` or ``wss``.
        headers: Of the handshake.
        source: Packets of any size; it is read as fast as the server takes them.
        audio: Their format.
        options: Fields of the ``start`` message.
        policy: What to do when the connection is lost.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        source: AsyncIterable[bytes],
        audio: AudioFormat,
        options: Mapping[str, Any],
        policy: StreamPolicy,
    ) -> None:
        self._url = url
        self._headers = headers
        self._source = source
        self._start = {"type": "start", "audio": audio.as_message(), **options}
        self._policy = policy
        self._max_waiting_items = 1_000
        self._buffer = ReplayBuffer(audio.bytes_per_ms, policy.max_kept_bytes(audio.bytes_per_ms))
        self._changed = asyncio.Condition()
        self._audio_ended = False
        self._token: str | None = None
        self._finals = 0
        self._reached_at_s = 0.0
        self._pause_s = _FIRST_PAUSE_S
        self._loss = ""  # why the last connection is gone, or could not be made
        self._loss_told = False

    async def configure(self, **options: Any) -> None:
        """Other options, from the audio on that is read next.

        Raises:
            StreamFailed: The audio has ended.
        """
        await self._say(json.dumps({"type": "configure", **options}, ensure_ascii=False))

    async def force_endpoint(self) -> None:
        """Ends the open utterance after the audio read so far.

        Raises:
            StreamFailed: The audio has ended.
        """
        await self._say(json.dumps({"type": "endpoint"}))

    async def events(self) -> AsyncGenerator[Event, None]:
        """Everything that is told, to ``Ended``; what was told before a loss is not told twice.

        A loss of the connection is told by ``Reconnecting``.

        Raises:
            ServerUnreachable, RequestRefused, StreamFailed, SessionLost, ReplayLost: See there.
        """
        reading = asyncio.create_task(self._read_source())
        try:
            self._reached_at_s = asyncio.get_running_loop().time()
            ended = False
            while not ended:
                async with aclosing(self._events_of_a_connection()) as events:
                    async for event in events:
                        yield event
                        ended = isinstance(event, Ended)
                if reading.done():
                    reading.result()  # what the source raised is the caller's
                if not ended:
                    self._check_patience()
                    if not self._loss_told:
                        self._loss_told = True
                        yield Reconnecting(self._loss)
                    await self._pause()
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    # --- what is sent

    async def _read_source(self) -> None:
        try:
            async for packet in self._source:
                async with self._changed:
                    await self._changed.wait_for(lambda: self._buffer.unsent < self._max_waiting_items)
                await self._give(packet)
        finally:
            self._audio_ended = True
            await self._give(_END)

    async def _say(self, message: str) -> None:
        if self._audio_ended:
            raise StreamFailed("The audio has ended.", code="out_of_turn")
        await self._give(message)

    async def _give(self, item: Item) -> None:
        async with self._changed:
            self._buffer.append(item)
            self._changed.notify_all()

    async def _send(self, socket: ClientConnection) -> None:
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._buffer.unsent > 0)
                item = self._buffer.take()
                self._changed.notify_all()
            assert item is not None
            await socket.send(item)

    # --- what is told

    async def _events_of_a_connection(self) -> AsyncGenerator[Event, None]:
        self._loss = "The server has closed the connection."  # unless something else is known
        try:
            async with connect(self._url, additional_headers=self._headers, max_size=None) as socket:
                await socket.send(json.dumps(self._greeting, ensure_ascii=False))
                async for event in self._conversation(socket):
                    yield event
        except InvalidStatus as refusal:
            self._expect_passing(refusal)
        except (ConnectionClosed, InvalidHandshake, OSError, TimeoutError) as error:  # it is tried again
            self._loss = f"{str(error).rstrip('.') or type(error).__name__}."

    @property
    def _greeting(self) -> dict[str, Any]:
        if self._token is None:
            return self._start
        return {"type": "resume", "token": self._token, "finals": self._finals}

    async def _conversation(self, socket: ClientConnection) -> AsyncGenerator[Event, None]:
        sending: asyncio.Task[None] | None = None
        try:
            async for frame in socket:
                message = json.loads(frame)
                if message["type"] in ("started", "resumed"):
                    self._begin(message)
                    sending = asyncio.create_task(self._send(socket))
                elif message["type"] == "error" and self._starts_anew(message):
                    return
                event = read_event(message)
                if event is not None:
                    self._note(event)
                    yield event
        finally:
            if sending is not None:
                self._reached_at_s = asyncio.get_running_loop().time()  # whoever listens in silence is not out of reach
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)

    def _begin(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "started" and self._finals:
            raise SessionLost("The session was lost, and cannot be resumed.", code="session_lost")
        self._token = message["resume"]["token"] if message["resume"] else None
        self._pause_s, self._loss_told = _FIRST_PAUSE_S, False
        from_ms = message.get("audio_from_ms", 0)
        if not self._buffer.rewind(from_ms):
            raise ReplayLost(f"The server wants the audio from {from_ms} ms on, which is not kept.", code="replay_lost")

    def _note(self, event: Event) -> None:
        match event:
            case Final() | Failed():
                self._finals = event.utterance + 1
            case Safe():
                self._buffer.forget_before(event.audio_ms)

    def _starts_anew(self, message: Mapping[str, Any]) -> bool:
        """Whether to connect again after an error; raises what a new connection would not mend."""
        if not message["fatal"]:
            raise StreamFailed(message["message"], code=message["code"], hint=message["hint"])
        self._loss = message["message"]
        if message["code"] == "session_not_resumable":
            if self._finals or self._buffer.begins_at:
                raise SessionLost(message["message"], code=message["code"])
            self._token = None  # nothing was told yet, and all of the audio is here
            return True
        if message["code"] in _PASSING_CODES or message["retry_after_s"] is not None:
            return True
        raise StreamFailed(message["message"], code=message["code"], hint=message["hint"])

    # --- connecting again

    def _expect_passing(self, refusal: InvalidStatus) -> None:
        status, headers = refusal.response.status_code, refusal.response.headers
        if status not in (429, 502, 503, 504):
            raise RequestRefused(f"The server answered with status {status}.", code="refused")
        self._loss = f"The server answered with status {status}."
        self._pause_s = max(self._pause_s, float(headers.get("Retry-After", 0)))

    def _check_patience(self) -> None:
        lost_for_s = asyncio.get_running_loop().time() - self._reached_at_s
        if lost_for_s > self._policy.give_up_after_s:
            raise ServerUnreachable(
                f"{self._url} could not be reached for {lost_for_s:.0f} s. {self._loss}",
                code="server_unreachable",
                hint="Is it running? Start it with: asr-service serve",
            )

    async def _pause(self) -> None:
        await asyncio.sleep(self._pause_s)
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
