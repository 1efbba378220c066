"""The examples of docs/api/clients.md do what they say."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.examples import examples
from tests.fixtures.node import environment_for_node
from tests.fixtures.recordings import Clip
from tests.fixtures.server import RunningServer

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "api" / "clients.md"

pytestmark = pytest.mark.timeout(300)  # the first run installs Node


def test_the_examples_run_one_after_the_other(
    server: RunningServer, node: Path, sample_clips: dict[str, Clip], tmp_path: Path
) -> None:
    for language, clip in sample_clips.items():
        (tmp_path / f"sample-{language}.wav").symlink_to(clip.path)
    programs = {
        "python": [sys.executable, "-"],
        "bash": ["bash", "-eu", "-"],
        "javascript": [str(node), "--input-type=module", "-"],
    }
    printed = {}
    for name, (language, code) in examples(PAGE).items():
        done = subprocess.run(
            programs[language],
            input=code.replace("127.0.0.1:8000", server.http_url.removeprefix("http://")),
            env=environment_for_node(),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        printed[name] = done.stdout

    for live in ("python_live", "javascript_live"):
        finals = re.findall(r"^final (.*)$", printed[live], flags=re.MULTILINE)
        assert sample_clips["zh"].errors_in("".join(finals)) <= 0.1
    for file in ("python_file", "javascript_file"):
        assert sample_clips["en"].errors_in(printed[file]) <= 0.1
