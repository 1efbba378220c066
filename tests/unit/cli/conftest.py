"""A command line whose settings are nobody's but the test's."""

import os
from functools import partial
from pathlib import Path

import pytest

from tests.unit.cli.command_line import Run, run_command


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs commands in an empty folder, with an empty cache and without the variables of this machine."""
    for name in os.environ:
        if name.upper().startswith("ASR_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("ASR_MODELS__CACHE_DIRECTORY", str(tmp_path / "cache"))
    monkeypatch.setenv("ASR_DATABASE__URL", f"sqlite:///{tmp_path / 'asr.db'}")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)
    return partial(run_command, capsys=capsys, monkeypatch=monkeypatch)
