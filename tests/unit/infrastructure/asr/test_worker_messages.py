"""Messages between a worker and its parent survive the journey, and a broken journey is noticed."""

import asyncio
import io

import pytest

from asr_service.infrastructure.asr.engine import EngineFailure
from asr_service.infrastructure.asr.worker_messages import (
    Alive,
    Batch,
    BatchAnswered,
    LogLine,
    encode,
    read_message,
    receive_message,
)
from tests.fakes.engines import heard
from tests.fixtures.recognition_requests import recognition_request

REQUEST = recognition_request(seconds=3)
MESSAGES = [
    Batch(2),
    REQUEST,
    BatchAnswered((heard(REQUEST), EngineFailure("no")), inference_s=0.25),
    LogLine(20, "engine_loaded", {"seconds": 1.5}),
    Alive(),
]


def reader_of(data: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return reader


def test_messages_are_read_back_in_order_until_the_end() -> None:
    stream = io.BytesIO(b"".join(encode(message) for message in MESSAGES))
    assert [read_message(stream) for _ in MESSAGES] == MESSAGES
    assert read_message(stream) is None


async def test_messages_are_received_back_in_order_until_the_end() -> None:
    reader = reader_of(b"".join(encode(message) for message in MESSAGES))
    assert [await receive_message(reader) for _ in MESSAGES] == MESSAGES
    assert await receive_message(reader) is None


@pytest.mark.parametrize("missing_bytes", [1, 40, len(encode(REQUEST)) - 2])
async def test_a_frame_that_breaks_off_is_the_end(missing_bytes: int) -> None:
    torn = encode(REQUEST)[:-missing_bytes]
    assert read_message(io.BytesIO(torn)) is None
    assert await receive_message(reader_of(torn)) is None
