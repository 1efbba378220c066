"""All speakers of a live measurement: a process of its own, so that what it costs is not taken for the server's.

``python -m scripts.benchmarks.load_generator PLAN RECORDS`` reads a ``LoadPlan`` and writes ``LoadRecords``, both as JSON.
It writes to standard output when the first sample is spoken, by ``time.monotonic()``.
"""

import asyncio
import json
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import uvloop

from scripts.benchmarks.native_session import Pace, SessionRecord, run_session

_LEAD_S = 1.0  # from the announcement to the first sample: time to watch from the start
_HEALTH_EVERY_S = 0.2
_TICK_S = 0.05


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """Who speaks, and when.

    Attributes:
        stream_url: Where the native protocol is spoken.
        health_url: Asked five times a second meanwhile.
        pace: How all speakers send.
        start: Fields of everyone's ``start`` message.
        speakers: For each, the file of its sound and how many seconds after the first one it begins.
    """

    stream_url: str
    health_url: str
    pace: Pace
    start: dict[str, Any]
    speakers: list[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class LoadRecords:
    """What happened.

    Attributes:
        sessions: For each speaker.
        health_s: How long each answer of ``health_url`` took.
        lateness_s: How late this process itself did what it had planned, 20 times a second.
    """

    sessions: list[SessionRecord]
    health_s: list[float]
    lateness_s: list[float]


def write_plan(plan: LoadPlan, path: Path) -> None:
    """Writes what ``load_generator`` is to do."""
    path.write_text(json.dumps(asdict(plan)), encoding="utf-8")


def read_records(path: Path) -> LoadRecords:
    """Reads what it has done."""
    raw = json.loads(path.read_text(encoding="utf-8"))
    sessions = [SessionRecord(**{**session, "pace": Pace(**session["pace"])}) for session in raw.pop("sessions")]
    return LoadRecords(sessions, **raw)


def _read_plan(path: Path) -> LoadPlan:
    raw = json.loads(path.read_text(encoding="utf-8"))
    return LoadPlan(**{**raw, "pace": Pace(**raw["pace"])})


async def _generate(plan: LoadPlan, sounds: list[tuple[bytes, float]]) -> LoadRecords:
    records = LoadRecords([], [], [])
    begin_s = time.monotonic() + _LEAD_S
    print(begin_s, flush=True)
    watching = [
        asyncio.create_task(_watch_health(plan.health_url, records.health_s)),
        asyncio.create_task(_watch_self(records.lateness_s)),
    ]
    sessions = (_speak(plan, pcm, begin_s + offset_s) for pcm, offset_s in sounds)
    records.sessions.extend(await asyncio.gather(*sessions))
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    return records


async def _speak(plan: LoadPlan, pcm: bytes, begin_s: float) -> SessionRecord:
    await asyncio.sleep(max(0.0, begin_s - time.monotonic()))
    return await run_session(plan.stream_url, pcm, pace=plan.pace, begin_s=begin_s, **plan.start)


async def _watch_health(url: str, took_s: list[float]) -> None:
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        while True:
            asked_s = time.monotonic()
            with suppress(httpx.HTTPError):  # sessions tell of a server that is gone
                await client.get(url)
                took_s.append(time.monotonic() - asked_s)
            await asyncio.sleep(_HEALTH_EVERY_S)


async def _watch_self(lateness_s: list[float]) -> None:
    while True:
        due_s = time.monotonic() + _TICK_S
        await asyncio.sleep(_TICK_S)
        lateness_s.append(time.monotonic() - due_s)


def main() -> None:
    """The command."""
    plan_path, records_path = map(Path, sys.argv[1:])
    plan = _read_plan(plan_path)
    sounds = [(Path(file).read_bytes(), offset_s) for file, offset_s in plan.speakers]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        records = runner.run(_generate(plan, sounds))
    records_path.write_text(json.dumps(asdict(records)), encoding="utf-8")


if __name__ == "__main__":
    main()
