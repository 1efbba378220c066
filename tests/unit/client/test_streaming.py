"""How a stream deals with the loss of its connection, against a server that the test plays."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from http import HTTPStatus
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from asr_service.client import (
    AudioFormat,
    Client,
    Ended,
    Event,
    Final,
    Reconnecting,
    Resumed,
    ServerUnreachable,
    SessionLost,
    Started,
    StreamPolicy,
)

OFFER = {"token": "secret", "expires_s": 600}
SESSION = {
    "session_id": "ses_1",
    "engine": "scripted",
    "model": "none",
    "capabilities": {},
    "unsupported": [],
    "config": {},
    "resume": OFFER,
}
ENDED = {"reason": "completed", "received_ms": 0, "decoded_ms": 0, "final_ms": 0}


class PlayedServer:
    """Breaks the first connection off when it is told to, and ends the session on the next one."""

    def __init__(self) -> None:
        self.to_break = asyncio.Event()
        self.greetings: list[dict[str, Any]] = []

    async def serve(self, socket: ServerConnection) -> None:
        self.greetings.append(json.loads(await socket.recv()))
        if len(self.greetings) == 1:
            await self._say(socket, "started", SESSION)
            await self.to_break.wait()
            socket.transport.abort()
            return
        await self._say(socket, "resumed", SESSION | {"utterances": 0, "audio_from_ms": 0})
        await self._say(socket, "ended", ENDED)

    async def _say(self, socket: ServerConnection, kind: str, fields: dict[str, Any]) -> None:
        await socket.send(json.dumps({"type": kind, **fields}))


@pytest.fixture
async def played() -> AsyncIterator[tuple[PlayedServer, str]]:
    """The server, and where it is."""
    server = PlayedServer()
    async with serve(server.serve, "127.0.0.1", 0) as listener:
        port = next(iter(listener.sockets)).getsockname()[1]
        yield server, f"http://127.0.0.1:{port}"


async def test_a_connection_that_is_lost_after_long_silence_is_made_again(
    played: tuple[PlayedServer, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, url = played
    loop = asyncio.get_running_loop()
    time = loop.time
    events: list[Event] = []
    async with (
        Client(url, policy=StreamPolicy(give_up_after_s=60)) as client,
        aclosing(client.stream([])) as stream,
    ):
        async for event in stream:
            events.append(event)
            if isinstance(event, Started):
                monkeypatch.setattr(loop, "time", lambda: time() + 3_600)  # an hour in which nobody spoke
                server.to_break.set()

    assert [type(event) for event in events] == [Started, Reconnecting, Resumed, Ended]
    assert server.greetings[1] == {"type": "resume", "token": "secret", "finals": 0}


async def test_a_server_that_stays_away_is_given_up(unused_tcp_port: int) -> None:
    async with Client(f"http://127.0.0.1:{unused_tcp_port}", policy=StreamPolicy(give_up_after_s=0)) as client:
        with pytest.raises(ServerUnreachable, match="could not be reached"):
            await anext(client.stream([]))


async def test_a_session_that_cannot_be_resumed_is_not_begun_anew_after_it_has_told_something() -> None:
    final = {"utterance": 0, "start_ms": 0, "end_ms": 9, "text": "Hello.", "language": "en", "timing": "none"}

    async def forgetful(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(json.dumps({"type": "started", **SESSION, "resume": None}))
        await socket.send(json.dumps({"type": "final", **final, "words": [], "durable": False}))
        socket.transport.abort()

    async with serve(forgetful, "127.0.0.1", 0) as listener:
        port = next(iter(listener.sockets)).getsockname()[1]
        async with Client(f"http://127.0.0.1:{port}") as client, aclosing(client.stream([b"audio"])) as stream:
            assert isinstance(await anext(stream), Started)
            assert isinstance(await anext(stream), Final)
            assert isinstance(await anext(stream), Reconnecting)
            with pytest.raises(SessionLost):
                await anext(stream)


async def test_a_loss_is_told_once_and_why() -> None:
    answers = [HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.BAD_GATEWAY, None]

    def refuse(connection: ServerConnection, _request: Request) -> Response | None:
        status = answers.pop(0)
        return status and connection.respond(status, "")

    async def serve_once(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(json.dumps({"type": "started", **SESSION}))
        await socket.send(json.dumps({"type": "ended", **ENDED}))

    async with serve(serve_once, "127.0.0.1", 0, process_request=refuse) as listener:
        port = next(iter(listener.sockets)).getsockname()[1]
        async with Client(f"http://127.0.0.1:{port}") as client:
            events = [event async for event in client.stream([])]

    assert [type(event) for event in events] == [Reconnecting, Started, Ended]
    assert events[0] == Reconnecting("The server answered with status 503.")


async def test_an_error_that_passes_is_the_reason_of_the_loss() -> None:
    error = {"message": "The database does not answer.", "code": "storage_unavailable", "hint": None}

    async def wavering(socket: ServerConnection) -> None:
        greeting = json.loads(await socket.recv())
        if greeting["type"] == "start":
            await socket.send(json.dumps({"type": "started", **SESSION}))
            await socket.send(json.dumps({"type": "error", **error, "fatal": True, "retry_after_s": None}))
            return
        await socket.send(json.dumps({"type": "resumed", **SESSION, "utterances": 0, "audio_from_ms": 0}))
        await socket.send(json.dumps({"type": "ended", **ENDED}))

    async with serve(wavering, "127.0.0.1", 0) as listener:
        port = next(iter(listener.sockets)).getsockname()[1]
        async with Client(f"http://127.0.0.1:{port}") as client:
            events = [event async for event in client.stream([])]

    assert [type(event) for event in events] == [Started, Reconnecting, Resumed, Ended]
    assert events[1] == Reconnecting("The database does not answer.")


async def test_of_a_recording_that_is_sent_at_once_all_that_sockets_may_hold_can_be_asked_for_again() -> None:
    minute = bytes(60 * 32_000)
    heard: list[int] = []  # bytes, by connections

    async def forgetful(socket: ServerConnection) -> None:
        kind = {"start": "started", "resume": "resumed"}[json.loads(await socket.recv())["type"]]
        await socket.send(json.dumps({"type": kind, **SESSION, "utterances": 0, "audio_from_ms": 0}))
        heard.append(0)
        while isinstance(frame := await socket.recv(), bytes):
            heard[-1] += len(frame)
        if kind == "started":
            socket.transport.abort()
        else:
            await socket.send(json.dumps({"type": "ended", **ENDED}))

    async with serve(forgetful, "127.0.0.1", 0, max_size=None) as listener:
        port = next(iter(listener.sockets)).getsockname()[1]
        async with Client(f"http://127.0.0.1:{port}") as client:
            events = [event async for event in client.stream([minute] * 5)]

    assert [type(event) for event in events] == [Started, Reconnecting, Resumed, Ended]
    assert heard == [5 * len(minute)] * 2


@pytest.mark.parametrize(
    ("policy", "audio", "kept_bytes"),
    [
        (StreamPolicy(), AudioFormat(), 1 << 24),
        (StreamPolicy(), AudioFormat("pcm_f32le", 48_000, 2), 120 * 384_000),
        (StreamPolicy(max_kept_s=0.5), AudioFormat(), 16_000),
    ],
)
def test_how_much_is_kept(policy: StreamPolicy, audio: AudioFormat, kept_bytes: int) -> None:
    assert policy.max_kept_bytes(audio.bytes_per_ms) == kept_bytes
