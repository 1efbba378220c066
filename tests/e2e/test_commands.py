"""The commands that people type."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE

import pytest

from asr_service.infrastructure.config.settings import Settings
from tests.fixtures.recordings import Clip, write_wav
from tests.fixtures.server import RunningServer, StartServer, service_environment

ASR_SERVICE = Path(sys.executable).parent / "asr-service"  # as installed by pip

PAUSE = bytes(16_000 * 2 * 7 // 10)  # 700 ms, in which an utterance ends

RunCommand = Callable[..., str]


def finals(printed: str) -> list[str]:
    """The lines that are not of partials."""
    return [line for line in printed.splitlines(keepends=True) if not line.startswith("…")]


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
    printed = command("stream", short_english_clip.path, "--language", "en", "--url", f"{server.ws_url}/api/v1/stream")

    assert printed.startswith("…")
    assert short_english_clip.errors_in(" ".join(finals(printed))) == 0, printed


def test_stream_sends_a_recording_of_any_format_as_fast_as_it_is_taken(
    server: RunningServer, command: RunCommand, mandarin_clip: Clip
) -> None:
    printed = command("stream", mandarin_clip.path, "--fast", "--url", f"{server.ws_url}/api/v1/stream")

    assert mandarin_clip.errors_in("".join(finals(printed))) <= 0.1, printed


def test_stream_goes_on_when_the_server_is_killed_and_started_again(
    start_server: StartServer, service_settings: Settings, tmp_path: Path, english_clip: Clip, short_english_clip: Clip
) -> None:
    first = start_server()
    talk = tmp_path / "talk.wav"
    write_wav(talk, PAUSE.join([short_english_clip.pcm, english_clip.pcm, short_english_clip.pcm, english_clip.pcm]))
    arguments = [ASR_SERVICE, "stream", talk, "--fast", "--language", "en", "--url", first.http_url]
    environment = service_environment(service_settings)
    undisturbed = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=90, check=True)
    streaming = subprocess.Popen(arguments, env=environment, stdout=PIPE, stderr=PIPE, text=True)
    with streaming:
        assert streaming.stdout is not None
        assert streaming.stderr is not None
        printed = [next(line for line in streaming.stdout if not line.startswith("…"))]  # the first final
        first.kill()
        start_server(port=first.port)
        printed += finals(streaming.stdout.read())
        said = streaming.stderr.read()

    assert streaming.returncode == 0, said
    assert printed == finals(undisturbed.stdout)
    assert len(finals(undisturbed.stdout)) >= 4
    assert [line.partition(":")[0] for line in said.splitlines()] == ["The connection is lost, and tried again"]


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
