"""A thousand microphones in one process: raw sockets, frames that are made once, and as little as possible for each packet.

``python -m scripts.chaos.idle_generator PLAN RECORDS`` reads an ``IdlePlan`` and writes ``IdleRecords``, both as JSON. It
writes to standard output when all sessions are open, and when the first packet is sent, by ``time.monotonic()``.
"""

import asyncio
import base64
import json
import os
import struct
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast

import uvloop

_CONNECT_AT_ONCE = 50
_OPEN_TIMEOUT_S = 60.0
_END_TIMEOUT_S = 60.0
_SOONER_S = 0.001  # a packet may leave so much too early rather than cost another turn of the loop
_TEXT, _BINARY, _CLOSE, _PING, _PONG = 1, 2, 8, 9, 10
_NO_MASK = bytes(4)  # the protocol wants a mask from clients; this one changes nothing


@dataclass(frozen=True, slots=True)
class IdlePlan:
    """Who is there, and what they say.

    Attributes:
        port: Of the server.
        sessions: How many.
        packet_ms: Audio in a packet.
        period_ms: Each says one utterance in so long.
        duration_s: How long audio is sent.
        noise: File of what is heard when nobody speaks.
        utterances: For each its file, its language and where its speech ends in it, in ms.
    """

    port: int
    sessions: int
    packet_ms: int
    period_ms: int
    duration_s: float
    noise: str
    utterances: list[tuple[str, str, int]]


@dataclass(slots=True)
class IdleRecord:
    """One session.

    Attributes:
        speech_ends_ms: Where the speech of each utterance ended, in its audio.
        first_sample_s: When its audio began.
        finals: When each came, where its utterance ends, and whether there were words.
        reason: How it ended.
        close_code: Of the connection; ``None``: it broke off, or is open.
        error: What the server said was wrong.
    """

    speech_ends_ms: list[int] = field(default_factory=list)
    first_sample_s: float = 0.0
    finals: list[tuple[float, int, bool]] = field(default_factory=list)
    reason: str = ""
    close_code: int | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class IdleRecords:
    """What happened; ``lateness_s``: how late rounds of packets were done."""

    sessions: list[IdleRecord]
    lateness_s: list[float]


def frame(opcode: int, payload: bytes) -> bytes:
    """A frame of a client, masked with zeros."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
    return head + _NO_MASK + payload


def take_frame(buffer: bytearray) -> tuple[int, bytes] | None:
    """Takes the first whole frame of a server off the buffer: its opcode and its payload."""
    if len(buffer) < 2:
        return None
    size, head = buffer[1] & 0x7F, 2
    if size >= 126:
        head = 4 if size == 126 else 10
        if len(buffer) < head:
            return None
        size = int.from_bytes(buffer[2:head], "big")
    if len(buffer) < head + size:
        return None
    opcode, payload = buffer[0] & 0x0F, bytes(buffer[head : head + size])
    del buffer[: head + size]
    return opcode, payload


class Microphone(asyncio.Protocol):
    """One session on one connection."""

    def __init__(self, plan: IdlePlan, language: str) -> None:
        self.record = IdleRecord()
        self.started = asyncio.get_running_loop().create_future()
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._plan = plan
        self._start = json.dumps({"type": "start", "language": language, "partials": {"enabled": False}})
        self._buffer = bytearray()
        self._upgraded = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's has another base
        key = base64.b64encode(os.urandom(16)).decode()
        self._transport.write(
            f"GET /api/v1/stream HTTP/1.1\r\nHost: 127.0.0.1:{self._plan.port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def write(self, data: bytes) -> None:
        """Sends a frame that is made already; a connection that is gone takes it, and it is lost."""
        if self._transport is not None:
            self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._upgraded and not self._upgrade():
            return
        while (taken := take_frame(self._buffer)) is not None:
            self._take(*taken)

    def _upgrade(self) -> bool:
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return False
        status = head.split(b" ", 2)[1].decode()
        if status != "101":
            self.record.error = f"refused with status {status}"
            self._end()
            return False
        self._buffer = bytearray(rest)
        self._upgraded = True
        self.write(frame(_TEXT, self._start.encode()))
        return True

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == _PING:
            self.write(frame(_PONG, payload))
        elif opcode == _CLOSE:
            self.record.close_code = int.from_bytes(payload[:2], "big")
            self.write(frame(_CLOSE, payload[:2]))
        elif opcode == _TEXT:
            self._hear(json.loads(payload))

    def _hear(self, message: dict[str, object]) -> None:
        match message["type"]:
            case "started":
                if not self.started.done():
                    self.started.set_result(None)
            case "final":
                end_ms = message["end_ms"]
                assert isinstance(end_ms, int)
                self.record.finals.append((time.monotonic(), end_ms, bool(message["text"])))
            case "ended":
                self.record.reason = str(message["reason"])
            case "error" | "failed":
                self.record.error = str(message["code"])

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._end()

    def _end(self) -> None:
        for waiting in (self.started, self.over):
            if not waiting.done():
                waiting.set_result(None)


async def _open(plan: IdlePlan) -> list[Microphone]:
    loop, places = asyncio.get_running_loop(), asyncio.Semaphore(_CONNECT_AT_ONCE)

    async def one(number: int) -> Microphone:
        _, language, _ = plan.utterances[number % len(plan.utterances)]
        async with places:
            _, microphone = await loop.create_connection(lambda: Microphone(plan, language), "127.0.0.1", plan.port)
            await asyncio.wait([microphone.started], timeout=_OPEN_TIMEOUT_S)
            return microphone

    return list(await asyncio.gather(*(one(number) for number in range(plan.sessions))))


class Script:
    """What every microphone sends, as frames that are made once."""

    def __init__(self, plan: IdlePlan) -> None:
        self._plan = plan
        self._size = plan.packet_ms * 32
        self._noise = self._frames(Path(plan.noise).read_bytes())
        self._utterances = [self._frames(Path(path).read_bytes()) for path, *_ in plan.utterances]
        self._period = plan.period_ms // plan.packet_ms
        self.rounds = round(plan.duration_s * 1_000 / plan.packet_ms)

    def _frames(self, pcm: bytes) -> list[bytes]:
        whole = pcm[: len(pcm) // self._size * self._size]
        return [frame(_BINARY, whole[first : first + self._size]) for first in range(0, len(whole), self._size)]

    def packet(self, number: int, round_: int) -> bytes:
        """Of a session, in a round."""
        place = (round_ - self._first(number)) % self._period
        spoken = self._utterances[number % len(self._utterances)]
        return spoken[place] if place < len(spoken) else self._noise[(round_ + number) % len(self._noise)]

    def speech_ends_ms(self, number: int) -> list[int]:
        """Where a session's speech ends, of the utterances that it says to their ends."""
        frames = len(self._utterances[number % len(self._utterances)])
        _, _, end_ms = self._plan.utterances[number % len(self._plan.utterances)]
        first = range(self._first(number), self.rounds - frames, self._period)
        return [start * self._plan.packet_ms + end_ms for start in first]

    def _first(self, number: int) -> int:
        """The round in which a session first speaks: evenly spread over the period, in no order."""
        return (number * 7_919) % self._period


