"""Connections that are over, with clients that read and clients that do not."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

import pytest
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from asr_service.cli import dropping_protocol
from asr_service.cli.dropping_protocol import DroppingProtocol

Message = MutableMapping[str, Any]
_BLOCK = "x" * 100_000


class Watched(DroppingProtocol):
    """Tells when a connection is lost."""

    lost: asyncio.Event

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.lost.set()


class AnnouncedServer(uvicorn.Server):
    """Tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


async def give_up_on_slow_clients(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Talks until nobody takes it any more, says one thing if it is asked to at ``/brief``, and closes."""
    await receive()
    await send({"type": "websocket.accept"})
    try:
        async with asyncio.timeout(0.2):
            await send({"type": "websocket.send", "text": _BLOCK})
            while scope["path"] != "/brief":
                await send({"type": "websocket.send", "text": _BLOCK})
            await send({"type": "websocket.close", "code": 1008})
    except TimeoutError:
        pass


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set when the server has lost a connection."""
    event = asyncio.Event()
    monkeypatch.setattr(Watched, "lost", event, raising=False)
    return event


@pytest.fixture
async def server(lost: asyncio.Event) -> AsyncIterator[uvicorn.Server]:
    """Listens on 127.0.0.1."""
    listener = socket.create_server(("127.0.0.1", 0))
    made = AnnouncedServer(
        uvicorn.Config(give_up_on_slow_clients, ws=Watched, lifespan="off", log_config=None, access_log=False)
    )
    serving = asyncio.create_task(made.serve([listener]))
    async with asyncio.timeout(10):
        await made.listening.wait()
    yield made
    made.should_exit = True
    await serving


async def read_to_the_end(client: ClientConnection) -> None:
    """What it was sent before is still there to be read."""
    while True:
        await client.recv()


def url_of(server: uvicorn.Server, path: str) -> str:
    host, port = server.servers[0].sockets[0].getsockname()
    return f"ws://{host}:{port}{path}"


async def test_a_client_that_reads_nothing_loses_its_connection(
    server: uvicorn.Server, lost: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dropping_protocol, "_LAST_WORDS_S", 0.05)
    unread = {"max_queue": 1, "compression": None, "ping_interval": None, "close_timeout": 0.1}
    async with connect(url_of(server, "/"), proxy=None, **unread) as client:
        async with asyncio.timeout(10):
            await lost.wait()
        with pytest.raises(ConnectionClosed):
            await read_to_the_end(client)


async def test_a_client_that_reads_is_told_how_it_ended(server: uvicorn.Server, lost: asyncio.Event) -> None:
    async with connect(url_of(server, "/brief"), compression=None, ping_interval=None, proxy=None) as client:
        assert await client.recv() == _BLOCK
        with pytest.raises(ConnectionClosed):
            await client.recv()
    async with asyncio.timeout(10):
        await lost.wait()
    assert client.close_code == 1008
