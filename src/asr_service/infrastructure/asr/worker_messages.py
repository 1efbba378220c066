"""What a worker process and its parent say to each other, and how it is framed on the socket between them.

The parent asks, the worker answers, one question at a time; log lines come in between. A frame is the length of the
body as four big-endian bytes, then the body, a pickle: both ends are this package, in the same interpreter.
"""

import asyncio
import pickle
import struct
from dataclasses import dataclass
from typing import BinaryIO

from asr_service.domain.ports.recognizer import RecognizerCapabilities
from asr_service.infrastructure.asr.engine import Outcome

_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Batch:
    """Asks for hypotheses; so many frames follow, one ``RecognitionRequest`` each."""

    size: int


@dataclass(frozen=True, slots=True)
class Probe:
    """Asks whether anybody is there; answered by ``Alive``."""


@dataclass(frozen=True, slots=True)
class Alive:
    """The worker's main loop runs."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The engine is loaded and has passed its self-test; sent once, unasked."""

    capabilities: RecognizerCapabilities


@dataclass(frozen=True, slots=True)
class StartFailed:
    """The engine could not be loaded, or failed its self-test; the worker exits. Sent instead of ``Ready``."""

    reason: str
    hint: str | None


@dataclass(frozen=True, slots=True)
class BatchAnswered:
    """One outcome for each request, in their order, after ``inference_s`` seconds in the engine."""

    outcomes: tuple[Outcome, ...]
    inference_s: float


@dataclass(frozen=True, slots=True)
class BatchFailed:
    """The engine raised; none of the requests has an outcome."""

    reason: str


@dataclass(frozen=True, slots=True)
class LogLine:
    """Something that was logged in the worker, ``level`` as in ``logging``."""

    level: int
    event: str
    fields: dict[str, str | int | float | bool | None]


def encode(message: object) -> bytes:
    """The frame of a message."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(body)) + body


def read_message(stream: BinaryIO) -> object | None:
    """Blocks for the next message; ``None`` when the other end is gone, even in the middle of a frame."""
    header = stream.read(_LENGTH.size)
    if len(header) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(header)
    body = stream.read(length)
    return _decode(body) if len(body) == length else None


async def receive_message(reader: asyncio.StreamReader) -> object | None:
    """Awaits the next message; ``None`` when the other end is gone, even in the middle of a frame."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        return _decode(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def _decode(body: bytes) -> object:
    message: object = pickle.loads(body)  # noqa: S301 - the other end is this package
    return message
