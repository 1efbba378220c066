"""The client follows, from any server and over losses of its connection, what another one says."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import uvicorn
from fastapi import FastAPI

from asr_service.client import (
    Client,
    Final,
    FollowedEvent,
    Reconnecting,
    RequestRefused,
    Session,
    Started,
    StreamFailed,
    SyncClient,
)
from tests.fixtures.app import StartApp
from tests.fixtures.breakable_proxy import breakable_proxy
from tests.fixtures.live_sessions import utterances

pytestmark = [pytest.mark.usefixtures("tidy"), pytest.mark.timeout(60)]

UTTERANCES = 4


@asynccontextmanager
async def listening(app: FastAPI) -> AsyncIterator[str]:
    """The address at which an application that is up takes connections."""
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, ws="websockets-sansio"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve([listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


@pytest.fixture
async def urls(start_app: StartApp, redis_url: str) -> AsyncIterator[list[str]]:
    """Where two servers are that share everything."""
    async with AsyncExitStack() as stack:
        apps = [await stack.enter_async_context(start_app(events={"url": redis_url})) for _ in range(2)]
        yield [await stack.enter_async_context(listening(running.app)) for running in apps]


class Talk:
    """A session in which each utterance waits for leave to be spoken."""

    def __init__(self, url: str) -> None:
        self.finals: list[Final] = []
        self.may_speak = asyncio.Semaphore(0)
        self._url = url
        self._id: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._talking = asyncio.create_task(self._talk())

    async def session_id(self) -> str:
        """As soon as every server knows of the session."""
        session_id = await self._id
        async with Client(self._url) as client:
            while True:
                try:
                    await anext(client.follow(session_id))
                except RequestRefused:
                    continue
                return session_id

    async def end(self) -> None:
        """Returns when everything is told."""
        await self._talking

    async def _talk(self) -> None:
        async with Client(self._url) as client:
            async for event in client.stream(self._packets()):
                match event:
                    case Started():
                        self._id.set_result(event.session_id)
                    case Final():
                        self.finals.append(event)

    async def _packets(self) -> AsyncIterator[bytes]:
        for _ in range(UTTERANCES):
            await self.may_speak.acquire()
            yield utterances(1)


def texts(events: list[FollowedEvent] | list[Final]) -> list[tuple[int, str]]:
    """Each final that was told."""
    return [(event.utterance, event.text) for event in events if isinstance(event, Final)]


@pytest.mark.parametrize("server", [0, 1], ids=["its server", "another server"])
async def test_each_final_is_told_once_though_the_connection_is_cut(urls: list[str], server: int) -> None:
    talk = Talk(urls[0])
    session_id = await talk.session_id()
    events: list[FollowedEvent] = []
    talk.may_speak.release()
    async with breakable_proxy(urls[server]) as proxy, Client(proxy.url) as client:
        async for event in client.follow(session_id):
            events.append(event)
            if isinstance(event, Final):
                proxy.cut()
                talk.may_speak.release()  # what is said now may be missed, and comes from the store
    await talk.end()
    assert texts(events) == texts(talk.finals)
    assert len(talk.finals) == UTTERANCES
    assert sum(isinstance(event, Reconnecting) for event in events) >= 1
    last = events[-1]
    assert isinstance(last, Session)
    assert (last.status, last.end_reason, last.is_over) == ("closed", "completed", True)
    again = await asyncio.to_thread(lambda: list(SyncClient(urls[1 - server]).follow(session_id)))
    assert texts(again) == texts(talk.finals), "of a session that is over, too"


async def test_who_follows_is_told_that_the_session_was_cancelled(urls: list[str]) -> None:
    talk = Talk(urls[0])
    session_id = await talk.session_id()
    client = SyncClient(urls[1])
    assert (await asyncio.to_thread(client.cancel, session_id)).session_id == session_id
    last = (await asyncio.to_thread(lambda: list(client.follow(session_id))))[-1]
    assert isinstance(last, Session)
    assert last.end_reason == "cancelled"
    with pytest.raises(StreamFailed) as failure:
        await talk.end()
    assert failure.value.code == "session_cancelled"
    with pytest.raises(RequestRefused) as refusal:
        await asyncio.to_thread(client.cancel, session_id)
    assert refusal.value.code == "session_not_live"


async def test_a_session_that_does_not_exist_is_not_followed(urls: list[str]) -> None:
    async with Client(urls[0]) as client:
        for asked in (anext(client.follow("ses_none")), client.cancel("ses_none")):
            with pytest.raises(RequestRefused) as refusal:
                await asked
            assert refusal.value.code == "not_found"
