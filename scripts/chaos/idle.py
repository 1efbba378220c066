"""A thousand microphones that are open all day, and into which somebody says a word now and then."""

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import numpy as np

from asr_service.bootstrap import open_model_store
from asr_service.infrastructure.config.loading import load_settings
from asr_service.infrastructure.vad.silero_model import SileroModel
from scripts.benchmarks.live_measures import summary_ms
from scripts.benchmarks.processes import cpu_s, machine_cpu_s, rss_bytes
from scripts.benchmarks.recordings import RATE_HZ
from scripts.benchmarks.service_metrics import MetricsDifference, Samples, read_samples
from scripts.benchmarks.service_process import ServiceProcess, running_service
from scripts.benchmarks.speech_bounds import find_speech
from scripts.chaos.idle_generator import IdlePlan, IdleRecords, read_idle_records
from scripts.chaos.scenario import Report, Scenario

SESSIONS = 1_000
PACKET_MS = 200
MODEL, LANGUAGE = "whisper-tiny.en", "en"  # eight utterances a second are more than Whisper base does beside the rest
PERIOD_MS = 120_000
DURATION_S = 245.0  # at least four minutes: two utterances of each
LONGEST_UTTERANCE_S = 3.3  # about 2 % of the period on an average
NOISE_DBFS = -60.0  # a quiet room
NOISE_S = 10.0
SETTINGS = {
    "ASR_SERVER__MAX_LOAD": "0",
    "ASR_SERVER__MAX_SESSIONS": "1100",
    "ASR_RECOGNIZER__MODEL": MODEL,
}
ALLOWED_P95_MS, ALLOWED_KB = 1_500, 150
_NEAR_MS = 700  # a final that ends further from the end of speech is another's
_SETTLING_S = 5.0
_WAIT_S = 600.0
_LOOP_LAG = "asr_event_loop_lag_seconds"


@dataclass(frozen=True, slots=True)
class Usage:
    """What had been used at one moment, in CPU seconds, and the gateway's memory."""

    at_s: float
    gateway_cpu_s: float
    workers_cpu_s: float
    generator_cpu_s: float
    machine_cpu_s: float
    gateway_bytes: int
    metrics: Samples


def run(scenario: Scenario) -> Report:
    """All at once for four minutes; the generator is one process beside the service."""
    utterances = _write_utterances(scenario)
    with running_service(scenario.scratch, **SETTINGS) as service:
        plan = IdlePlan(
            service.port,
            SESSIONS,
            PACKET_MS,
            PERIOD_MS,
            DURATION_S,
            str(_write_noise(scenario)),
            utterances,
        )
        (scenario.scratch / "plan.json").write_text(json.dumps(asdict(plan)), encoding="utf-8")
        empty_bytes = rss_bytes(service.pid)
        opened, before, after = _generate(service, scenario.scratch)
    records = read_idle_records(scenario.scratch / "records.json")
    return _report(records, empty_bytes, opened, before, after)


