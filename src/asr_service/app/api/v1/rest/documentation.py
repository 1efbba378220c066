"""What the description of the interface says of ``/api`` beyond the types: failures, and what reads have in common."""

from typing import Any

from asr_service.app.dto.responses import ProblemResponse

_PROBLEMS: dict[int, tuple[str, str, str, str, str | None]] = {  # description; example: title, detail, code, field
    400: ("The cursor is none.", "Bad Request", "This is no cursor of this listing.", "invalid_request", "cursor"),
    404: ("No such session.", "Not Found", "There is no session ses_1.", "not_found", None),
    409: ("Nobody has the session.", "Conflict", "Nobody speaks in this session.", "session_not_live", None),
    422: ("A parameter is wrong.", "Unprocessable Entity", "limit: Input is wrong.", "invalid_request", "limit"),
    500: ("The server failed.", "Internal Server Error", "The server failed unexpectedly.", "internal_error", None),
    503: ("Storage cannot be reached.", "Service Unavailable", "It does not answer.", "storage_unavailable", None),
}
_MODEL_PROBLEMS = _PROBLEMS | {
    400: ("The rules do not fit.", "Bad Request", "canary_share needs a canary.", "invalid_request", "canary"),
    403: ("The settings forbid it.", "Forbidden", "Models cannot be changed here.", "changes_not_allowed", None),
    404: ("No such model.", "Not Found", "The model 'x' does not exist.", "model_not_found", None),
    409: ("It is in use.", "Conflict", "Sessions are routed to fast.", "model_in_use", None),
    422: ("A field is wrong.", "Unprocessable Entity", "pinned: Field required.", "invalid_request", "pinned"),
    503: ("It cannot be loaded.", "Service Unavailable", "whisper-small is not here.", "model_missing", None),
}
_RETRY_AFTER = {"description": "seconds after which to try again", "schema": {"type": "integer", "minimum": 0}}
_ETAG = {"description": "changes with the content", "schema": {"type": "string"}}
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "Nothing has changed.", "headers": {"ETag": _ETAG}}
}
IF_NONE_MATCH = {
    "parameters": [
        {
            "name": "If-None-Match",
            "in": "header",
            "required": False,
            "description": "the ETag of the content that the client has",
            "schema": {"type": "string"},
            "example": '"4f2a"',
        }
    ]
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The entries of a route for these failures, as problem details."""
    return {status: _problem(status, *_PROBLEMS[status]) for status in statuses}


def model_problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The same for routes about models."""
    return {status: _problem(status, *_MODEL_PROBLEMS[status]) for status in statuses}


def _problem(status: int, description: str, title: str, detail: str, code: str, field: str | None) -> dict[str, Any]:
    example = {
        **{"type": "about:blank", "title": title, "status": status, "detail": detail, "code": code},
        **{"field": field, "request_id": "req_01jq3vd5m8x7k2n4p6r8t0w2y4"},
    }
    example = {name: value for name, value in example.items() if value is not None}
    return {
        "model": ProblemResponse,
        "description": description,
        "content": {"application/json": {"example": example}},
        **({"headers": {"Retry-After": _RETRY_AFTER}} if status in (409, 503) else {}),
    }


def example_of(description: str, example: Any) -> dict[int | str, dict[str, Any]]:
    """The entry of a route for its success, which may be asked for by its tag."""
    content = {"application/json": {"example": example}}
    return {200: {"description": description, "content": content, "headers": {"ETag": _ETAG}}} | NOT_MODIFIED


def changed(description: str, example: Any) -> dict[int | str, dict[str, Any]]:
    """The entry of a route for its success, where it changes something."""
    return {200: {"description": description, "content": {"application/json": {"example": example}}}}
