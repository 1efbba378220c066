"""Speakers in real time with partials, and the times of their finals."""

import asyncio
from collections.abc import Sequence
from math import inf
from typing import Any

from asr_service.infrastructure.config.loading import load_settings
from scripts.benchmarks.clips import read_manifest
from scripts.benchmarks.live_measures import LiveFigures
from scripts.benchmarks.native_session import SessionRecord, run_session
from scripts.benchmarks.playlists import LANGUAGE, Playlist, SpokenClip, make_playlist, read_spoken_clips
from scripts.chaos.scenario import Scenario


def spoken_clips(scenario: Scenario) -> list[SpokenClip]:
    """What speakers say whose latency is measured: English, the true end of speech is known."""
    return read_spoken_clips(load_settings(), read_manifest(scenario.folder, scenario.scratch))


def playlists(clips: list[SpokenClip], count: int, seconds: float) -> list[Playlist]:
    """What so many speakers say."""
    return [make_playlist(clips, number, round(1_000 * seconds)) for number in range(count)]


async def speak(stream_url: str, playlist: Playlist, after_s: float = 0.0) -> SessionRecord:
    """One speaker, who begins after a while."""
    await asyncio.sleep(after_s)
    return await run_session(stream_url, playlist.pcm, language=LANGUAGE)


def figures(records: Sequence[SessionRecord], said: Sequence[Playlist]) -> dict[str, Any]:
    """Of all that was said; times in ms."""
    together = LiveFigures()
    for record, playlist in zip(records, said, strict=True):
        together.add_session(record, playlist.utterances, (-inf, inf))
    found = together.as_dict()
    names = ("final_after_speech_ms", "partial_lag_ms", "utterances", "lost", "doubled", "failed")
    return {name: found[name] for name in names}
