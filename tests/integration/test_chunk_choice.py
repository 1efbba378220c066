"""The chunks that a client chooses reach the engine, and a client whose engine has none is told."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from asr_service.domain.value_objects.asr_config import Chunking
from tests.fakes.engines import CAPABILITIES
from tests.fixtures.app import RunningApp, StartApp
from tests.fixtures.live_sessions import utterances
from tests.fixtures.sockets import ScriptedSocket

pytestmark = pytest.mark.usefixtures("tidy")

STREAMING = replace(CAPABILITIES, chunking=True)
CHOICE = {"chunk_size": [5, 10, 5], "encoder_chunk_look_back": 4, "decoder_chunk_look_back": 0}
CHUNKING = Chunking((5, 10, 5), 4, 0)


def chunkings(service: RunningApp) -> set[Chunking]:
    """Those of all requests."""
    return {request.options.chunking for request in service.recognizer.requests}


async def spoken(service: RunningApp, path: str, *messages: Any) -> list[dict[str, Any]]:
    """What a client is told that says this."""
    socket = ScriptedSocket(path)
    for message in messages:
        socket.say(message)
    await socket.served_by(service.app)
    return socket.messages


async def test_chunks_of_funasrs_clients_reach_the_engine(start_app: StartApp) -> None:
    first = {"mode": "2pass", "wav_name": "demo", "chunk_interval": 10, **CHOICE}
    async with start_app(capabilities=STREAMING) as service:
        socket = ScriptedSocket("/")
        serving = asyncio.create_task(socket.served_by(service.app))
        for message in (first, utterances(2), {"is_speaking": False}):
            socket.say(message)
        await socket.hear_until(is_final=True)
        socket.leave()
        await serving
        assert chunkings(service) == {CHUNKING}


@pytest.mark.parametrize(("capabilities", "outcome"), [(STREAMING, "applied"), (CAPABILITIES, "unsupported")])
async def test_a_client_is_told_what_becomes_of_its_chunks(
    start_app: StartApp, capabilities: Any, outcome: str
) -> None:
    async with start_app(capabilities=capabilities) as service:
        start = {"type": "start", "word_times": False, **CHOICE}
        started, *_ = await spoken(service, "/api/v1/stream", start, utterances(1), {"type": "end"})
        assert started["wishes"] == dict.fromkeys(CHOICE, outcome)
        assert started["unsupported"] == (list(CHOICE) if outcome == "unsupported" else [])
        assert chunkings(service) == {CHUNKING}


async def test_chunks_that_are_not_allowed_are_refused_with_what_is(start_app: StartApp) -> None:
    async with start_app(capabilities=STREAMING) as service:
        socket = ScriptedSocket("/api/v1/stream")
        serving = asyncio.create_task(socket.served_by(service.app))
        socket.say({"type": "start", "chunk_size": [5, 4, 5]})
        error = await socket.hear()
        socket.leave()
        await serving
        assert (error["type"], error["code"], error["field"]) == ("error", "malformed_message", "chunk_size")
        assert "5–50" in error["message"]
