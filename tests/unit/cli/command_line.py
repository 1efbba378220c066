"""The command ``asr-service`` in this process, as a shell sees it."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import pytest

from asr_service.cli.app import main


@dataclass(frozen=True)
class Finished:
    """What is left of a command: its exit code, and what it said."""

    exit_code: int
    out: str
    err: str


Run: TypeAlias = Callable[..., Finished]


def run_command(*arguments: object, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Finished:
    """Runs one command to its end."""
    monkeypatch.setattr(sys, "argv", ["asr-service", *map(str, arguments)])
    capsys.readouterr()
    with pytest.raises(SystemExit) as exited:
        main()
    said = capsys.readouterr()
    code = exited.value.code
    return Finished(code if isinstance(code, int) else 0, said.out, said.err)
