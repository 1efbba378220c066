"""The examples of both READMEs do what they say."""

import re
import subprocess
import sys
from pathlib import Path

from asr_service.infrastructure.config.settings import Settings
from tests.fixtures.examples import examples
from tests.fixtures.server import RunningServer, service_environment

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
CHINESE_README = ROOT / "README.zh-CN.md"


def test_both_readmes_have_the_same_examples_and_commands() -> None:
    fences = re.compile(r"^```\w+\n.*?^```", flags=re.DOTALL | re.MULTILINE)
    assert examples(README) == examples(CHINESE_README)
    assert fences.findall(README.read_text(encoding="utf-8")) == fences.findall(
        CHINESE_README.read_text(encoding="utf-8")
    )


def test_the_examples_run_one_after_the_other(
    server: RunningServer, service_settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parent.parent)
    printed = {name: _run(*example, server, service_settings, tmp_path) for name, example in examples(README).items()}

    assert "sample-en.wav" in printed["samples"]
    assert '{"text":"' in printed["curl"]
    assert " --> " in printed["curl"]
    assert "你好世界" in printed["curl"]
    assert printed["stream"].strip()
    assert re.search(r"^partial .", printed["python"], flags=re.MULTILINE)
    assert re.search(r"^final .*你好世界", printed["python"], flags=re.MULTILINE)
    assert "你好世界" in (tmp_path / "subtitles" / "sample-zh.srt").read_text(encoding="utf-8")


def _run(language: str, code: str, server: RunningServer, settings: Settings, folder: Path) -> str:
    """Runs an example as a reader would, against the server of the test instead of the one on port 8000."""
    code = code.replace("127.0.0.1:8000", server.http_url.removeprefix("http://"))
    if language == "bash" and "asr-service stream" in code:
        code = code.rstrip() + f" --url {server.http_url}\n"
    program = [sys.executable, "-"] if language == "python" else ["bash", "-eu", "-"]
    done = subprocess.run(
        program, input=code, env=service_environment(settings), cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
