"""Live recognition as users feel it: speakers in real time against the real service, with more and more of them."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asr_service.infrastructure.config.settings import Settings
from scripts.benchmarks.clips import Clip, word_error_percent
from scripts.benchmarks.live_measures import LiveFigures, heard_utterances, summary_ms
from scripts.benchmarks.load_generator import LoadPlan, LoadRecords, read_records, write_plan
from scripts.benchmarks.native_session import Pace
from scripts.benchmarks.playlists import LANGUAGE, PAUSE_MS, Playlist, SpokenClip, make_playlist, read_spoken_clips
from scripts.benchmarks.processes import cpu_s, machine_cpu_s, rss_bytes
from scripts.benchmarks.service_metrics import MetricsDifference, Samples, read_samples
from scripts.benchmarks.service_process import ServiceProcess, running_service

_STOP_AFTER_S = 120.0  # that sessions may take to end when all is said
_LOOP_LAG = "asr_event_loop_lag_seconds"
_SILENCE_AFTER_MS = 1_000  # a speaker goes on a little after the window, so that the load is the same to its end


@dataclass(frozen=True, slots=True)
class LivePlan:
    """What is measured.

    Attributes:
        speakers: For each run, how many speak.
        fixed_interval_speakers: The same for the runs with ``fixed_interval_ms`` between partials.
        fixed_interval_ms: The interval of those.
        ramp_s: Speakers begin one after the other within this time; what they say in it does not count.
        window_s: After that, what is said for so long counts.
        pace: How audio is sent.
    """

    speakers: tuple[int, ...] = (1, 4, 8, 12, 16, 24, 32)
    fixed_interval_speakers: tuple[int, ...] = (1, 12)
    fixed_interval_ms: int = 1_000
    ramp_s: float = 8.0
    window_s: float = 40.0
    pace: Pace = field(default_factory=lambda: Pace(ping_every=10))


@dataclass(frozen=True, slots=True)
class _Usage:
    """What had been used at one moment."""

    service_cpu_s: float
    gateway_cpu_s: float
    generator_cpu_s: float
    machine_cpu_s: float
    rss_bytes: int
    metrics: Samples


@dataclass(frozen=True, slots=True)
class _Window:
    began_s: float
    ended_s: float
    before: _Usage
    after: _Usage


def run_live(settings: Settings, clips: list[Clip], plan: LivePlan) -> dict[str, Any]:
    """Each run with a service of its own; the default interval of partials first.

    Raises:
        ValueError: No recording can be spoken.
    """
    spoken = read_spoken_clips(settings, clips)
    runs = [(speakers, None) for speakers in plan.speakers]
    fixed = [(speakers, plan.fixed_interval_ms) for speakers in plan.fixed_interval_speakers]
    return {
        "pause_ms": PAUSE_MS,
        "clips": len(spoken),
        "speech_s": round(sum(clip.speech_ms for clip in spoken) / 1_000, 1),
        "ramp_s": plan.ramp_s,
        "window_s": plan.window_s,
        "packet_ms": plan.pace.packet_ms,
        "runs": [run_speakers(spoken, plan, *run) for run in (*runs, *fixed)],
    }


def run_speakers(clips: list[SpokenClip], plan: LivePlan, speakers: int, interval_ms: int | None) -> dict[str, Any]:
    """So many speakers at once, with partials at the interval given, or as the service thinks best."""
    print(
        f"bench: {speakers} live speaker(s)" + (f", a partial every {interval_ms} ms" if interval_ms else ""),
        flush=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        offsets_s = [plan.ramp_s * number / speakers for number in range(speakers)]
        until_ms = round(1_000 * (plan.ramp_s + plan.window_s)) + _SILENCE_AFTER_MS
        playlists = [
            make_playlist(clips, number, until_ms - round(1_000 * offset_s))
            for number, offset_s in enumerate(offsets_s)
        ]
        sounds = _written(playlists, scratch)
        start: dict[str, Any] = {"language": LANGUAGE}
        if interval_ms is not None:
            start["partials"] = {"interval_ms": interval_ms}
        with running_service(scratch) as service:
            idle_bytes = rss_bytes(service.pid)
            load = LoadPlan(
                service.stream_url,
                f"{service.http_url}/health/live",
                plan.pace,
                start,
                list(zip(sounds, offsets_s, strict=True)),
            )
            window, records = _under_load(service, load, plan, scratch)
    about = {"speakers": speakers, "interval_ms": interval_ms}
    return about | _figures(playlists, records, window, idle_bytes)


def _written(playlists: list[Playlist], scratch: Path) -> list[str]:
    paths = [scratch / f"speaker-{number}.pcm" for number in range(len(playlists))]
    for path, playlist in zip(paths, playlists, strict=True):
        path.write_bytes(playlist.pcm)
    return [str(path) for path in paths]


def _under_load(service: ServiceProcess, load: LoadPlan, plan: LivePlan, scratch: Path) -> tuple[_Window, LoadRecords]:
    """Lets all speak, and notes what was used in the window."""
    write_plan(load, scratch / "plan.json")
    with _generator(scratch) as generator:
        assert generator.stdout is not None
        began_s = float(json.loads(generator.stdout.readline())) + plan.ramp_s
        before = _usage_at(began_s, service, generator.pid)
        after = _usage_at(began_s + plan.window_s, service, generator.pid)
        if generator.wait(_STOP_AFTER_S):
            raise subprocess.CalledProcessError(generator.returncode, generator.args)
    window = _Window(began_s, began_s + plan.window_s, before, after)
    return window, read_records(scratch / "records.json")


@contextmanager
def _generator(scratch: Path) -> Iterator[subprocess.Popen[str]]:
    arguments = ["-m", "scripts.benchmarks.load_generator", str(scratch / "plan.json"), str(scratch / "records.json")]
    with subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _usage_at(moment_s: float, service: ServiceProcess, generator_pid: int) -> _Usage:
    time.sleep(max(0.0, moment_s - time.monotonic()))
    return _Usage(
        service_cpu_s=cpu_s(service.pid),
        gateway_cpu_s=cpu_s(service.pid, descendants=False),
        generator_cpu_s=cpu_s(generator_pid),
        machine_cpu_s=machine_cpu_s(),
        rss_bytes=rss_bytes(service.pid),
        metrics=read_samples(service.metrics_text()),
    )


def _figures(playlists: list[Playlist], records: LoadRecords, window: _Window, idle_bytes: int) -> dict[str, Any]:
    figures = LiveFigures()
    references, texts = [], []
    admitted = [
        (playlist, record)
        for playlist, record in zip(playlists, records.sessions, strict=True)
        if record.refused_status is None
    ]
    for playlist, record in admitted:
        figures.add_session(record, playlist.utterances, (window.began_s, window.ended_s))
        references.append(" ".join(utterance.reference for utterance in playlist.utterances))
        texts.append(" ".join(utterance.text for utterance in heard_utterances(record.messages())))
    return {
        "admitted": len(admitted),
        "refused": sum(record.refused_status == 503 for record in records.sessions),
        "broken": sum(bool(record.failure) or record.refused_status not in (None, 503) for record in records.sessions),
        **figures.as_dict(),
        "word_error_percent": word_error_percent(references, texts) if admitted else None,
        **_costs(window, len(admitted), idle_bytes),
        "health_ms": summary_ms(records.health_s),
        "generator_lateness_ms": summary_ms(records.lateness_s),
        "longest_send_delay_ms": round(1_000 * max((record.lateness_s() for _, record in admitted), default=0.0)),
        "service": _told_by_service(MetricsDifference(window.before.metrics, window.after.metrics), window),
    }


def _costs(window: _Window, sessions: int, idle_bytes: int) -> dict[str, Any]:
    """What was used in the window for each second of a stream, and for each stream."""
    before, after = window.before, window.after
    window_s = window.ended_s - window.began_s
    stream_s = sessions * window_s
    service_s = after.service_cpu_s - before.service_cpu_s
    generator_s = after.generator_cpu_s - before.generator_cpu_s
    others_s = after.machine_cpu_s - before.machine_cpu_s - service_s - generator_s

    def per_stream_s(spent_s: float) -> float | None:
        return round(spent_s / stream_s, 3) if sessions else None

    return {
        "cpu_s_per_stream_s": per_stream_s(service_s),
        "gateway_cpu_s_per_stream_s": per_stream_s(after.gateway_cpu_s - before.gateway_cpu_s),
        "generator_cpu_s_per_stream_s": per_stream_s(generator_s),
        "cores_of_other_programs": round(max(0.0, others_s) / window_s, 2),
        "rss_mb": round(after.rss_bytes / 2**20, 1),
        "rss_mb_per_session": round((after.rss_bytes - idle_bytes) / 2**20 / sessions, 2) if sessions else None,
    }


def _told_by_service(metrics: MetricsDifference, window: _Window) -> dict[str, Any]:
    """What the service's own histograms hold of the window."""
    batches = metrics.count("asr_inference_seconds_count")
    requests = {kind: metrics.count("asr_recognition_requests_total", kind=kind) for kind in ("final", "partial")}
    return {
        "queue_wait_ms": metrics.percentiles_ms("asr_queue_wait_seconds"),
        "inference_ms": metrics.percentiles_ms("asr_inference_seconds"),
        "busy_workers": round(metrics.count("asr_inference_seconds_sum") / (window.ended_s - window.began_s), 2),
        "requests_per_batch": round(sum(requests.values()) / batches, 2) if batches else None,
        "finals_recognized": round(requests["final"]),
        "finals_sent": round(metrics.count("asr_finals_total")),
        "partials_recognized": round(requests["partial"]),
        "partials_sent": round(metrics.count("asr_partials_total")),
        "batch_audio_s": round(metrics.count("asr_batch_audio_seconds_total"), 1),
        "loop_lag_ms": metrics.percentiles_ms(_LOOP_LAG),
    }