def _generate(service: ServiceProcess, scratch: Path) -> tuple[Usage, Usage, Usage]:
    """What was used when all were open, when the first packet was sent, and when the last one was due."""
    command = [sys.executable, "-m", "scripts.chaos.idle_generator"]
    with subprocess.Popen(
        [*command, str(scratch / "plan.json"), str(scratch / "records.json")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as generator:
        try:
            assert generator.stdin is not None
            _line(generator.stdout)
            time.sleep(_SETTLING_S)
            opened = _usage(service, generator.pid)
            generator.stdin.write("\n")
            generator.stdin.flush()
            began_s = _line(generator.stdout)
            before = _usage(service, generator.pid)
            time.sleep(max(0.0, began_s + DURATION_S - time.monotonic()))
            after = _usage(service, generator.pid)
            generator.wait(_WAIT_S)
        finally:
            generator.kill()
    return opened, before, after


def _line(stream: IO[str] | None) -> float:
    assert stream is not None
    return float(stream.readline())


def _usage(service: ServiceProcess, generator_pid: int) -> Usage:
    gateway_s = cpu_s(service.pid, descendants=False)
    return Usage(
        time.monotonic(),
        gateway_s,
        cpu_s(service.pid) - gateway_s,
        cpu_s(generator_pid),
        machine_cpu_s(),
        rss_bytes(service.pid),
        read_samples(service.metrics_text()),
    )


def _write_utterances(scenario: Scenario) -> list[tuple[str, str, int]]:
    store = open_model_store(load_settings())
    store.pull(MODEL, lambda _progress: None)
    model = SileroModel(store.locate("silero-vad") / "silero_vad.onnx", threads=1)
    short = [voice for voice in scenario.voices if voice.language == LANGUAGE and voice.seconds <= LONGEST_UTTERANCE_S]
    found = []
    for number, voice in enumerate(short):
        bounds = find_speech(model, voice.pcm)
        if bounds is not None:
            path = scenario.scratch / f"utterance-{number}.pcm"
            path.write_bytes(voice.pcm)
            found.append((str(path), voice.language, bounds.end_ms))
    if not found:
        raise ValueError(f"no recording in {LANGUAGE} with speech of at most {LONGEST_UTTERANCE_S} s")
    return found


def _write_noise(scenario: Scenario) -> Path:
    deviation = 32_768 * 10 ** (NOISE_DBFS / 20)
    noise = np.random.default_rng(scenario.seed).normal(0, deviation, round(NOISE_S * RATE_HZ))
    path = scenario.scratch / "noise.pcm"
    path.write_bytes(np.round(noise).astype("<i2").tobytes())
    return path


def latencies_s(records: IdleRecords) -> tuple[list[float], int]:
    """From each end of speech to its final, and how many have none."""
    found, lost = [], 0
    for record in records.sessions:
        for end_ms in record.speech_ends_ms:
            came = [at_s for at_s, ended_ms, _ in record.finals if abs(ended_ms - end_ms) <= _NEAR_MS]
            if came:
                found.append(came[0] - record.first_sample_s - end_ms / 1_000)
            else:
                lost += 1
    return found, lost


def _report(records: IdleRecords, empty_bytes: int, opened: Usage, before: Usage, after: Usage) -> Report:
    found_s, lost = latencies_s(records)
    window_s = after.at_s - before.at_s
    metrics = MetricsDifference(before.metrics, after.metrics)
    dropped = [record for record in records.sessions if record.reason != "completed"]
    kb_open, kb_later = ((usage.gateway_bytes - empty_bytes) / SESSIONS / 1_024 for usage in (opened, after))
    finals = summary_ms(found_s)

    def cores(name: str) -> float:
        spent_s: float = getattr(after, name) - getattr(before, name)
        return round(spent_s / window_s, 2)

    defects = [f"a session ended as {each.reason or each.error or each.close_code!r}" for each in dropped]
    if lost:
        defects.append(f"{lost} utterances of {lost + len(found_s)} have no final where their speech ends")
    if (finals["p95"] or 0) > ALLOWED_P95_MS:
        defects.append(f"p95 of finals after the end of speech is {finals['p95']} ms")
    if kb_later > ALLOWED_KB:
        defects.append(f"{kb_later:.0f} KB per session")
    return {
        "sessions": SESSIONS,
        "model": MODEL,
        "packet_ms": PACKET_MS,
        "window_s": round(window_s),
        "dropped": len(dropped),
        "utterances": lost + len(found_s),
        "final_after_speech_ms": finals,
        "kb_per_session_when_open": round(kb_open, 1),
        "kb_per_session_at_the_end": round(kb_later, 1),
        "gateway_cores": cores("gateway_cpu_s"),
        "worker_cores": cores("workers_cpu_s"),
        "generator_cores": cores("generator_cpu_s"),
        "all_cores_busy": cores("machine_cpu_s"),
        "generator_lateness_ms": summary_ms(records.lateness_s),
        "loop_lag_ms": metrics.percentiles_ms(_LOOP_LAG),
        "queue_wait_ms": metrics.percentiles_ms("asr_queue_wait_seconds"),
        "defects": defects,
    }
