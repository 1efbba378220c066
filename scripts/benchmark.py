"""Throughput of the service beside faster-whisper's own pipelines, over a folder of recordings.

``scripts/benchmarks/clips.py`` says what the folder holds. Clips up to 15 s are compared with ``WhisperModel.transcribe``,
longer files with ``BatchedInferencePipeline``; model files, beam size and arithmetic are the same, the language is given,
and CPU time is that of all processes, without the loading of the model. Writes ``build/bench.json`` and ``build/bench.md``.
"""

import argparse
import json
import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from asr_service.infrastructure.config.loading import load_settings
from scripts.benchmarks.clips import read_manifest
from scripts.benchmarks.offline import run_offline

FOLDER = Path("build")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="recordings with manifest.jsonl")
    settings = load_settings()
    with tempfile.TemporaryDirectory() as scratch:
        offline = run_offline(settings, read_manifest(parser.parse_args().folder, Path(scratch)))
    machine = _machine() | {"model": settings.recognizer.model, "beam_size": settings.recognizer.beam_size}
    FOLDER.mkdir(exist_ok=True)
    report = {"machine": machine, "offline": offline}
    (FOLDER / "bench.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    (FOLDER / "bench.md").write_text(table(report) + "\n", encoding="utf-8")
    print(table(report))


def _machine() -> dict[str, Any]:
    processor = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    packages = ("asr-service", "faster-whisper", "ctranslate2")
    return {"processor": processor, "cpus": os.cpu_count(), "versions": {name: version(name) for name in packages}}


def table(report: dict[str, Any]) -> str:
    """The figures as a Markdown table, and under it where they come from."""
    rows = []
    for name, part in report["offline"].items():
        ours, theirs = part["service"], part["faster_whisper"]
        errors = ", ".join(
            f"{group} {percent} % / {theirs['error_percent'][group]} %"
            for group, percent in ours["error_percent"].items()
        )
        rows.append(
            f"| {name.replace('_', ' ')} ({part['clips']}, {part['audio_s']:.0f} s) | {ours['audio_s_per_cpu_s']} "
            f"| {theirs['audio_s_per_cpu_s']} | {part['times_the_audio_per_cpu_s']}x | {errors} |"
        )
    machine = report["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    return "\n".join(
        (
            "| recordings | asr-service: audio s per CPU s | faster-whisper | ratio | errors: service / faster-whisper |",
            "| --- | --- | --- | --- | --- |",
            *rows,
            "",
            f"{machine['model']}, beam {machine['beam_size']}, on {machine['cpus']} CPUs ({machine['processor']}); {versions}.",
        )
    )


if __name__ == "__main__":
    main()
