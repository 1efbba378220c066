"""A recording of many hours, mostly silence: memory, and whether word times drift."""

import threading
import time
import wave
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from scripts.benchmarks.clips import Clip, read_manifest
from scripts.benchmarks.processes import rss_bytes
from scripts.benchmarks.recordings import RATE_HZ, canonical_pcm, silence
from scripts.benchmarks.service_process import ServiceProcess

SETTINGS = {"ASR_AUDIO__MAX_FILE_HOURS": "24"}
MB_ALLOWED = 200.0
DRIFT_ALLOWED_MS = 100.0
_LOOP_S = 600
_SPEECH_SHARE = 0.05
_PAUSE_MS = 2_000
_CLIP_SECONDS = (3.0, 10.0)
_TIMEOUT_S = 3_600
_MB = 1 << 20


def run_long_recording(service: ServiceProcess, folder: Path, scratch: Path, hours: float) -> dict[str, Any]:
    """Uploads so many hours to ``POST /v1/audio/transcriptions``; one loop of ten minutes is 5 % speech."""
    clips = [clip for clip in read_manifest(folder, scratch) if clip.group == "en"]
    loop = loop_of([clip for clip in clips if _CLIP_SECONDS[0] <= clip.seconds <= _CLIP_SECONDS[1]])
    loops = max(2, round(hours * 3_600 / (len(loop) / 2 / RATE_HZ)))
    path = scratch / "long.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        for _ in range(loops):
            file.writeframes(loop)
    _upload(service, loop_file(scratch, loop))  # warm: what the first request allocates is no growth
    started_s = time.monotonic()
    with sampled_rss(service.pid) as samples:
        transcript = _upload(service, path)
    taken_s = time.monotonic() - started_s
    return summary(transcript, loops, len(loop) / 2 / RATE_HZ, samples, taken_s)


def loop_of(clips: Sequence[Clip]) -> bytes:
    """Speech, then silence; not a whole number of windows, so that no loop is cut like the one before."""
    pcm, wanted = b"", _LOOP_S * _SPEECH_SHARE * RATE_HZ * 2
    for clip in clips:
        if len(pcm) < wanted:
            pcm += silence(_PAUSE_MS) + canonical_pcm(clip.path)
    return pcm + bytes(_LOOP_S * RATE_HZ * 2 + 2 * 100 - len(pcm))


def loop_file(scratch: Path, loop: bytes) -> Path:
    """One loop as a file of its own."""
    path = scratch / "loop.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(loop)
    return path


def _upload(service: ServiceProcess, path: Path) -> dict[str, Any]:
    form = {"language": "en", "response_format": "verbose_json", "timestamp_granularities[]": "word"}
    with path.open("rb") as file:
        answer = httpx.post(
            f"{service.http_url}/v1/audio/transcriptions", files={"file": file}, data=form, timeout=_TIMEOUT_S
        )
    transcript: dict[str, Any] = answer.raise_for_status().json()
    return transcript


@contextmanager
def sampled_rss(pid: int) -> Iterator[list[int]]:
    """The resident bytes of a process each half second while the block runs, the first sample before it."""
    samples, done = [rss_bytes(pid)], threading.Event()

    def sample() -> None:
        while not done.wait(0.5):
            samples.append(rss_bytes(pid))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield samples
    finally:
        done.set()
        sampler.join()


def summary(
    transcript: dict[str, Any], loops: int, loop_s: float, samples: Sequence[int], taken_s: float
) -> dict[str, Any]:
    """Growth of the memory; how far the words of the loops lie from those of the first."""
    by_loop: list[list[dict[str, Any]]] = [[] for _ in range(loops)]
    for word in transcript["words"]:
        by_loop[min(int(word["start"] // loop_s), loops - 1)].append(word)
    first, last = by_loop[0], by_loop[-1]
    shifts_ms = [
        1_000 * (late["start"] - (loops - 1) * loop_s - early["start"])
        for early, late in zip(first, last, strict=False)
    ]
    texts = [[word["word"] for word in words] for words in by_loop]
    drift_ms = sorted(shifts_ms)[len(shifts_ms) // 2] if shifts_ms else 0.0
    growth_mb = (max(samples) - samples[0]) / _MB
    return {
        "hours": round(loops * loop_s / 3_600, 2),
        "taken_s": round(taken_s, 1),
        "duration_s": transcript["duration"],
        "loops": loops,
        "words": sum(map(len, texts)),
        "loops_with_the_text_of_the_first": sum(text == texts[0] for text in texts),
        "server_growth_mb": round(growth_mb, 1),
        "drift_ms": round(drift_ms, 1),
        "largest_shift_of_a_word_ms": round(max(map(abs, shifts_ms), default=0.0), 1),
        "defects": [
            *([f"the server grew by {growth_mb:.0f} MB"] if growth_mb >= MB_ALLOWED else []),
            *([f"word times drift by {drift_ms:.0f} ms"] if abs(drift_ms) > DRIFT_ALLOWED_MS else []),
            *([f"words by loop: {[len(text) for text in texts]}"] if len({len(text) for text in texts}) > 1 else []),
        ],
        "texts": [" ".join(text) for text in texts],
        "memory_samples_bytes": list(samples),
    }


def markdown(report: dict[str, Any]) -> str:
    """The figures in a few lines."""
    return "\n".join(
        (
            f"{report['hours']} h ({report['loops']} loops) in {report['taken_s']} s; {report['words']} words,"
            f" {report['loops_with_the_text_of_the_first']} loops with the same text as the first.",
            f"The server grew by {report['server_growth_mb']} MB.",
            f"Words of the last loop lie {report['drift_ms']} ms (median) from those of the first,"
            f" at most {report['largest_shift_of_a_word_ms']} ms.",
        )
    )
