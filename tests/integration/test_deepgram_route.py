"""Deepgram's clients at the door: who is let in, and how the others are refused."""

import asyncio
import json
import uuid
from typing import Any

import pytest

from tests.fixtures.app import RunningApp, StartApp
from tests.fixtures.live_sessions import utterances
from tests.fixtures.sockets import ScriptedSocket

PCM = "model=nova-3&encoding=linear16&sample_rate=16000"


def _client(query: str = PCM, *subprotocols: str) -> ScriptedSocket:
    return ScriptedSocket("/v1/listen", subprotocols, query)


async def _refusal(running: RunningApp, query: str) -> tuple[int, dict[str, Any]]:
    """The HTTP answer to a handshake."""
    socket = _client(query)
    await socket.served_by(running.app)
    start, body = socket.sent
    assert start["type"] == "websocket.http.response.start"
    return start["status"], json.loads(body["body"])


async def test_a_stream_is_recognized(start_app: StartApp) -> None:
    async with start_app(deepgram={"enabled": True}) as running:
        socket = _client(f"{PCM}&keyterm=a&keyterm=b%20c&language=en")
        socket.say({"type": "KeepAlive"})
        socket.say(utterances(2))
        socket.say({"type": "CloseStream"})
        await socket.served_by(running.app)
        *results, metadata = socket.messages
    assert [message["channel"]["alternatives"][0]["transcript"][:5] for message in results] == ["heard", "heard"]
    assert (metadata["type"], metadata["duration"]) == ("Metadata", 3.0)
    assert {message["metadata"]["request_id"] for message in results} == {metadata["request_id"]}
    assert uuid.UUID(metadata["request_id"])
    assert metadata["created"].endswith("Z")
    assert socket.close_code == 1000
    assert {request.options.hotwords for request in running.recognizer.requests} == {("a", "b c")}


@pytest.mark.parametrize(
    ("offered", "selected"),
    [((), None), (("token", "some-key"), "token"), (("Bearer", "some-key"), "Bearer"), (("chat",), None)],
)
async def test_the_subprotocol_is_selected_that_browsers_send_their_key_with(
    start_app: StartApp, offered: tuple[str, ...], selected: str | None
) -> None:
    async with start_app(deepgram={"enabled": True}) as running:
        socket = _client(PCM, *offered)
        socket.say({"type": "CloseStream"})
        await socket.served_by(running.app)
    assert socket.subprotocol == selected
    assert socket.close_code == 1000


@pytest.mark.parametrize(
    ("query", "code", "part"),
    [
        ("encoding=linear16", "INVALID_REQUEST", "sample_rate is required with encoding=linear16."),
        ("encoding=g729", "INVALID_REQUEST", "encoding: "),
        (f"{PCM}&language=tlh", "UNSUPPORTED_LANGUAGE", "does not know the language 'tlh'"),
        (f"{PCM}&diarize=true", "INVALID_REQUEST", "diarize is not supported. Leave it out."),
        (f"{PCM}&endpointing=%00", "INVALID_REQUEST", "endpointing: "),
    ],
)
async def test_wrong_parameters_are_refused_before_the_handshake(
    start_app: StartApp, query: str, code: str, part: str
) -> None:
    async with start_app(deepgram={"enabled": True}) as running:
        status, body = await _refusal(running, query)
    assert (status, body["err_code"]) == (400, code)
    assert part in body["err_msg"]
    assert uuid.UUID(body["request_id"])


async def test_a_full_house_is_told_in_the_same_shape(start_app: StartApp) -> None:
    async with start_app(deepgram={"enabled": True}, server={"max_sessions": 1}) as running:
        first = _client()
        serving = asyncio.create_task(first.served_by(running.app))
        first.say({"type": "Finalize"})
        await first.hear()  # it is in
        status, body = await _refusal(running, PCM)
        first.say({"type": "CloseStream"})
        await serving
    assert (status, body["err_code"]) == (503, "OVERLOADED")


async def test_nobody_is_served_unless_it_is_set(service: RunningApp) -> None:
    socket = _client()
    await socket.served_by(service.app)
    assert socket.subprotocol is None
    assert [message["type"] for message in socket.sent] == ["websocket.close"]
