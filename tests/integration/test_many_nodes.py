"""Servers that share a database, alone and with a Redis: any of them knows every session, and reaches it."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from asr_service.bootstrap import open_database
from asr_service.domain.entities.session_record import SessionRecord
from asr_service.domain.value_objects.caller import LOCAL_CALLER
from asr_service.domain.value_objects.session_status import SessionStatus
from asr_service.infrastructure.config.settings import Settings
from asr_service.infrastructure.persistence.session_journal import SqlSessionJournal
from asr_service.infrastructure.persistence.session_repository import SqlSessionRepository
from asr_service.shared.clock import SystemClock
from tests.fixtures.app import RunningApp, StartApp
from tests.fixtures.journaled_sessions import checkpoint, ending, failure, final, journaled
from tests.fixtures.live_sessions import silence, sound, utterances
from tests.fixtures.sockets import ScriptedSocket

pytestmark = [pytest.mark.usefixtures("tidy"), pytest.mark.timeout(60)]

SESSIONS = "/api/v1/sessions"


@dataclass
class Talk:
    """A live session, and its client."""

    socket: ScriptedSocket
    session_id: str
    token: str
    serving: "asyncio.Task[None]"

    async def end(self) -> None:
        self.socket.say({"type": "end"})
        await self.serving


async def talk(service: RunningApp, **message: Any) -> Talk:
    """Begins to speak, or goes on."""
    socket = ScriptedSocket("/api/v1/stream")
    serving = asyncio.create_task(socket.served_by(service.app))
    socket.say(message or {"type": "start"})
    begun = await socket.hear()
    return Talk(socket, begun["session_id"], begun["resume"]["token"], serving)


async def known(service: RunningApp, session_id: str, **fields: Any) -> dict[str, Any]:
    """What a server knows of a session, as soon as it is so."""
    while True:
        answer = await service.client.get(f"{SESSIONS}/{session_id}")
        if answer.status_code == 200 and fields.items() <= answer.json().items():
            session: dict[str, Any] = answer.json()
            return session


@pytest.fixture(params=["alone", "Redis"])
def sharing(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The settings of servers: with a database only, and with a Redis."""
    if request.param == "alone":
        return {}
    return {"events": {"url": request.getfixturevalue("redis_url")}}


@pytest.fixture
async def two(start_app: StartApp, redis_url: str) -> AsyncIterator[tuple[RunningApp, RunningApp]]:
    """Two servers that share a Redis."""
    async with start_app(events={"url": redis_url}) as first, start_app(events={"url": redis_url}) as second:
        yield first, second


# --- cancelling


async def test_a_cancelled_session_ends_for_good_and_its_client_is_told(
    start_app: StartApp, sharing: dict[str, Any]
) -> None:
    async with start_app(**sharing) as service:
        speaking = await talk(service)
        speaking.socket.say(utterances(1))
        await speaking.socket.hear_until(type="final")
        await known(service, speaking.session_id, status="listening")
        answer = await service.client.post(f"{SESSIONS}/{speaking.session_id}/cancel")
        await speaking.serving
        assert (answer.status_code, answer.json()["id"]) == (202, speaking.session_id)
        error = speaking.socket.messages[-1]
        assert (error["type"], error["code"], error["fatal"]) == ("error", "session_cancelled", True)
        assert speaking.socket.close_code == 1008
        closed = await known(service, speaking.session_id, status="closed")
        assert (closed["end_reason"], closed["resumable_until"]) == ("cancelled", None)
        assert len((await service.client.get(f"{SESSIONS}/{speaking.session_id}/results")).json()["items"]) == 1

        again = await service.client.post(f"{SESSIONS}/{speaking.session_id}/cancel")
        assert (again.status_code, again.json()["code"]) == (409, "session_not_live")
        socket = ScriptedSocket("/api/v1/stream")
        socket.say({"type": "resume", "token": speaking.token, "finals": 0})
        await socket.served_by(service.app)
        assert socket.messages[-1]["code"] == "session_cancelled"


async def test_a_session_is_cancelled_from_another_server(two: tuple[RunningApp, RunningApp]) -> None:
    here, there = two
    speaking = await talk(there)
    await known(here, speaking.session_id, status="listening")
    answer = await here.client.post(f"{SESSIONS}/{speaking.session_id}/cancel")
    await speaking.serving
    assert answer.status_code == 202
    assert speaking.socket.messages[-1]["code"] == "session_cancelled"
    assert (await known(here, speaking.session_id, status="closed"))["end_reason"] == "cancelled"


