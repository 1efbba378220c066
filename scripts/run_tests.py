"""The whole test suite, measuring coverage, in parts that run side by side: end-to-end tests mostly wait."""

import subprocess
import sys
import time
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "build"
_E2E = "tests/e2e"
_OF_SERVERS = [  # tests that start and stop servers of their own, about half of the time
    f"{_E2E}/test_{name}.py"
    for name in (
        "benchmark",
        "commands",
        "javascript_handover",
        "many_servers",
        "protocol_ports",
        "restart",
        "resumption",
        "start_failures",
    )
]
PARTS = {
    "servers": _OF_SERVERS,
    "clients": [_E2E, *(f"--ignore={file}" for file in _OF_SERVERS)],
    "rest": ["tests/architecture", "tests/contract", "tests/integration", "tests/unit"],
}
_LOOK_EVERY_S = 0.5


def main() -> int:
    """Runs all parts at once; the first exit code that tells of a failure, or 0."""
    RESULTS.mkdir(exist_ok=True)
    logs = {name: RESULTS / f"test-{name}.log" for name in PARTS}
    running = {name: _started(name, chosen, logs[name].open("wb")) for name, chosen in PARTS.items()}
    exit_codes: dict[str, int] = {}
    try:
        while len(exit_codes) < len(running):
            time.sleep(_LOOK_EVERY_S)
            for name, process in running.items():
                if name not in exit_codes and process.poll() is not None:
                    exit_codes[name] = process.returncode
                    print(logs[name].read_text(encoding="utf-8"), flush=True)
    finally:
        for process in running.values():
            process.terminate()
    return next((code for code in exit_codes.values() if code), 0)


def _started(name: str, chosen: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    pytest = ["-m", "pytest", "--quiet", f"--junitxml={RESULTS / f'test-{name}.xml'}", *chosen]
    with log:
        return subprocess.Popen(
            [sys.executable, "-m", "coverage", "run", *pytest], cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
        )


if __name__ == "__main__":
    sys.exit(main())
