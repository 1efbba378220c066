"""Clients that take more than their share, beside somebody who just speaks."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import cycle
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from scripts.benchmarks.native_session import SessionRecord
from scripts.benchmarks.playlists import Playlist
from scripts.benchmarks.processes import rss_bytes
from scripts.benchmarks.service_process import ServiceProcess
from scripts.chaos.live_speakers import figures, playlists, speak, spoken_clips
from scripts.chaos.scenario import Report, Scenario, running_servers
from scripts.chaos.talk import Talk, make_talk
from tests.fixtures.speakers import PACKET_BYTES, Speaker, listen

QUIET_S, LOADED_S = 45.0, 80.0  # the latter is longer than the idle timeout
SETTINGS = {"ASR_SERVER__IDLE_TIMEOUT_S": "60", "ASR_SERVER__SEND_TIMEOUT_S": "5"}
GREEDY_SPEED = 50.0
GREEDY_TALK_S = 200.0
PING_EVERY_S = 10.0
PING_BYTES = 1_000  # of the id that comes back with each pong
PINGS_PER_PACKET = 50  # the sockets of both sides hold up to 10 MB
ALLOWED_RATIO = 3.0  # of the p95 of finals, beside greedy clients and alone
ALLOWED_GROWTH_MB = 150.0
_MB = 1 << 20
_SAMPLE_EVERY_S = 0.25


def run(scenario: Scenario) -> Report:
    """A speaker alone, then beside the others."""
    clips = spoken_clips(scenario)
    with running_servers(scenario.scratch, 1, **SETTINGS) as servers:
        service = servers.running[0]
        alone, beside = playlists(clips, 1, QUIET_S), playlists(clips, 1, LOADED_S)
        quiet = figures([asyncio.run(speak(service.stream_url, alone[0]))], alone)
        chance = scenario.chance("greedy")
        talk = make_talk(scenario.voices, chance, GREEDY_TALK_S)
        before = rss_bytes(service.pid)
        record, others, peak = asyncio.run(_beside(service, beside[0], talk))
        loaded = figures([record], beside)
        codes = Counter(event["code"] for event in service.events("connection_failed"))
    ratio = _p95(loaded) / _p95(quiet)
    growth_mb = (peak - before) / _MB
    defects = list(others.pop("defects"))
    defects += [f"no client ended with {code}" for code in ("client_too_slow", "idle_timeout") if not codes[code]]
    defects += [f"the speaker: {fault} {loaded[fault]}" for fault in ("lost", "doubled", "failed") if loaded[fault]]
    if record.failure:
        defects.append(f"the speaker: {record.failure}")
    if ratio > ALLOWED_RATIO:
        defects.append(f"finals of the speaker came {ratio:.1f} times as late")
    if growth_mb > ALLOWED_GROWTH_MB:
        defects.append(f"the server grew by {growth_mb:.0f} MB")
    return {
        "speaker_alone": quiet,
        "speaker_beside": loaded,
        "p95_ratio": round(ratio, 2),
        "server_mb_before": round(before / _MB, 1),
        "server_mb_at_most": round(peak / _MB, 1),
        "connections_ended_as": dict(codes),
        **others,
        "defects": defects,
    }


def _p95(found: Report) -> float:
    return float(found["final_after_speech_ms"]["p95"] or 0.0)


async def _beside(service: ServiceProcess, said: Playlist, talk: Talk) -> tuple[SessionRecord, Report, int]:
    """What the speaker was told, what became of the others, and the most memory of the server meanwhile."""
    until_s = time.monotonic() + LOADED_S
    async with _watched_bytes(service.pid) as sampled:
        record, unread, rounds, kept, silent_s = await asyncio.gather(
            speak(service.stream_url, said),
            never_read(service.stream_url, talk.pcm, until_s),
            send_fast(service.http_url, talk, until_s),
            keep_alive(service.stream_url, until_s),
            say_nothing(service.stream_url),
        )
    defects = []
    if unread is None:
        defects.append("the connection of a client that never reads was not ended")
    if kept != "completed":
        defects.append(f"a client that only sends pings ended as {kept!r}")
    others: Report = {
        "unread_connection_ended_after_s": unread,
        "streams_at_50_times_real_time": rounds,
        "silent_connection_ended_after_s": silent_s,
        "pinging_connection": kept,
        "defects": defects,
    }
    return record, others, max(sampled)


@asynccontextmanager
async def _watched_bytes(pid: int) -> AsyncIterator[list[int]]:
    """Samples of the memory of a process."""
    sampled = [rss_bytes(pid)]

    async def watch() -> None:
        while True:
            sampled.append(rss_bytes(pid))
            await asyncio.sleep(_SAMPLE_EVERY_S)

    watching = asyncio.create_task(watch())
    try:
        yield sampled
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def never_read(stream_url: str, pcm: bytes, until_s: float) -> float | None:
    """Sends what makes the server answer, and takes no answer; after how many seconds it was cut off."""
    began_s = time.monotonic()
    ping = json.dumps({"type": "ping", "id": "x" * PING_BYTES})
    unread: dict[str, Any] = {"max_queue": 1, "compression": None, "ping_interval": None, "close_timeout": 0.1}
    async with connect(stream_url, proxy=None, **unread) as socket:
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + until_s - began_s):
                await socket.send('{"type": "start"}')
                for first in cycle(range(0, len(pcm), PACKET_BYTES)):
                    await socket.send(pcm[first : first + PACKET_BYTES])
                    for _ in range(PINGS_PER_PACKET):
                        await socket.send(ping)
        except ConnectionClosed:
            return round(time.monotonic() - began_s, 1)
        except TimeoutError:
            pass
    return None


async def send_fast(http_url: str, talk: Talk, until_s: float) -> int:
    """Says the same over and over, much faster than anybody speaks; how often."""
    rounds = 0
    while time.monotonic() < until_s:
        await listen(http_url, Speaker(talk.pcm, GREEDY_SPEED), language=talk.language)
        rounds += 1
    return rounds


async def keep_alive(stream_url: str, until_s: float) -> str:
    """Sends pings, no audio, and then the end; how the session ended."""
    async with connect(stream_url, ping_interval=None, proxy=None) as socket:
        await socket.send('{"type": "start"}')
        while time.monotonic() < until_s:
            await socket.send('{"type": "ping"}')
            await asyncio.sleep(PING_EVERY_S)
        await socket.send('{"type": "end"}')
        messages = [json.loads(frame) async for frame in socket]
    return str(messages[-1].get("reason") or messages[-1].get("code"))


async def say_nothing(stream_url: str) -> float:
    """Begins a session and leaves it at that; after how many seconds it was ended."""
    began_s = time.monotonic()
    async with connect(stream_url, ping_interval=None, proxy=None) as socket:
        await socket.send('{"type": "start"}')
        with suppress(ConnectionClosed):
            async for _ in socket:
                pass
    return round(time.monotonic() - began_s, 1)
