"""The examples on the pages of the protocols do what they say, with the packages that they are written for."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.fixtures.client_packages import DEEPGRAM, OPENAI, ROOT, installed
from tests.fixtures.examples import examples
from tests.fixtures.recordings import Clip
from tests.fixtures.server import RunningServer

PROGRAMS = {"python": [sys.executable, "-"], "bash": ["bash", "-eu", "-"]}

pytestmark = pytest.mark.timeout(300)  # the first run installs


@pytest.mark.parametrize(
    ("page", "example", "packages", "language"),
    [
        ("openai-realtime", "realtime", OPENAI, "zh"),
        ("openai-rest", "curl", (), "en"),
        ("deepgram", "deepgram", DEEPGRAM, "en"),
    ],
)
def test_an_example_prints_what_is_said(
    server: RunningServer,
    sample_clips: dict[str, Clip],
    tmp_path: Path,
    page: str,
    example: str,
    packages: Sequence[str],
    language: str,
) -> None:
    kind, code = examples(ROOT / "docs" / "api" / f"{page}.md")[example]
    (tmp_path / f"sample-{language}.wav").symlink_to(sample_clips[language].path)
    done = subprocess.run(
        PROGRAMS[kind],
        input=code.replace("127.0.0.1:8000", server.http_url.removeprefix("http://")),
        env=os.environ | ({"PYTHONPATH": str(installed(packages))} if packages else {}),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert sample_clips[language].errors_in(done.stdout) <= 0.1, done.stdout
