"""What the service is like to its users, in figures that anyone can repeat on a folder of recordings.

``scripts/benchmarks/clips.py`` says what the folder holds. The part *live* has more and more speakers talk to the real service
in real time (``scripts/benchmarks/live.py``). The part *offline* compares its throughput with faster-whisper's own pipelines
(``scripts/benchmarks/offline.py``): clips up to 15 s with ``WhisperModel.transcribe``, longer files with
``BatchedInferencePipeline``; model files, beam size and arithmetic are the same, the language is given, and CPU time is that of
all processes, without the loading of the model. The part *engines*, which ``all`` leaves out because it needs the packages of
optional extras, compares models (``scripts/benchmarks/engines.py``). ``scripts/benchmarks/limits.py`` holds what is promised.

Writes ``bench.json`` (all figures), ``bench.md`` (the tables) and, for the part live, ``bench.svg`` into ``build``.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

from asr_service.infrastructure.config.loading import load_settings
from asr_service.infrastructure.config.settings import Settings
from scripts.benchmarks.clips import read_manifest
from scripts.benchmarks.engines import run_engines
from scripts.benchmarks.latency_plot import latency_plot
from scripts.benchmarks.limits import check_limits
from scripts.benchmarks.live import LivePlan, run_live
from scripts.benchmarks.offline import run_offline
from scripts.benchmarks.report import markdown


def main() -> None:
    """The command; with ``--strict`` the exit code is 1 if a limit does not hold."""
    arguments = _arguments()
    settings = load_settings()
    report: dict[str, Any] = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
        "machine": _machine(),
        "settings": _settings(settings),
    }
    with tempfile.TemporaryDirectory() as scratch:
        clips = read_manifest(arguments.folder, Path(scratch))
        if arguments.part in ("all", "live"):
            report["live"] = run_live(settings, clips, _live_plan(arguments))
        if arguments.part in ("all", "offline"):
            print("bench: recordings, beside faster-whisper", flush=True)
            report["offline"] = run_offline(settings, clips)
        if arguments.part == "engines":
            print("bench: models of several engines", flush=True)
            report["engines"] = run_engines(settings, clips)
    report["limits"] = check_limits(report)
    _write(report, arguments.output)
    if arguments.strict and any(check["holds"] is False for check in report["limits"]):
        sys.exit(1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="recordings with manifest.jsonl")
    parser.add_argument("--part", choices=("all", "live", "offline", "engines"), default="all", help="what is measured")
    parser.add_argument("--speakers", type=_numbers, help="numbers of speakers, with commas between them")
    parser.add_argument("--window", type=float, default=LivePlan().window_s, help="seconds that count in each live run")
    parser.add_argument("--ramp", type=float, default=LivePlan().ramp_s, help="seconds within which speakers begin")
    parser.add_argument("--strict", action="store_true", help="fail if a limit does not hold")
    parser.add_argument("--output", type=Path, default=Path("build"), help="folder of the results")
    return parser.parse_args()


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def _live_plan(arguments: argparse.Namespace) -> LivePlan:
    """The plan that was asked for; runs at a fixed interval stay for the numbers of speakers that are named."""
    usual = LivePlan()
    speakers = arguments.speakers or usual.speakers
    fixed = tuple(number for number in usual.fixed_interval_speakers if number in speakers)
    return LivePlan(speakers, fixed, ramp_s=arguments.ramp, window_s=arguments.window)


def _write(report: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    (folder / "bench.md").write_text(markdown(report), encoding="utf-8")
    if "live" in report:
        (folder / "bench.svg").write_text(latency_plot(report["live"]["runs"]), encoding="utf-8")
    print(markdown(report))


def _commit() -> str:
    """The commit that is checked out, marked if files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    found = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def _machine() -> dict[str, Any]:
    processor = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    packages = ("asr-service", "faster-whisper", "ctranslate2", "onnxruntime", "sherpa-onnx", "websockets", "uvicorn")
    return {
        "processor": processor,
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages if any(distributions(name=name))},
    }


def _settings(settings: Settings) -> dict[str, Any]:
    """What the figures depend on."""
    recognizer = settings.recognizer.model_dump(
        include={"model", "beam_size", "workers", "threads_per_worker", "max_batch"}
    )
    return recognizer | {
        "compute_type": settings.recognizer.arithmetic("cpu"),
        "max_sessions": settings.server.max_sessions,
        "partials": settings.partials.model_dump(),
        "endpointing": settings.endpointing.model_dump(),
    }


if __name__ == "__main__":
    main()
