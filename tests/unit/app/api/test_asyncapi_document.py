"""The description of the native protocol is whole, current, and true of what the codec says."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from asr_service.app.api.asyncapi_document import asyncapi_document
from asr_service.app.dto.native_examples import CLIENT_EXAMPLES, SERVER_EXAMPLES
from asr_service.app.dto.native_messages import ClientMessageDto, ServerMessage
from scripts.asyncapi import document_files
from tests.fixtures.codecs import GOLDEN
from tests.fixtures.wire_schemas import schema_violation

DOCS = Path(__file__).parents[4] / "docs" / "api"
DIALOGUES = sorted((GOLDEN / "native").glob("*.jsonl"))


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from references(inner)


def test_every_reference_leads_somewhere() -> None:
    document = asyncapi_document()
    found = set(references(document))
    assert found
    for reference in found:
        place: Any = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
        assert place


@pytest.mark.parametrize("name", ["asyncapi.yaml", "native-messages.md"])
def test_what_is_committed_is_current(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == document_files()[name], "run make docs"


def test_every_message_has_an_example_that_keeps_to_its_schema() -> None:
    assert len(CLIENT_EXAMPLES) == len(get_args(ClientMessageDto))
    assert len(SERVER_EXAMPLES) == len(get_args(ServerMessage))
    assert [schema_violation("client", example) for example in CLIENT_EXAMPLES] == [None] * len(CLIENT_EXAMPLES)
    assert [schema_violation("server", example) for example in SERVER_EXAMPLES] == [None] * len(SERVER_EXAMPLES)


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=lambda path: path.stem)
def test_the_golden_dialogues_keep_to_the_schemas(dialogue: Path) -> None:
    lines = [json.loads(line) for line in dialogue.read_text(encoding="utf-8").splitlines()]
    said = [line["server"] for line in lines if isinstance(line.get("server"), dict)]
    assert said
    assert [schema_violation("server", message) for message in said] == [None] * len(said)


def test_what_the_codec_takes_from_clients_keeps_to_the_schemas() -> None:
    lines = [json.loads(line) for path in DIALOGUES for line in path.read_text(encoding="utf-8").splitlines()]
    followed = zip(lines, [*lines[1:], {}], strict=True)
    taken = [json.loads(line["client"]) for line, then in followed if "client" in line and _is_taken(then)]
    assert taken
    assert [schema_violation("client", message) for message in taken] == [None] * len(taken)


def _is_taken(line: dict[str, Any]) -> bool:
    return "Refuse" not in line.get("means", ["Refuse"])


@pytest.mark.parametrize("spoilt", [{"seq": 0}, {"utterance": None}, {"language": 7}, {"surprise": True}])
def test_the_schemas_are_strict(spoilt: dict[str, Any]) -> None:
    partial = next(example for example in SERVER_EXAMPLES if example["type"] == "partial")
    assert schema_violation("server", {**partial, **spoilt}) is not None
    assert schema_violation("client", partial) == "partial is not for the client to say"
