"""Many sessions, one after the other and side by side: memory, leftovers, and whether any text depends on another session."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from scripts.benchmarks.answers import heard
from scripts.benchmarks.clips import Clip, read_manifest
from scripts.benchmarks.processes import rss_bytes
from scripts.benchmarks.recordings import canonical_pcm
from scripts.benchmarks.service_process import ServiceProcess

PARALLEL = 100
SETTINGS = {"ASR_SERVER__MAX_SESSIONS": str(PARALLEL + 28), "ASR_SERVER__DRAIN_DEADLINE_S": "300"}
MB_ALLOWED_PER_100_SESSIONS = 1.0
_SECONDS = (1.5, 5.0)  # shortest and longest recording
_SAMPLE_EVERY = 10
_BREAK_OFF_EVERY = 7
_HALF_CLOSE_EVERY = 11
_HOTWORDS_EVERY = 5
_HOTWORDS = ("Loft", "wizard", "Quilter", "陈妍希", "经济", "meters")
_WARM_UP_SHARE = 0.3
_SETTLING_TRIES = 100
_MB = 1 << 20


@dataclass(frozen=True, slots=True)
class Marker:
    """A recording that is told from all others by its words, and how it is sent."""

    clip: Clip
    pcm: bytes
    hotwords: bool

    @property
    def key(self) -> str:
        return f"{self.clip.name}{' with hotwords' if self.hotwords else ''}"

    @property
    def start(self) -> dict[str, Any]:
        """Fields of the ``start`` message; the language is detected, since that is a state that could leak, too."""
        return {"hotwords": _HOTWORDS} if self.hotwords else {}


async def run_many_sessions(service: ServiceProcess, folder: Path, scratch: Path, count: int) -> dict[str, Any]:
    """So many sessions in a row, then up to a hundred at once."""
    clips = [clip for clip in read_manifest(folder, scratch) if _SECONDS[0] <= clip.seconds <= _SECONDS[1]]
    pcms = [canonical_pcm(clip.path) for clip in clips]
    texts: dict[str, str] = {}
    defects: list[str] = []
    memory: list[tuple[int, dict[str, int]]] = []
    before = await _leftovers(service)
    for number in range(count):
        place = number % len(clips)
        marker = Marker(clips[place], pcms[place], number % _HOTWORDS_EVERY == 0)
        await _one_more(service, number, marker, texts, defects)
        if number % _SAMPLE_EVERY == 0:
            memory.append((number, _memory(service)))
    parallel = [Marker(clips[i % len(clips)], pcms[i % len(clips)], i % _HOTWORDS_EVERY == 0) for i in range(PARALLEL)]
    for key in sorted({marker.key for marker in parallel} - texts.keys()):  # those that the row did not come to
        marker = next(marker for marker in parallel if marker.key == key)
        await _compare(service, marker, texts, defects)
    at_once = parallel[: min(PARALLEL, count)]
    await asyncio.gather(*(_compare(service, marker, texts, defects) for marker in at_once), *_broken(service, at_once))
    after = await _leftovers(service)
    return summary(count, len(at_once), memory, texts, defects, (before, after))


async def _one_more(
    service: ServiceProcess, number: int, marker: Marker, texts: dict[str, str], defects: list[str]
) -> None:
    if number % _BREAK_OFF_EVERY == _BREAK_OFF_EVERY - 1:
        await broken_off(service.stream_url, marker.pcm, number)
    elif number % _HALF_CLOSE_EVERY == _HALF_CLOSE_EVERY - 1:
        await half_closed(service.stream_url, marker.pcm)
    else:
        await _compare(service, marker, texts, defects)


async def _compare(service: ServiceProcess, marker: Marker, texts: dict[str, str], defects: list[str]) -> None:
    answer = await heard(service.stream_url, marker.pcm, **marker.start)
    if answer.fault:
        defects.append(f"{marker.key}: {answer.fault}")
    elif answer.text != texts.setdefault(marker.key, answer.text):
        defects.append(f"{marker.key} differs: {texts[marker.key]!r}, now {answer.text!r}")


def _broken(service: ServiceProcess, markers: Sequence[Marker]) -> list[Any]:
    """Some connections that are cut while the others speak."""
    return [
        broken_off(service.stream_url, marker.pcm, number) for number, marker in enumerate(markers[::_BREAK_OFF_EVERY])
    ]


async def broken_off(stream_url: str, pcm: bytes, number: int) -> None:
    """A session whose connection is reset somewhere in its audio, other places for other numbers."""
    share = (number * 37 % 100) / 100
    async with connect(stream_url, max_size=None, compression=None, proxy=None) as socket:
        await socket.send(json.dumps({"type": "start"}))
        await socket.send(pcm[: round(len(pcm) * share)])
        socket.transport.abort()


async def half_closed(stream_url: str, pcm: bytes) -> None:
    """A session whose client says nothing more, not even the end, and closes its sending side; it goes on reading."""
    async with connect(stream_url, max_size=None, compression=None, proxy=None) as socket:
        await socket.send(json.dumps({"type": "start"}))
        await socket.send(pcm)
        socket.transport.write_eof()
        try:
            while True:
                await socket.recv()
        except ConnectionClosed:
            pass


def _memory(service: ServiceProcess) -> dict[str, int]:
    """Resident bytes of the server, and of all its workers together."""
    server, *workers = service.pids
    return {"server": rss_bytes(server), "workers": sum(rss_bytes(pid) for pid in workers)}


async def _leftovers(service: ServiceProcess) -> dict[str, float]:
    """What should be as before when nothing is going on: sessions, queues, open files, threads."""
    for _ in range(_SETTLING_TRIES):
        left = _counts(service)
        if not any(value for name, value in left.items() if name not in ("open files", "threads")):
            break
        await asyncio.sleep(0.1)
    return left


def _counts(service: ServiceProcess) -> dict[str, float]:
    counts: dict[str, float] = {}
    for family in text_string_to_metric_families(service.metrics_text()):
        for sample in family.samples:
            if sample.name in ("asr_sessions_active", "asr_queue_items"):
                counts[" ".join((sample.name, *sample.labels.values()))] = sample.value
    counts["open files"] = len(list(Path(f"/proc/{service.pid}/fd").iterdir()))
    counts["threads"] = len(list(Path(f"/proc/{service.pid}/task").iterdir()))
    return counts


def summary(
    count: int,
    parallel: int,
    memory: Sequence[tuple[int, dict[str, int]]],
    texts: dict[str, str],
    defects: list[str],
    leftovers: tuple[dict[str, float], dict[str, float]],
) -> dict[str, Any]:
    """The slope of the memory, what is left, and what is wrong with either."""
    slopes = {name: slope_mb_per_100(memory, name) for name in ("server", "workers")}
    before, after = leftovers
    defects = [
        *defects,
        *(f"{name}: {mb} MB per 100 sessions" for name, mb in slopes.items() if mb >= MB_ALLOWED_PER_100_SESSIONS),
        *(f"left over: {name} {value}" for name, value in after.items() if name.startswith("asr_") and value),
    ]
    return {
        "sessions_in_a_row": count,
        "sessions_at_once": parallel,
        "recordings": len(texts),
        "mb_per_100_sessions": slopes,
        "memory_mb": {
            name: {"first": round(memory[0][1][name] / _MB, 1), "last": round(memory[-1][1][name] / _MB, 1)}
            for name in slopes
        },
        "before": before,
        "after": after,
        "defects": defects,
        "memory_samples_bytes": [{"session": number, **sample} for number, sample in memory],
        "texts": texts,
    }


def slope_mb_per_100(memory: Sequence[tuple[int, dict[str, int]]], name: str) -> float:
    """Linear fit of the memory over the number of sessions, after the warm-up."""
    settled = memory[int(len(memory) * _WARM_UP_SHARE) :]
    if len(settled) < 3:
        return 0.0
    numbers, sizes = zip(*((number, sample[name] / _MB) for number, sample in settled), strict=True)
    return round(100 * float(np.polyfit(numbers, sizes, 1)[0]), 3)


def markdown(report: dict[str, Any]) -> str:
    """Memory as a table, and what is left over."""
    rows = [
        f"| {name} | {it['first']} | {it['last']} | {report['mb_per_100_sessions'][name]} |"
        for name, it in report["memory_mb"].items()
    ]
    return "\n".join(
        (
            f"{report['sessions_in_a_row']} sessions in a row, {report['sessions_at_once']} at once,"
            f" {report['recordings']} different texts; {len(report['defects'])} defects.",
            "",
            "| process | MB at first | MB at last | MB per 100 sessions after warm-up |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
            f"Before: {report['before']}. After: {report['after']}.",
        )
    )
