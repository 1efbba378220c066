"""Models are exchanged while people speak: nobody is interrupted, no text is of two models, the memory is given back."""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from asr_service.bootstrap import open_model_store
from asr_service.infrastructure.config.settings import Settings
from tests.fixtures.conditions import eventually
from tests.fixtures.native_client import Dialogue, stream
from tests.fixtures.recordings import Clip
from tests.fixtures.server import RunningServer, StartServer

TINY = "whisper-tiny.en"
SESSIONS, NEWCOMERS = 10, 3
BUDGET_MB = 1_500
LINEUPS = {
    "ASR_LINEUPS__NAMED": f'{{"tiny": {{"model": "{TINY}"}}, "broken": {{"model": "own", "model_directory": "/nowhere"}}}}',
    "ASR_LINEUPS__CHANGES_ALLOWED": "true",
    "ASR_LINEUPS__MEMORY_BUDGET_MB": str(BUDGET_MB),
    "ASR_SERVER__MAX_LOAD": "0",
}


@pytest.fixture
def server(service_settings: Settings, start_server: StartServer) -> RunningServer:
    """One with Whisper base at work, and a smaller one that can be loaded."""
    open_model_store(service_settings).pull(TINY, lambda _progress: None)
    return start_server(**LINEUPS)


def said(dialogue: Dialogue) -> list[str]:
    """The texts of a session that went well."""
    assert dialogue.of("error") == dialogue.of("failed") == []
    assert dialogue.only("ended")["reason"] == "completed"
    return [final["text"] for final in dialogue.of("final")]


async def speak(server: RunningServer, clip: Clip, count: int = 1, **start: Any) -> Sequence[Dialogue]:
    """So many sessions at the same time."""
    speaking = (
        stream(server.ws_url, clip.pcm, speed=2.0, language="en", partials={"enabled": False}, **start)
        for _ in range(count)
    )
    return await asyncio.gather(*speaking)


async def model(client: httpx.AsyncClient, name: str) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(f"/api/v1/models/{name}")).json()
    return found


async def test_a_hot_swap_under_live_sessions(server: RunningServer, english_clip: Clip) -> None:
    async with httpx.AsyncClient(base_url=server.http_url, timeout=60) as client:
        (quiet,) = await speak(server, english_clip)
        of_base = said(quiet)
        before = server.worker_pids()

        old = asyncio.create_task(speak(server, english_clip, SESSIONS))
        leases = 0
        while leases < SESSIONS:
            leases = (await model(client, "default"))["leases"]
        swapped = await client.patch("/api/v1/routing", json={"default": "tiny"})
        assert (swapped.status_code, swapped.json()["default"]) == (200, "tiny")
        assert (await model(client, "default"))["state"] == "draining"
        new = await speak(server, english_clip, NEWCOMERS)

        assert [said(dialogue) for dialogue in await old] == [of_base] * SESSIONS
        of_tiny = said(new[0])
        assert of_tiny != of_base
        assert [said(dialogue) for dialogue in new] == [of_tiny] * NEWCOMERS
        assert {dialogue.only("started")["model"] for dialogue in new} == {TINY}

        eventually(lambda: not set(before) & set(server.worker_pids()), "the workers of the old model are gone")
        items = (await client.get("/api/v1/models")).json()["items"]
        assert [item["state"] for item in items] == ["installed", "ready", "missing"]
        assert sum(item["memory_bytes"] or 0 for item in items) < BUDGET_MB << 20
        assert (await client.get("/health/ready")).status_code == 200
    assert server.stop() == 0


async def test_a_model_that_cannot_be_loaded_leaves_the_old_one_at_work(
    server: RunningServer, english_clip: Clip
) -> None:
    async with httpx.AsyncClient(base_url=server.http_url, timeout=60) as client:
        refused = await client.patch("/api/v1/routing", json={"default": "broken"})
        assert (refused.status_code, refused.json()["code"]) == (503, "model_missing")
        assert (await client.get("/api/v1/routing")).json()["default"] == "default"
        (dialogue,) = await speak(server, english_clip)
        assert english_clip.errors_in(" ".join(said(dialogue))) <= 0.1
        (by_name,) = await speak(server, english_clip, model="tiny")
        assert by_name.only("started")["model"] == TINY
        assert len(server.worker_pids()) == 2
        unloaded = await client.post("/api/v1/models/tiny/unload")
        assert unloaded.json()["state"] == "installed"
        assert len(server.worker_pids()) == 1
    assert server.stop() == 0
