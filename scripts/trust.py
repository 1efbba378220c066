"""Runs against the real service that show whether words are lost or invented, and whether sessions leak or grow.

``scripts/benchmarks/clips.py`` says what the folder of recordings holds. Each run writes ``build/trust-NAME.json`` and
``build/trust-NAME.md``, and fails if there are defects.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scripts.benchmarks import cuts, long_recording, many_sessions, monologue, wordless
from scripts.benchmarks.service_process import ServiceProcess, running_service

FOLDER = Path("build")
# Sessions send as fast as they can here: nobody is to be refused for the load that they are.
_ADMIT_ALL = {"ASR_SERVER__MAX_LOAD": "0"}
_SETTINGS = {"sessions": many_sessions.SETTINGS, "long": long_recording.SETTINGS}


def main() -> None:
    """The command."""
    arguments = _parser().parse_args()
    with tempfile.TemporaryDirectory() as scratch, running_service(Path(scratch), **arguments.settings) as service:
        report = arguments.run(service, arguments, Path(scratch))
    _write(arguments.name, report, arguments.markdown(report))
    if report["defects"]:
        sys.exit(f"trust: {len(report['defects'])} defects in {arguments.name}:\n" + "\n".join(report["defects"]))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="recordings with manifest.jsonl")
    runs = parser.add_subparsers(required=True, metavar="RUN")

    def add(name: str, help_text: str, run: Callable[..., dict[str, Any]], markdown: Any, **scale: float) -> None:
        command = runs.add_parser(name, help=help_text)
        for option, default in scale.items():
            command.add_argument(f"--{option}", type=type(default), default=default, help=f"default: {default}")
        command.set_defaults(name=name, run=run, markdown=markdown, settings=_ADMIT_ALL | _SETTINGS.get(name, {}))

    add("silence", "silence and noise have no words", _silence, wordless.markdown, minutes=60.0)
    add("cuts", "no first and no last word is lost where audio begins or ends", _cuts, cuts.markdown, cuts=200)
    add("monologue", "speech without pauses, cut by force", _monologue, monologue.markdown, minutes=10.0)
    add("sessions", "sessions do not leak, nor into each other", _sessions, many_sessions.markdown, sessions=1_000)
    add("long", "a long recording: bounded memory, no drift of times", _long, long_recording.markdown, hours=6.0)
    return parser


def _silence(service: ServiceProcess, arguments: argparse.Namespace, _scratch: Path) -> dict[str, Any]:
    return asyncio.run(wordless.run_wordless(service, arguments.folder, arguments.minutes))


def _cuts(service: ServiceProcess, arguments: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    return asyncio.run(cuts.run_cuts(service, arguments.folder, scratch, arguments.cuts))


def _monologue(service: ServiceProcess, arguments: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    return asyncio.run(monologue.run_monologue(service, arguments.folder, scratch, arguments.minutes))


def _sessions(service: ServiceProcess, arguments: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    return asyncio.run(many_sessions.run_many_sessions(service, arguments.folder, scratch, arguments.sessions))


def _long(service: ServiceProcess, arguments: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    return long_recording.run_long_recording(service, arguments.folder, scratch, arguments.hours)


def _write(name: str, report: dict[str, Any], table: str) -> None:
    FOLDER.mkdir(exist_ok=True)
    text = json.dumps(report, ensure_ascii=False, indent=2)
    (FOLDER / f"trust-{name}.json").write_text(text + "\n", encoding="utf-8")
    (FOLDER / f"trust-{name}.md").write_text(table + "\n", encoding="utf-8")
    print(table)


if __name__ == "__main__":
    main()
