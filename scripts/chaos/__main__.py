"""Breaks connections, servers and databases under live sessions, and offers too much: nothing may be lost or doubled.

``scripts/benchmarks/clips.py`` says what the folder of recordings holds. Each part writes ``build/chaos-NAME.json`` and
``build/chaos-NAME.md``; the command fails if there are defects. The choices of a run follow from its seed; what the
machine does in between does not, so a run with the same seed is alike, not the same.
"""

import argparse
import json
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripts.benchmarks.processes import machine_cpu_s
from scripts.chaos import cuts, greedy, idle, kill, outages, overload, rolling
from scripts.chaos.scenario import Report, Scenario
from scripts.chaos.talk import read_voices

FOLDER = Path("build")
PARTS: dict[str, Callable[[Scenario], Report]] = {
    "cuts": cuts.run,
    "kill": kill.run,
    "rolling": rolling.run,
    "database": outages.run_database,
    "redis": outages.run_redis,
    "disk": outages.run_disk,
    "greedy": greedy.run,
    "idle": idle.run,
    "overload": overload.run,
}


def main() -> None:
    """The command."""
    arguments = _parser().parse_args()
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit("chaos: stopped"))  # and ends what was started
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    defects: list[str] = []
    for name in arguments.part or PARTS:
        print(f"chaos: {name}, seed {seed}", flush=True)
        defects += [f"{name}: {defect}" for defect in _run(name, seed, arguments.folder)["defects"]]
    if defects:
        sys.exit(f"chaos: {len(defects)} defects with seed {seed}:\n" + "\n".join(defects))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="recordings with manifest.jsonl")
    parser.add_argument("--part", action="append", choices=PARTS, help="of the runs, all if none is named")
    parser.add_argument("--seed", type=int, help="of what is left to chance; one is chosen and printed")
    return parser


def _run(name: str, seed: int, folder: Path) -> Report:
    with tempfile.TemporaryDirectory(prefix="asr-chaos-") as scratch:
        scenario = Scenario(folder, Path(scratch), seed, read_voices(folder, Path(scratch)))
        began_s, spent_s = time.monotonic(), machine_cpu_s()
        report = PARTS[name](scenario)
    took_s = time.monotonic() - began_s
    about: dict[str, Any] = {
        "part": name,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "took_s": round(took_s),
        "cores_busy_on_the_machine": round((machine_cpu_s() - spent_s) / took_s, 2),
    }
    _write(name, about | report)
    return report


def _write(name: str, report: Report) -> None:
    FOLDER.mkdir(exist_ok=True)
    text = json.dumps(report, ensure_ascii=False, indent=2)
    (FOLDER / f"chaos-{name}.json").write_text(text + "\n", encoding="utf-8")
    table = _markdown(name, report)
    (FOLDER / f"chaos-{name}.md").write_text(table + "\n", encoding="utf-8")
    print(table, flush=True)


def _markdown(name: str, report: Report) -> str:
    rows = [f"| {key.replace('_', ' ')} | {_cell(value)} |" for key, value in report.items() if key != "defects"]
    defects = [f"- {defect}" for defect in report["defects"]] or ["No defects."]
    return "\n".join([f"# Chaos: {name}", "", "| what | figure |", "| --- | --- |", *rows, "", *defects])


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')}: {_cell(part)}" for key, part in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


if __name__ == "__main__":
    main()
