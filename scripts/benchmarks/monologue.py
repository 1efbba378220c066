"""Speech without pauses, which the service has to cut by force, beside the same speech with pauses to cut at."""

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import jiwer
import numpy as np

from scripts.benchmarks.answers import Answer, heard
from scripts.benchmarks.clips import Clip, normalize, read_manifest
from scripts.benchmarks.recordings import BYTES_PER_MS, canonical_pcm
from scripts.benchmarks.service_process import ServiceProcess

_MAX_UTTERANCE_MS = (25_000, 5_000)
_FRAME_MS = 20
_KEPT_PAUSE_FRAMES = 5  # 100 ms: the closure of a stop consonant is no pause
_BELOW_PEAK_DB = 35.0
_SHORTEST_CLIP_S = 60.0


async def run_monologue(
    service: ServiceProcess, folder: Path, scratch: Path, minutes: float, longest_ms: Sequence[int] = _MAX_UTTERANCE_MS
) -> dict[str, Any]:
    """So many minutes of each language, with pauses and without, cut by force at some lengths.

    One person speaks for minutes in each recording, which is repeated.
    """
    clips = [clip for clip in read_manifest(folder, scratch) if clip.seconds >= _SHORTEST_CLIP_S]
    results = {}
    for group in ("en", "zh"):
        spoken = [(clip, canonical_pcm(clip.path)) for clip in clips if clip.group == group]
        results[group] = await _compared(service, group, _repeated(spoken, minutes), longest_ms)
    defects = [
        f"{group}, cut {way}: {figures['fault']}"
        for group, ways in results.items()
        for way, figures in ways.items()
        if figures["fault"]
    ]
    return {"languages": results, "defects": defects}


async def _compared(
    service: ServiceProcess, group: str, spoken: Sequence[tuple[Clip, bytes]], longest_ms: Sequence[int]
) -> dict[str, Any]:
    """Errors by the way in which the speech is cut into utterances."""
    reference = normalize(" ".join(clip.reference for clip, _ in spoken), group)
    without = b"".join(without_pauses(pcm) for _, pcm in spoken)
    ways = {"at pauses": (b"".join(pcm for _, pcm in spoken), max(longest_ms))}
    ways |= {f"by force, {limit_ms} ms": (without, limit_ms) for limit_ms in longest_ms}
    figures = {}
    for way, (pcm, limit_ms) in ways.items():
        answer = await _answer(service, pcm, group, limit_ms)
        figures[way] = errors(reference, normalize(answer.text, group), group)
        figures[way] |= {
            "speech_s": round(len(without) / BYTES_PER_MS / 1_000, 1),
            "fault": answer.fault,
            "text": answer.text,
        }
    return figures


def _repeated(spoken: Sequence[tuple[Clip, bytes]], minutes: float) -> list[tuple[Clip, bytes]]:
    """The recordings over and over, until they last so long."""
    chosen: list[tuple[Clip, bytes]] = []
    for item in cycle(spoken):
        if sum(len(pcm) for _, pcm in chosen) >= minutes * 60_000 * BYTES_PER_MS:
            return chosen
        chosen.append(item)
    return chosen


def without_pauses(pcm: bytes) -> bytes:
    """The recording without the quiet before, after and, beyond 100 ms, between its words."""
    size = _FRAME_MS * BYTES_PER_MS // 2
    samples = np.frombuffer(pcm, "<i2")
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    levels_db = 10 * np.log10(np.maximum(np.square(frames.astype(np.float64)).mean(axis=1), 1.0))
    loud = levels_db >= max(levels_db.max() - _BELOW_PEAK_DB, np.percentile(levels_db, 10) + 6)
    kept, quiet = [], _KEPT_PAUSE_FRAMES
    for number, is_loud in enumerate(loud):
        quiet = 0 if is_loud else quiet + 1
        if quiet <= _KEPT_PAUSE_FRAMES:
            kept.append(number)
    return frames[kept].tobytes()


async def _answer(service: ServiceProcess, pcm: bytes, group: str, longest_ms: int) -> Answer:
    return await heard(
        service.stream_url,
        pcm,
        language=group,
        word_times=False,
        partials={"enabled": False},
        endpointing={"max_utterance_ms": longest_ms},
    )


def errors(reference: str, text: str, group: str) -> dict[str, Any]:
    """Errors by kind, in percent of the words (Mandarin: characters) that were spoken."""
    if group == "zh":  # joined by spaces, characters are words to jiwer as well
        reference, text = " ".join(reference), " ".join(text)
    output = jiwer.process_words(reference, text)
    spoken = output.hits + output.substitutions + output.deletions
    return {
        "error_percent": round(100 * output.wer, 2),
        "lost_percent": round(100 * output.deletions / spoken, 2),
        "invented_percent": round(100 * output.insertions / spoken, 2),
    }


def markdown(report: dict[str, Any]) -> str:
    """Errors by language and way to cut."""
    rows = [
        f"| {group} ({it['speech_s']} s) | {way} | {it['error_percent']} % | {it['lost_percent']} %"
        f" | {it['invented_percent']} % |"
        for group, ways in report["languages"].items()
        for way, it in ways.items()
    ]
    return "\n".join(("| language | cut | errors | lost | invented |", "| --- | --- | --- | --- | --- |", *rows))