async def test_without_a_redis_another_server_cannot_be_reached(start_app: StartApp) -> None:
    async with start_app() as here, start_app() as there:
        speaking = await talk(there)
        while True:  # until each knows that the other is there
            answer = await here.client.post(f"{SESSIONS}/{speaking.session_id}/cancel")
            if answer.status_code == 503:
                break
        assert answer.json()["code"] == "node_unreachable"
        assert "ASR_EVENTS__URL" in answer.json()["hint"]
        await speaking.end()


async def test_what_does_not_exist_cannot_be_cancelled_or_followed(start_app: StartApp) -> None:
    async with start_app() as service:
        for answer in (
            await service.client.post(f"{SESSIONS}/ses_none/cancel"),
            await service.client.get(f"{SESSIONS}/ses_none/events"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


# --- following


class Page:
    """A page that follows a session inside this process: the stream is read while it is written."""

    def __init__(self, service: RunningApp, session_id: str, **headers: str) -> None:
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue()
        self._text = ""
        self._gone = asyncio.Event()
        self.status = 0
        self._headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        self._serving = asyncio.create_task(self._serve(service, f"{SESSIONS}/{session_id}/events"))

    async def _serve(self, service: RunningApp, path: str) -> None:
        asked = False

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if asked:
                await self._gone.wait()
                return {"type": "http.disconnect"}
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
            else:
                self._chunks.put_nowait(message["body"])
                if not message.get("more_body"):
                    self._chunks.put_nowait(b"")

        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": self._headers,
            "http_version": "1.1",
            "scheme": "http",
            "server": ("service.example", 80),
            "client": ("127.0.0.1", 1),
        }
        await service.app(scope, receive, send)

    async def next(self) -> dict[str, Any] | None:
        """The next event; ``None``: the stream has ended."""
        while "\n\n" not in self._text:
            chunk = await self._chunks.get()
            if not chunk:
                return None
            self._text += chunk.decode()
        frame, _, self._text = self._text.partition("\n\n")
        fields = dict(line.partition(": ")[::2] for line in frame.splitlines() if not line.startswith(":"))
        if not fields:  # a sign of life, on a machine that is slow
            return await self.next()
        return {"event": fields["event"], "event_id": fields.get("id"), **json.loads(fields["data"])}

    async def until(self, event: str, **fields: Any) -> dict[str, Any]:
        """The next event of a name in which the fields have these values."""
        while True:
            found = await self.next()
            assert found is not None
            if found["event"] == event and fields.items() <= found.items():
                return found

    async def rest(self) -> list[dict[str, Any]]:
        """Everything that still comes."""
        events = []
        while (event := await self.next()) is not None:
            events.append(event)
        await self._serving
        return events

    async def leave(self) -> None:
        """Closes the page."""
        self._gone.set()
        await self._serving


async def test_a_session_is_followed_from_its_first_word_to_its_end(
    start_app: StartApp, sharing: dict[str, Any]
) -> None:
    async with start_app(**sharing) as service:
        speaking = await talk(service)
        speaking.socket.say(utterances(2))
        await speaking.socket.hear_until(type="final", utterance=1)
        await known(service, speaking.session_id)
        page = Page(service, speaking.session_id)
        first = await page.until("session")
        assert (first["id"], first["status"]) == (speaking.session_id, "listening")
        assert [(await page.until("final"))["utterance"] for _ in range(2)] == [0, 1]
        speaking.socket.say(sound(700))
        assert (await page.until("partial"))["utterance"] == 2
        speaking.socket.say(silence(1_000))
        told = await page.until("final")
        spoken = await speaking.socket.hear_until(type="final", utterance=2)
        same = ("utterance", "text", "start_ms", "end_ms", "words", "language")
        assert [told[name] for name in same] == [spoken[name] for name in same]
        assert told["event_id"] == "2"
        await speaking.end()
        rest = await page.rest()
        assert (rest[-1]["event"], rest[-1]["status"], rest[-1]["end_reason"]) == ("session", "closed", "completed")


async def test_a_session_is_followed_from_another_server(two: tuple[RunningApp, RunningApp]) -> None:
    here, there = two
    speaking = await talk(there)
    await known(here, speaking.session_id)
    page = Page(here, speaking.session_id)
    await page.until("session", status="listening")
    speaking.socket.say(utterances(2))
    assert [(await page.until("final"))["utterance"] for _ in range(2)] == [0, 1]
    await speaking.end()
    assert (await page.rest())[-1]["status"] == "closed"


async def test_who_comes_back_is_told_what_it_has_not(start_app: StartApp) -> None:
    async with start_app() as service:
        speaking = await talk(service)
        speaking.socket.say(utterances(3))
        await speaking.end()
        await known(service, speaking.session_id, status="closed")
        events = await Page(service, speaking.session_id, last_event_id="0").rest()
        assert [event["utterance"] for event in events if event["event"] == "final"] == [1, 2]


async def test_a_page_that_is_closed_holds_nobody_up(start_app: StartApp) -> None:
    async with start_app() as service:
        speaking = await talk(service)
        await known(service, speaking.session_id)
        page = Page(service, speaking.session_id)
        await page.until("session")
        await page.leave()
        speaking.socket.say(utterances(1))
        await speaking.end()


# --- servers that are gone


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of the applications of these tests."""
    return Settings(database={"url": f"sqlite:///{tmp_path / 'asr.db'}"})  # type: ignore[arg-type]


async def test_what_a_dead_server_left_is_stored_at_the_next_start(start_app: StartApp, settings: Settings) -> None:
    left = replace(journaled(caller=LOCAL_CALLER), outcomes=(), ending=None)
    unfinished = replace(left, session_id="ses_2")
    async with open_database(settings) as database:
        journal = SqlSessionJournal(database, 600.0, SystemClock())
        await journal.begin(left, "token 1")
        await journal.advance("ses_1", 1, [final(0), failure(1), final(2)], checkpoint(3), ending())
        await journal.begin(unfinished, "token 2")
        await journal.advance("ses_2", 1, [final(0, session_id="ses_2")], checkpoint(1))
        record = SessionRecord(
            "ses_1", LOCAL_CALLER.tenant, None, "x", None, SessionStatus.LISTENING, SystemClock().now(), node_id="nod_0"
        )
        await SqlSessionRepository(database).save(record)
    async with start_app() as service:
        closed = await known(service, "ses_1", status="closed")
        assert (closed["end_reason"], closed["name"]) == ("completed", "x")
        results = (await service.client.get(f"{SESSIONS}/ses_1/results")).json()["items"]
        assert [result["utterance"] for result in results] == [0, 2]
        interrupted = await known(service, "ses_2", status="interrupted")
        assert interrupted["resumable_until"] is not None
        listed = (await service.client.get(SESSIONS, params={"status": "interrupted"})).json()["items"]
        assert [item["id"] for item in listed] == ["ses_2"]
        results = (await service.client.get(f"{SESSIONS}/ses_2/results")).json()["items"]
        assert [result["utterance"] for result in results] == [0]


async def test_a_session_that_goes_on_at_another_server_is_not_interrupted(
    start_app: StartApp, sharing: dict[str, Any]
) -> None:
    async with start_app(**sharing) as first:
        speaking = await talk(first)
        speaking.socket.say(utterances(1))
        await speaking.socket.hear_until(type="safe")
        await known(first, speaking.session_id, status="listening")
        async with start_app(**sharing) as second:
            going_on = await talk(second, type="resume", token=speaking.token, finals=1)
            assert going_on.session_id == speaking.session_id
            speaking.socket.leave()  # only now: whoever has lost the session ends it after the other has it
            await speaking.serving
            session = await known(first, speaking.session_id, status="listening")
            assert session["ended_at"] is None
            asked = first if sharing else second
            while (await asked.client.post(f"{SESSIONS}/{speaking.session_id}/cancel")).status_code != 202:
                pass  # the end of the one may be stored before the beginning of the other
            await going_on.serving
            assert going_on.socket.messages[-1]["code"] == "session_cancelled"


# --- quotas


async def test_a_tenant_has_so_many_live_sessions_over_all_servers(start_app: StartApp, redis_url: str) -> None:
    limited = {"events": {"url": redis_url}, "server": {"max_sessions_per_tenant": 2}}
    async with start_app(**limited) as first, start_app(**limited) as second:
        speaking = [await talk(first), await talk(second)]
        refused = ScriptedSocket("/api/v1/stream")
        await refused.served_by(second.app)
        start, body = refused.sent[0], refused.sent[1]
        assert start["status"] == 503
        assert int(dict(start["headers"])[b"retry-after"]) > 0
        assert json.loads(body["body"])["code"] == "too_many_sessions"
        await speaking[0].end()
        speaking.append(await talk(second))
        for one in speaking[1:]:
            await one.end()
