"""The description of the REST interface is complete, the same each time, and true: schemathesis finds nothing else.

``make api-test`` has 2,000 cases generated, ``make test`` fewer.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from asr_service.bootstrap import Engines, open_database, open_decoder
from asr_service.domain.entities.session_record import SessionRecord
from asr_service.domain.value_objects.session_status import SessionStatus
from asr_service.infrastructure.config.settings import Settings
from asr_service.infrastructure.persistence.session_repository import SqlSessionRepository
from asr_service.main import create_app
from tests.fakes.engines import CAPABILITIES
from tests.fakes.recognizer_directory import FakeRecognizerDirectory
from tests.fakes.recognizers import FakeRecognizer
from tests.fakes.voice_activity import EnergyVoiceActivity
from tests.fixtures.served_app import served

ROOT = Path(__file__).resolve().parent.parent.parent
CASES = int(os.environ.get("API_CASES", "300"))
OPERATIONS = 10  # at least: so many share the cases
ABLE = replace(CAPABILITIES, translation=True, hotwords=True)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return json.loads(json.dumps(create_app(Settings()).openapi()))  # type: ignore[no-any-return]


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield f"{method} {path}", operation


def test_every_route_says_what_it_is_for(document: dict[str, Any]) -> None:
    known = {tag["name"] for tag in document["tags"]}
    for name, operation in _operations(document):
        assert operation["summary"], name
        assert operation["description"], name
        assert operation["tags"], name
        assert set(operation["tags"]) <= known, name


def test_every_answer_has_an_example_and_every_failure_its_shape(document: dict[str, Any]) -> None:
    for name, operation in _operations(document):
        for status, response in operation["responses"].items():
            assert response["description"], (name, status)
            assert "x-request-id" in response["headers"], (name, status)
            for media_type, media in response.get("content", {}).items():
                assert {"example", "examples"} & media.keys(), (name, status, media_type)
            if status.startswith(("4", "5")) and "/health/" not in name:
                openai = " /v1/" in name
                assert list(response["content"]) == ["application/json" if openai else "application/problem+json"], name


def test_every_parameter_is_described_with_an_example(document: dict[str, Any]) -> None:
    for name, operation in _operations(document):
        for parameter in operation.get("parameters", ()):
            assert parameter["description"], (name, parameter["name"])
            assert parameter["name"] == "cursor" or "example" in json.dumps(parameter), (name, parameter["name"])


def test_no_answer_of_the_framework_is_left_in_it(document: dict[str, Any]) -> None:
    assert "HTTPValidationError" not in json.dumps(document)


def test_the_document_is_the_same_in_every_process(tmp_path: Path) -> None:
    texts = []
    for seed in ("1", "2"):
        target = tmp_path / f"{seed}.json"
        command = [sys.executable, "-m", "scripts.openapi", str(target)]
        subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed}, check=True, capture_output=True)
        texts.append(target.read_text(encoding="utf-8"))
    assert texts[0] == texts[1]


async def _store_session(settings: Settings, session_id: str) -> None:
    """The session of the examples, so that they lead somewhere."""
    async with open_database(settings) as database:
        record = SessionRecord(
            session_id=session_id,
            tenant="default",
            key_id=None,
            name="demo",
            language="en",
            status=SessionStatus.LISTENING,
            started_at=datetime(2026, 11, 25, tzinfo=UTC),
        )
        await SqlSessionRepository(database).save(record)


@pytest.mark.timeout(600)
async def test_schemathesis_finds_no_answer_that_is_not_described(document: dict[str, Any], tmp_path: Path) -> None:
    settings = Settings(
        database={"url": f"sqlite:///{tmp_path / 'asr.db'}"},  # type: ignore[arg-type]
        lineups={"changes_allowed": True},  # type: ignore[arg-type]
    )
    parameters = document["paths"]["/api/v1/sessions/{session_id}"]["get"]["parameters"]
    (example,) = (parameter for parameter in parameters if parameter["name"] == "session_id")
    await _store_session(settings, example["schema"]["examples"][0])
    recognizer = FakeRecognizer(capabilities=ABLE)
    app = create_app(
        settings, engines=Engines(open_decoder(settings), EnergyVoiceActivity(), FakeRecognizerDirectory(recognizer))
    )
    with served(app) as url:
        done = _run_schemathesis(f"{url}/openapi.json")
    assert done.returncode == 0, "\n".join(line[:500] for line in done.stdout.splitlines())
    (generated,) = re.findall(r"(\d+) generated", done.stdout)
    assert int(generated) >= CASES
    assert recognizer.requests  # some recordings came as far as that


def _run_schemathesis(url: str) -> "subprocess.CompletedProcess[str]":
    command = [str(Path(sys.executable).with_name("schemathesis"))]
    options = ["--checks", "all", "--max-examples", str(CASES // OPERATIONS), "--no-color"]
    configuration = ["--config-file", str(Path(__file__).with_name("schemathesis.toml"))]
    return subprocess.run(
        [*command, *configuration, "run", url, *options],
        cwd=ROOT / "build",
        # What is generated depends on the order of sets too: one run in many took minutes to find its cases.
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SCHEMATHESIS_HOOKS": "tests.fixtures.api_cases",
            "PYTHONHASHSEED": "0",
        },
        capture_output=True,
        text=True,
        timeout=570,
        check=False,
    )