async def _send(plan: IdlePlan, script: Script, microphones: list[Microphone], lateness_s: list[float]) -> None:
    """One packet of everyone in each round, evenly spread over it."""
    packet_s = plan.packet_ms / 1_000
    began_s = time.monotonic() + packet_s
    for number, microphone in enumerate(microphones):
        microphone.record.first_sample_s = began_s + packet_s * (number / len(microphones) - 1)
        microphone.record.speech_ends_ms = script.speech_ends_ms(number)
    for round_ in range(script.rounds):
        for number, microphone in enumerate(microphones):
            due_s = began_s + packet_s * (round_ + number / len(microphones))
            wait_s = due_s - time.monotonic()
            if wait_s > _SOONER_S:
                await asyncio.sleep(wait_s)
            elif number % 100 == 0:
                await asyncio.sleep(0)  # one who is late has to listen, too
            microphone.write(script.packet(number, round_))
        lateness_s.append(time.monotonic() - due_s)


async def _generate(plan: IdlePlan) -> IdleRecords:
    script, lateness_s = Script(plan), list[float]()
    microphones = await _open(plan)
    print(time.monotonic(), flush=True)
    await asyncio.to_thread(sys.stdin.readline)  # until somebody has measured
    print(time.monotonic(), flush=True)
    await _send(plan, script, microphones, lateness_s)
    for microphone in microphones:
        microphone.write(frame(_TEXT, b'{"type": "end"}'))
    await asyncio.wait([microphone.over for microphone in microphones], timeout=_END_TIMEOUT_S)
    return IdleRecords([microphone.record for microphone in microphones], lateness_s)


def read_idle_records(path: Path) -> IdleRecords:
    """Reads what the generator has written."""
    raw = json.loads(path.read_text(encoding="utf-8"))
    sessions = [
        IdleRecord(**{**record, "finals": [tuple(final) for final in record["finals"]]}) for record in raw["sessions"]
    ]
    return IdleRecords(sessions, raw["lateness_s"])


def main() -> None:
    """The command."""
    plan_path, records_path = map(Path, sys.argv[1:])
    plan = IdlePlan(**json.loads(plan_path.read_text(encoding="utf-8")))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        records = runner.run(_generate(plan))
    records_path.write_text(json.dumps(asdict(records)), encoding="utf-8")


if __name__ == "__main__":
    main()
