"""Frameworks for voice agents, each in an environment of its own, with the versions of its lock file."""

import json
import sys
from pathlib import Path
from typing import Any

from tests.fixtures.client_packages import ROOT, installed_from_lock, run
from tests.fixtures.examples import examples
from tests.fixtures.recordings import Clip
from tests.fixtures.server import RunningServer

PAGE = ROOT / "docs" / "api" / "voice-agents.md"
HERE = Path(__file__).resolve().parent


def heard_by(framework: str, server: RunningServer, example: str, clip: Clip, finals: int) -> Any:
    """What a framework, set up as an example of the page says, gives its user for a recording."""
    language, code = examples(PAGE)[example]
    assert language == "python"
    here = code.replace("127.0.0.1:8000", server.http_url.removeprefix("http://"))
    packages = installed_from_lock(ROOT / "requirements" / f"{framework}.lock")
    script = str(HERE / f"with_{framework}.py")
    printed = run([sys.executable, script, here, str(clip.path), str(finals)], PYTHONPATH=str(packages))
    return json.loads(printed)
