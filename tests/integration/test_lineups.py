"""Several recognizers by name: what REST shows and changes of them, and which one a session or a recording gets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from asr_service.domain.ports.recognizer import RecognitionRequest
from tests.fakes.engines import CAPABILITIES
from tests.fakes.recognizers import FakeRecognizer
from tests.fixtures.app import RunningApp, StartApp, wav
from tests.fixtures.live_sessions import utterances
from tests.fixtures.sockets import ScriptedSocket

pytestmark = pytest.mark.usefixtures("tidy")

ALLOWED = {"changes_allowed": True}
BYTES_PER_MS = 32


def other(name: str) -> FakeRecognizer:
    """A recognizer whose texts tell that they are its own."""

    def answer(request: RecognitionRequest) -> str:
        return f"{name} {request.span.end}"

    return FakeRecognizer(answer, capabilities=replace(CAPABILITIES, model=f"model-{name}"))


@asynccontextmanager
async def two(start_app: StartApp, **sections: Any) -> AsyncIterator[RunningApp]:
    """A service with the lineups ``default`` and ``fast``."""
    async with start_app(others={"fast": other("fast")}, **sections) as service:
        yield service


@pytest.fixture
async def changeable(start_app: StartApp) -> AsyncIterator[RunningApp]:
    """The same, and everybody may change them."""
    async with two(start_app, lineups=ALLOWED) as service:
        yield service


@dataclass
class Talk:
    """A live session."""

    socket: ScriptedSocket
    started: dict[str, Any]
    serving: asyncio.Task[None]

    async def say_something(self) -> str:
        """One utterance; returns its text."""
        self.socket.say(utterances(1))
        return str((await self.socket.hear_until(type="final"))["text"])

    async def end(self) -> None:
        self.socket.say({"type": "end"})
        await self.socket.hear_until(type="ended")
        await self.serving


async def talk(service: RunningApp, **start: Any) -> Talk:
    socket = ScriptedSocket("/api/v1/stream")
    serving = asyncio.create_task(socket.served_by(service.app))
    socket.say({"type": "start", "partials": {"enabled": False}, **start})
    return Talk(socket, await socket.hear_until(type="started"), serving)


async def state_of(service: RunningApp, name: str) -> str:
    return str((await service.client.get(f"/api/v1/models/{name}")).json()["state"])


# --- what REST tells


async def test_models_are_listed_with_how_they_stand(start_app: StartApp) -> None:
    async with two(start_app) as service:
        answer = await service.client.get("/api/v1/models")
        (default, fast), cursor = answer.json()["items"], answer.json()["next_cursor"]
        assert cursor is None
        assert (default["name"], default["state"], default["default"]) == ("default", "ready", True)
        assert default["capabilities"]["languages"] == sorted(CAPABILITIES.languages)
        assert (fast["name"], fast["model"], fast["state"]) == ("fast", "model-fast", "installed")
        assert (fast["capabilities"], fast["engine"], fast["memory_bytes"]) == (None, None, None)
        assert (await service.client.get("/api/v1/models/model-fast")).json() == fast


async def test_leases_are_shown(start_app: StartApp) -> None:
    async with two(start_app) as service:
        speaking = await talk(service)
        assert (await service.client.get("/api/v1/models/default")).json()["leases"] == 1
        await speaking.end()
        assert (await service.client.get("/api/v1/models/default")).json()["leases"] == 0


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/v1/models/fast/load", None),
        ("POST", "/api/v1/models/fast/unload", None),
        ("PATCH", "/api/v1/models/fast", {"pinned": True}),
        ("PATCH", "/api/v1/routing", {"default": "fast"}),
    ],
)
async def test_nothing_is_changed_unless_the_settings_allow_it(
    start_app: StartApp, method: str, path: str, body: dict[str, Any] | None
) -> None:
    async with two(start_app) as service:
        before = (await service.client.get("/api/v1/models")).json()
        answer = await service.client.request(method, path, json=body)
        assert answer.status_code == 403
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "changes_not_allowed"
        assert "lineups.changes_allowed" in answer.json()["hint"]
        assert (await service.client.get("/api/v1/models")).json() == before


async def test_a_model_is_loaded_pinned_and_unloaded(changeable: RunningApp) -> None:
    client = changeable.client
    assert (await client.post("/api/v1/models/fast/load")).json()["state"] == "ready"
    assert (await client.patch("/api/v1/models/fast", json={"pinned": True})).json()["pinned"] is True
    refused = await client.post("/api/v1/models/fast/unload")
    assert (refused.status_code, refused.json()["code"]) == (409, "model_in_use")
    assert (await client.patch("/api/v1/models/fast", json={"pinned": False})).json()["pinned"] is False
    assert (await client.post("/api/v1/models/fast/unload")).json()["state"] == "installed"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/api/v1/models/other", None, 404, "model_not_found"),
        ("POST", "/api/v1/models/other/load", None, 404, "model_not_found"),
        ("POST", "/api/v1/models/default/unload", None, 409, "model_in_use"),
        ("PATCH", "/api/v1/routing", {"default": "other"}, 404, "model_not_found"),
        ("PATCH", "/api/v1/routing", {"canary_share": 0.5}, 400, "invalid_request"),
        ("PATCH", "/api/v1/routing", {"canary_share": 1.5}, 422, "invalid_request"),
        ("PATCH", "/api/v1/routing", {"defualt": "fast"}, 422, "invalid_request"),
        ("PATCH", "/api/v1/models/fast", {}, 422, "invalid_request"),
    ],
)
async def test_what_does_not_work_is_told_in_the_style_of_the_interface(
    changeable: RunningApp, method: str, path: str, body: dict[str, Any] | None, status: int, code: str
) -> None:
    answer = await changeable.client.request(method, path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/api/v1/models/fast", "GET, PATCH"),
        ("/api/v1/models/fast/load", "POST"),
        ("/api/v1/models", "GET"),
        ("/", "GET"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(changeable: RunningApp, path: str, methods: str) -> None:
    answer = await changeable.client.delete(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, methods)


async def test_the_routing_is_changed_in_parts(changeable: RunningApp) -> None:
    client = changeable.client
    await client.patch("/api/v1/routing", json={"canary": "fast", "canary_share": 0.25})
    changed = await client.patch("/api/v1/routing", json={"tenants": {"acme": "fast"}})
    assert changed.json() == {
        "default": "default",
        "tenants": {"acme": "fast"},
        "canary": "fast",
        "canary_share": 0.25,
    }
    assert (await client.get("/api/v1/routing")).json() == changed.json()


# --- what a session gets


async def test_a_session_gets_what_it_asks_for_and_is_told(start_app: StartApp) -> None:
    async with two(start_app) as service:
        speaking = await talk(service, model="fast")
        assert (speaking.started["model"], speaking.started["config"]["model"]) == ("model-fast", "fast")
        assert (await speaking.say_something()).startswith("fast ")
        await speaking.end()


async def test_by_the_name_of_its_model_too(start_app: StartApp) -> None:
    async with two(start_app) as service:
        speaking = await talk(service, model="model-fast")
        assert speaking.started["config"]["model"] == "fast"
        await speaking.end()


async def test_an_unknown_model_is_refused_and_the_client_may_try_again(start_app: StartApp) -> None:
    async with two(start_app) as service:
        socket = ScriptedSocket("/api/v1/stream")
        serving = asyncio.create_task(socket.served_by(service.app))
        socket.say({"type": "start", "model": "other"})
        refused = await socket.hear_until(type="error")
        assert (refused["code"], refused["field"], refused["fatal"]) == ("model_not_found", "model", False)
        socket.say({"type": "start", "model": "fast"})
        assert (await socket.hear_until(type="started"))["config"]["model"] == "fast"
        socket.say({"type": "end"})
        await serving


async def test_what_else_is_wrong_beside_the_model_is_refused_too(start_app: StartApp) -> None:
    async with two(start_app) as service:
        socket = ScriptedSocket("/api/v1/stream")
        serving = asyncio.create_task(socket.served_by(service.app))
        socket.say({"type": "start", "model": "fast", "language": "xx"})
        assert (await socket.hear_until(type="error"))["code"] == "unsupported_language"
        socket.leave()
        await serving


async def test_new_sessions_take_the_new_model_and_old_ones_finish_on_the_old(changeable: RunningApp) -> None:
    old = await talk(changeable)
    first = await old.say_something()
    await changeable.client.patch("/api/v1/routing", json={"default": "fast"})
    assert await state_of(changeable, "default") == "draining"
    new = await talk(changeable)
    assert (await new.say_something()).startswith("fast ")
    assert (first.startswith("heard "), (await old.say_something()).startswith("heard ")) == (True, True)
    await old.end()
    assert await state_of(changeable, "default") == "installed"
    await new.end()
    assert await state_of(changeable, "fast") == "ready"


async def test_a_connection_without_a_session_lets_go_of_a_model_that_is_to_go(changeable: RunningApp) -> None:
    socket = ScriptedSocket("/")
    serving = asyncio.create_task(socket.served_by(changeable.app))
    leases = 0
    while not leases:
        leases = (await changeable.client.get("/api/v1/models/default")).json()["leases"]
    await changeable.client.patch("/api/v1/routing", json={"default": "fast"})
    await serving
    assert socket.close_code == 1012
    assert await state_of(changeable, "default") == "installed"


async def test_a_resumed_session_goes_on_with_its_model(changeable: RunningApp) -> None:
    speaking = await talk(changeable)
    await speaking.say_something()
    speaking.socket.leave()
    await speaking.serving
    await changeable.client.patch("/api/v1/routing", json={"default": "fast"})
    socket = ScriptedSocket("/api/v1/stream")
    serving = asyncio.create_task(socket.served_by(changeable.app))
    socket.say({"type": "resume", "token": speaking.started["resume"]["token"], "finals": 1})
    resumed = await socket.hear_until(type="resumed")
    assert (resumed["config"]["model"], resumed["unsupported"]) == ("default", [])
    socket.say(utterances(1)[resumed["audio_from_ms"] * BYTES_PER_MS :])
    socket.say({"type": "end"})
    await socket.hear_until(type="ended")
    await serving


async def test_a_resumed_session_whose_model_is_gone_is_told(start_app: StartApp) -> None:
    async with two(start_app) as service:
        speaking = await talk(service, model="fast")
        await speaking.say_something()
        speaking.socket.leave()
        await speaking.serving
    async with start_app() as service:
        socket = ScriptedSocket("/api/v1/stream")
        serving = asyncio.create_task(socket.served_by(service.app))
        socket.say({"type": "resume", "token": speaking.started["resume"]["token"], "finals": 1})
        resumed = await socket.hear_until(type="resumed")
        assert (resumed["config"]["model"], resumed["unsupported"]) == ("default", ["model"])
        socket.say(utterances(1)[resumed["audio_from_ms"] * BYTES_PER_MS :])
        socket.say({"type": "end"})
        await serving


async def test_realtime_clients_name_the_model_in_their_session(start_app: StartApp) -> None:
    async with two(start_app) as service:
        socket = ScriptedSocket("/v1/realtime", query="intent=transcription")
        serving = asyncio.create_task(socket.served_by(service.app))
        await socket.hear_until(type="session.created")
        transcription = {"model": "fast"}
        session = {"type": "transcription", "audio": {"input": {"transcription": transcription}}}
        socket.say({"type": "session.update", "session": session})
        updated = await socket.hear_until(type="session.updated")
        assert updated["session"]["audio"]["input"]["transcription"]["model"] == "fast"
        assert (await service.client.get("/api/v1/models/fast")).json()["leases"] == 1
        socket.leave()
        await serving


# --- what a recording gets


@pytest.mark.parametrize(("model", "begins"), [("fast", "fast "), ("model-fast", "fast "), ("whisper-1", "heard ")])
async def test_a_recording_gets_what_it_asks_for(start_app: StartApp, model: str, begins: str) -> None:
    async with two(start_app) as service:
        answer = await service.transcribe(wav(utterances(1)), model=model)
        assert answer.json()["text"].startswith(begins)
        assert (await service.client.get("/api/v1/models/fast")).json()["leases"] == 0


async def test_a_recording_for_an_unknown_model_is_refused_in_openais_shape(start_app: StartApp) -> None:
    async with two(start_app) as service:
        answer = await service.transcribe(wav(utterances(1)), model="other")
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "model_not_found"


async def test_openais_clients_see_all_names(start_app: StartApp) -> None:
    async with two(start_app) as service:
        names = [item["id"] for item in (await service.client.get("/v1/models")).json()["data"]]
        assert {"default", "fast", "whisper-1", CAPABILITIES.model} <= set(names)
        assert (await service.client.get("/v1/models/fast")).json()["id"] == "fast"


# --- what is measured


async def test_lineups_can_be_compared_by_their_metrics(start_app: StartApp) -> None:
    async with two(start_app) as service:
        for start in ({}, {"model": "fast"}, {"model": "fast"}):
            speaking = await talk(service, **start)
            await speaking.say_something()
            await speaking.end()
        text = ""
        while 'asr_lineup_finals_total{lineup="fast"} 2.0' not in text:
            text = (await service.client.get("/metrics")).text
        assert 'asr_lineup_sessions_total{lineup="default"} 1.0' in text
        assert 'asr_lineup_sessions_total{lineup="fast"} 2.0' in text
        assert 'asr_lineup_final_latency_seconds_count{lineup="fast"} 2.0' in text
