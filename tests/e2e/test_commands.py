"""The commands that people type."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from asr_service.infrastructure.config.settings import Settings
from tests.fixtures.recordings import Clip
from tests.fixtures.server import RunningServer, service_environment

ASR_SERVICE = Path(sys.executable).parent / "asr-service"  # as installed by pip

RunCommand = Callable[..., str]


@pytest.fixture
def command(service_settings: Settings, tmp_path: Path) -> RunCommand:
    """Runs ``asr-service`` with arguments in a folder of its own; returns what it prints."""

    def run(*arguments: str | Path) -> str:
        done = subprocess.run(
            [ASR_SERVICE, *arguments],
            env=service_environment(service_settings),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return run


def test_stream_shows_partials_and_then_the_text(
    server: RunningServer, command: RunCommand, short_english_clip: Clip
) -> None:
    printed = command(
        "stream", short_english_clip.path, "--language", "en", "--url", f"{server.ws_url}/api/v1/stream"
    ).splitlines()

    partials = [line for line in printed if line.startswith("…")]
    finals = [line for line in printed if not line.startswith("…")]
    assert partials
    assert short_english_clip.errors_in(" ".join(finals)) == 0, printed


def test_stream_sends_a_recording_of_any_format_as_fast_as_it_is_taken(
    server: RunningServer, command: RunCommand, mandarin_clip: Clip
) -> None:
    printed = command("stream", mandarin_clip.path, "--fast", "--url", f"{server.ws_url}/api/v1/stream")

    finals = [line for line in printed.splitlines() if not line.startswith("…")]
    assert mandarin_clip.errors_in("".join(finals)) <= 0.1, printed


def test_transcribe_needs_no_server(command: RunCommand, short_english_clip: Clip, mandarin_clip: Clip) -> None:
    printed = command("transcribe", short_english_clip.path, mandarin_clip.path)

    english, *mandarin = printed.splitlines()
    assert short_english_clip.errors_in(english) == 0, printed
    assert mandarin_clip.errors_in("".join(mandarin)) <= 0.1, printed


@pytest.mark.usefixtures("recordings")
def test_samples_are_for_a_first_try(command: RunCommand, tmp_path: Path) -> None:
    printed = command("samples")

    assert sorted(path.name for path in tmp_path.glob("*.wav")) == ["sample-en.wav", "sample-zh.wav"]
    assert "quick brown fox" in printed


def test_what_is_installed_can_be_listed_and_verified(command: RunCommand) -> None:
    listed = command("models", "list")
    verified = command("models", "verify")

    assert {"whisper-base", "silero-vad", "phrases"} <= {line.split()[0] for line in listed.splitlines()}
    assert [line.split(":")[0] for line in verified.splitlines()] == ["whisper-base", "silero-vad"]
