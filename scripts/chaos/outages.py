"""The store fails twice under live sessions, and the server when it has just caught up: nothing that was told is lost."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx

from scripts.chaos.failing_stores import FailingStore, postgresql, redis, small_disk
from scripts.chaos.scenario import Report, Scenario, Servers, running_servers
from scripts.chaos.talk import Talk, differences, hear_quietly, make_talk, stored_apart
from tests.fixtures.speakers import Heard, Speaker, listen

SESSIONS = 8
TALK_S = 80.0
PAUSE_MS = 3_000
OUTAGES_AT = (0.15, 0.5)  # of what is said
OUTAGE_S = 8.0
_PATIENCE_S = 40.0  # a store that was away is tried again within half a minute
_POLL_S = 0.02


def run_database(scenario: Scenario) -> Report:
    """PostgreSQL is killed."""
    return _break(scenario, postgresql)


def run_redis(scenario: Scenario) -> Report:
    """Redis is killed."""
    return _break(scenario, redis)


def run_disk(scenario: Scenario) -> Report:
    """The disk of SQLite is full."""
    return _break(scenario, small_disk)


def _break(scenario: Scenario, store: Callable[[Path], AbstractContextManager[FailingStore]]) -> Report:
    """Two outages of eight seconds; at the end of the second one the server is killed and started again, too."""
    with store(scenario.scratch) as failing, running_servers(scenario.scratch, 1, **failing.settings) as servers:
        return asyncio.run(_run(scenario, failing, servers))


async def _run(scenario: Scenario, store: FailingStore, servers: Servers) -> Report:
    url = servers.running[0].http_url
    chance = scenario.chance("outages")
    talks = [make_talk(scenario.voices, chance, TALK_S, PAUSE_MS) for _ in range(SESSIONS)]
    quiet = await hear_quietly(url, talks)
    speakers = [Speaker(talk.pcm, 1.0) for talk in talks]
    streams = [Heard() for _ in talks]
    tasks = [
        asyncio.create_task(listen(url, speaker, heard, language=talk.language))
        for speaker, heard, talk in zip(speakers, streams, talks, strict=True)
    ]
    finals_while_away = []
    for place in OUTAGES_AT:
        await speakers[0].said(place)
        before = _finals(streams)
        await asyncio.to_thread(store.fail)
        await asyncio.sleep(OUTAGE_S)
        finals_while_away.append(_finals(streams) - before)
        await asyncio.to_thread(store.mend)
    caught_up = await _caught_up(streams)
    server = servers.running[0]
    outages_logged = len(server.events("journal_unavailable"))
    server.kill()
    told_before_kill = _finals(streams)
    await asyncio.to_thread(servers.replace, 0)
    await asyncio.gather(*tasks)
    defects = _missing(talks, quiet, streams)
    defects += [f"no text came in outage {n}" for n, finals in enumerate(finals_while_away) if not finals]
    if not caught_up:
        defects.append("finals that were not durable were not called safe after the outage")
    stored = await _stored(url, talks, streams)
    not_durable = sum(not final.durable for heard in streams for final in heard.finals)
    if not not_durable:
        defects.append("no final was told as not durable: the store did not fail")
    return {
        "sessions": SESSIONS,
        "outage_s": OUTAGE_S,
        "finals_while_away": finals_while_away,
        "finals_told_as_not_durable": not_durable,
        "outages_in_the_log": outages_logged,
        "finals_told_before_the_server_was_killed": told_before_kill,
        "finals": _finals(streams),
        "resumed": sum(heard.resumed for heard in streams),
        "results_apart_at_the_end": len(stored),
        "defects": defects + stored,
    }


def _finals(streams: Sequence[Heard]) -> int:
    return sum(len(heard.finals) for heard in streams)


def _missing(talks: Sequence[Talk], quiet: Sequence[Heard], streams: Sequence[Heard]) -> list[str]:
    return [
        defect
        for number, (talk, one, other) in enumerate(zip(talks, quiet, streams, strict=True))
        for defect in differences(f"{number} ({talk.name})", one, other)
    ]


async def _caught_up(streams: Sequence[Heard]) -> bool:
    """Whether the last final that was not durable of every stream has been called safe, in time."""
    owed = [max((f.utterance + 1 for f in heard.finals if not f.durable), default=0) for heard in streams]
    for _ in range(round(_PATIENCE_S / _POLL_S)):
        if all(heard.safe_utterances >= owed_one for heard, owed_one in zip(streams, owed, strict=True)):
            return True
        await asyncio.sleep(_POLL_S)
    return False


async def _stored(url: str, talks: Sequence[Talk], streams: Sequence[Heard]) -> list[str]:
    """Where the results that the server gives are not what the clients were told, when it had time to store them."""
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        for _ in range(round(_PATIENCE_S)):
            apart = [
                line
                for number, (talk, heard) in enumerate(zip(talks, streams, strict=True))
                for line in stored_apart(f"{number} ({talk.name})", heard, await _results(client, heard.session_id))
            ]
            if not apart:
                return []
            await asyncio.sleep(1.0)
    return apart


async def _results(client: httpx.AsyncClient, session_id: str) -> dict[int, str]:
    answer = await client.get(f"/api/v1/sessions/{session_id}/results", params={"limit": 200})
    items: list[dict[str, Any]] = answer.json().get("items", [])
    return {item["utterance"]: item["text"] for item in items}
