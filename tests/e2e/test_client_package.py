"""The package without its extras is the client, and nothing of the server comes along."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.client_packages import ROOT, run
from tests.fixtures.recordings import Clip
from tests.fixtures.server import RunningServer

STREAM = """
import json, sys, wave
from asr_service.client import Final, SyncClient

url, path = sys.argv[1:]
with wave.open(path) as recording:
    packets = [recording.readframes(recording.getnframes())]
finals = [event.text for event in SyncClient(url).stream(packets, language="en") if isinstance(event, Final)]
print(json.dumps({"text": " ".join(finals), "modules": sorted({name.partition(".")[0] for name in sys.modules})}))
"""

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment in which somebody has installed ``asr-service``, without any extra."""
    folder = tmp_path_factory.mktemp("client")
    run([sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)])
    (wheel,) = folder.glob("*.whl")
    run([sys.executable, "-m", "venv", str(folder / "venv")])
    run([str(folder / "venv/bin/pip"), "install", "--quiet", "--disable-pip-version-check", str(wheel)])
    return folder / "venv" / "bin"


def test_a_program_streams_with_the_client_alone(
    environment: Path, server: RunningServer, short_english_clip: Clip
) -> None:
    said = json.loads(run([str(environment / "python"), "-c", STREAM, server.http_url, str(short_english_clip.path)]))
    assert short_english_clip.errors_in(said["text"]) <= 0.1
    assert not {"fastapi", "numpy", "sqlalchemy", "pydantic"} & set(said["modules"])


def test_the_command_says_what_it_lacks(environment: Path) -> None:
    ended = subprocess.run(
        [str(environment / "asr-service"), "serve"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr.endswith("is not installed. Install 'asr-service[server,whisper]'.\n")
