"""The description of the interface, made true where the framework assumes: how failures look, and what all answers carry."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from asr_service.app.middleware.request_log_middleware import REQUEST_ID_HEADER

TAGS = [
    {"name": "sessions", "description": "Live sessions that are, or were, served, and their results."},
    {"name": "models", "description": "Which models there are, which are loaded, and who gets which."},
    {"name": "openai", "description": "What clients of OpenAI's speech-to-text interface call."},
    {"name": "operations", "description": "What operators and orchestrators ask for."},
]
_JSON, _PROBLEM = "application/json", "application/problem+json"
_PROBLEM_SCHEMA = "#/components/schemas/ProblemResponse"
_ERROR_SCHEMA = "#/components/schemas/ErrorResponse"
_REQUEST_ID = {"description": "identifies the request in the log", "schema": {"type": "string"}}


def describe(app: FastAPI) -> None:
    """Has the application give out the refined description, made once, when somebody first asks."""
    made_by_framework = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            made_by_framework()
            assert app.openapi_schema is not None
            _refine(app.openapi_schema)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _refine(document: dict[str, Any]) -> None:
    for operation in _operations(document):
        responses = operation["responses"]
        for status in [status for status, response in responses.items() if _is_assumed(response)]:
            del responses[status]
        for response in responses.values():
            response.setdefault("headers", {})[REQUEST_ID_HEADER] = _REQUEST_ID
            _name_problems(response)
            _complete_error(response)
    for assumed in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(assumed, None)


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from path.values()


def _is_assumed(response: dict[str, Any]) -> bool:
    """Whether it is the framework's own answer to wrong parameters, which this service never gives."""
    schema = response.get("content", {}).get(_JSON, {}).get("schema", {})
    return bool(schema.get("$ref", "").endswith("/HTTPValidationError"))


def _name_problems(response: dict[str, Any]) -> None:
    content = response.get("content", {})
    if content.get(_JSON, {}).get("schema", {}).get("$ref") == _PROBLEM_SCHEMA:
        content[_PROBLEM] = content.pop(_JSON)


def _complete_error(response: dict[str, Any]) -> None:
    """Puts the null back that the framework drops from examples: in OpenAI's errors all four keys are there."""
    media = response.get("content", {}).get(_JSON, {})
    if media.get("schema", {}).get("$ref") == _ERROR_SCHEMA and "example" in media:
        media["example"]["error"].setdefault("param", None)
