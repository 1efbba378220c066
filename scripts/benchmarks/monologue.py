"""Speech without pauses, which the service has to cut by force, beside the same speech with pauses to cut at."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jiwer
import numpy as np

from scripts.benchmarks.answers import Answer, heard
from scripts.benchmarks.clips import Clip, normalize, read_manifest
from scripts.benchmarks.recordings import BYTES_PER_MS, canonical_pcm, silence
from scripts.benchmarks.service_process import ServiceProcess

_MAX_UTTERANCE_MS = (25_000, 5_000)
_PAUSE_MS = 1_000
_FRAME_MS = 20
_KEPT_PAUSE_FRAMES = 5  # 100 ms: the closure of a stop consonant is no pause
_BELOW_PEAK_DB = 35.0
_LONGEST_CLIP_S = 15.0


async def run_monologue(service: ServiceProcess, folder: Path, scratch: Path, minutes: float) -> dict[str, Any]:
    """So many minutes of each language, with pauses and without, cut by force at two lengths."""
    clips = [clip for clip in read_manifest(folder, scratch) if clip.seconds <= _LONGEST_CLIP_S]
    results = {}
    for group in ("en", "zh"):
        spoken = [(clip, without_pauses(canonical_pcm(clip.path))) for clip in clips if clip.group == group]
        results[group] = await _compared(service, group, _repeated(spoken, minutes))
    defects = [
        f"{group}, cut {way}: {figures['fault']}"
        for group, ways in results.items()
        for way, figures in ways.items()
        if figures["fault"]
    ]
    return {"languages": results, "defects": defects}


async def _compared(service: ServiceProcess, group: str, spoken: Sequence[tuple[Clip, bytes]]) -> dict[str, Any]:
    """Errors by the way in which the speech is cut into utterances."""
    reference = normalize(" ".join(clip.reference for clip, _ in spoken), group)
    ways = {"at pauses": (b"".join(pcm + silence(_PAUSE_MS) for _, pcm in spoken), _MAX_UTTERANCE_MS[0])}
    without = b"".join(pcm for _, pcm in spoken)
    ways |= {f"by force, {longest_ms} ms": (without, longest_ms) for longest_ms in _MAX_UTTERANCE_MS}
    answers = await asyncio.gather(*(_answer(service, pcm, group, longest_ms) for pcm, longest_ms in ways.values()))
    speech_s = round(len(without) / BYTES_PER_MS / 1_000, 1)
    return {
        way: {"speech_s": speech_s, **errors(reference, normalize(answer.text, group), group), "fault": answer.fault}
        for way, answer in zip(ways, answers, strict=True)
    }


def _repeated(spoken: Sequence[tuple[Clip, bytes]], minutes: float) -> list[tuple[Clip, bytes]]:
    wanted_bytes, chosen, length = minutes * 60_000 * BYTES_PER_MS, [], 0
    while length < wanted_bytes:
        for item in spoken:
            chosen.append(item)
            length += len(item[1])
            if length >= wanted_bytes:
                break
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
