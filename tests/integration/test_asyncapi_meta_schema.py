"""The description of the native protocol keeps to AsyncAPI's own schema of such descriptions."""

import json
from typing import Any

import pytest
from jsonschema_rs import Draft7Validator

from asr_service.app.api.asyncapi_document import asyncapi_document
from tests.fixtures.client_packages import installed_for_node

SPECS = "@asyncapi/specs@6.11.1"  # the schemas that AsyncAPI publishes

pytestmark = pytest.mark.timeout(300)  # the first run installs


@pytest.fixture(scope="module")
def meta_schema() -> Draft7Validator:
    """For the version that our document says it is of."""
    version = asyncapi_document()["asyncapi"]
    schemas = installed_for_node(SPECS) / "node_modules" / "@asyncapi" / "specs" / "schemas"
    return Draft7Validator(json.loads((schemas / f"{version}.json").read_text(encoding="utf-8")))


def document() -> Any:
    """A copy, as a client reads it."""
    return json.loads(json.dumps(asyncapi_document()))


def test_the_document_keeps_to_the_official_schema(meta_schema: Draft7Validator) -> None:
    violations = [f"{error.instance_path}: {error.message[:200]}" for error in meta_schema.iter_errors(document())]
    assert violations == []


@pytest.mark.parametrize(
    "place",
    [("info", "title"), ("operations", "listen", "action"), ("operations", "tell", "channel")],
    ids=".".join,
)
def test_the_official_schema_misses_what_is_left_out(meta_schema: Draft7Validator, place: tuple[str, ...]) -> None:
    broken = inner = document()
    for step in place[:-1]:
        inner = inner[step]
    del inner[place[-1]]
    assert not meta_schema.is_valid(broken)


def test_the_official_schema_knows_the_schemas_of_messages(meta_schema: Draft7Validator) -> None:
    broken = document()
    next(iter(broken["components"]["schemas"].values()))["properties"] = 7
    assert not meta_schema.is_valid(broken)
