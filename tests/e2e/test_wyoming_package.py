"""The package wyoming, which Home Assistant uses, shows the right text."""

import json
from typing import Any

import pytest

from tests.fixtures.client_packages import run_client
from tests.fixtures.recordings import Clip
from tests.fixtures.server import RunningServer

WYOMING = ("wyoming==1.10.2",)

pytestmark = pytest.mark.timeout(300)  # the first run installs


def recognize(server: RunningServer, clip: Clip, language: str) -> Any:
    """What the user of the package gets."""
    return json.loads(run_client(WYOMING, "with_wyoming.py", server.wyoming_url, str(clip.path), language))


def test_home_assistants_client_is_told_the_model_and_the_text(server: RunningServer, english_clip: Clip) -> None:
    got = recognize(server, english_clip, "en")

    assert english_clip.errors_in(got["text"]) <= 0.1, got
    assert got["language"] == "en"
    assert {"en", "zh"} <= set(got["languages"])
    assert (got["models"], got["streaming"]) == (["whisper-base"], False)


def test_the_language_may_be_left_open(server: RunningServer, mandarin_clip: Clip) -> None:
    got = recognize(server, mandarin_clip, "")

    assert mandarin_clip.errors_in(got["text"]) <= 0.1, got
    assert got["language"] == "zh"
