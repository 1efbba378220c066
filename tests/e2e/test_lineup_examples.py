"""The examples on the page about lineups are true."""

import json
import os
import subprocess
from pathlib import Path

from asr_service.infrastructure.config.loading import load_settings
from asr_service.lineups import routing_of
from tests.fixtures.client_packages import ROOT
from tests.fixtures.examples import examples
from tests.fixtures.server import RunningServer

PAGE = examples(ROOT / "docs" / "lineups.md")


def test_the_settings_make_the_lineups_that_the_page_speaks_of(tmp_path: Path) -> None:
    file = tmp_path / "asr.yaml"
    file.write_text(PAGE["settings"][1], encoding="utf-8")
    settings = load_settings(config_file=file)
    assert settings.catalogue_models == ["whisper-base", "whisper-tiny.en"]
    assert settings.recognizers()["fast"].beam_size == 1
    assert routing_of(settings.lineups).choose("acme", "ses_1") == "fast"


def test_the_commands_print_models_and_routing(server: RunningServer) -> None:
    done = subprocess.run(
        ["bash", "-eu", "-"],
        input=PAGE["lineups"][1].replace("127.0.0.1:8000", server.http_url.removeprefix("http://")),
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    models, end = json.JSONDecoder().raw_decode(done.stdout)
    routing = json.loads(done.stdout[end:])
    assert [item["name"] for item in models["items"]] == ["default"]
    assert routing["default"] == "default"
