"""Two independent client packages for FunASR, as their users install them, show the right text.

Both bring a module of the same name, so each is installed into a folder of its own, once, under ``build/clients``.
"""

import json
from typing import Any

import pytest

from tests.fixtures.client_packages import run_client
from tests.fixtures.recordings import Clip
from tests.fixtures.server import RunningServer

# Without what they declare but do not need here: audio files of other formats, and publishing themselves. What both need
# besides, websockets and pydantic, is the tests' own.
FUNASR_CLIENT = ("funasr-client==0.1.6",)
FUNASR_PYTHON = ("funasr-python==0.1.5", "librosa==0.11.0", "lazy-loader==0.6")

pytestmark = pytest.mark.timeout(300)  # the first run installs


def recognize(requirements: tuple[str, ...], script: str, server: RunningServer, clip: Clip, mode: str) -> Any:
    """What the user of a package gets."""
    return json.loads(run_client(requirements, script, server.ws_url, str(clip.path), mode))


def test_funasr_client_merges_the_segments_of_a_file(server: RunningServer, english_clip: Clip) -> None:
    merged = recognize(FUNASR_CLIENT, "with_funasr_client.py", server, english_clip, "2pass")

    assert english_clip.errors_in(merged["text"]) <= 0.1, merged
    times = [time for pair in merged["timestamp"] for time in pair]
    assert times == sorted(times)
    assert times[-1] <= english_clip.duration_ms


def test_funasr_python_receives_every_segment(server: RunningServer, mandarin_clip: Clip) -> None:
    received = recognize(FUNASR_PYTHON, "with_funasr_python.py", server, mandarin_clip, "2pass")

    assert received["error"] == []
    assert len(received["final"]) == 1
    segments = [text for text in [*received["partial"], *received["final"]] if text]
    assert mandarin_clip.errors_in("".join(segments)) <= 0.1, received


def test_funasr_python_receives_the_whole_text_offline(server: RunningServer, mandarin_clip: Clip) -> None:
    received = recognize(FUNASR_PYTHON, "with_funasr_python.py", server, mandarin_clip, "offline")

    assert received["error"] == received["partial"] == []
    (text,) = received["final"]
    assert mandarin_clip.errors_in(text) <= 0.1, received
