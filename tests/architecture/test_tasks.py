"""The tasks of the project are where everybody looks for them."""

import re
import subprocess

from tests.architecture.source_tree import ROOT


def test_make_help_lists_every_task() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.+)$", makefile, flags=re.MULTILINE)
    assert phony is not None
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    listed = set(re.findall(r"^  make ([a-z-]+) +\w", shown, flags=re.MULTILINE))
    assert set(phony.group(1).split()) - listed == {"setup-check", "setup-test", "setup-engines"}
    assert {"setup", "run", "test", "check", "clean", "accuracy"} <= listed


def test_scripts_named_by_the_tasks_exist() -> None:
    named = set(re.findall(r"scripts/\w+\.py", (ROOT / "Makefile").read_text()))
    assert [script for script in sorted(named) if not (ROOT / script).is_file()] == []


def test_the_verdict_on_a_commit_is_check_and_all_tests() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert "set -euo pipefail" in lines
    assert [line for line in lines if line.startswith("make ")] == ["make check", "make test", "make test-engines"]
