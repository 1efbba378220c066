"""How errors are answered over HTTP: problem details, and under ``/v1`` in the shape that OpenAI's clients read."""

from dataclasses import replace
from http import HTTPStatus
from math import ceil
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from asr_service.app.api.errors import Meaning, meaning_of
from asr_service.app.dto.responses import ProblemResponse
from asr_service.app.middleware.request_log_middleware import route_template
from asr_service.shared.correlation import current_correlation
from asr_service.shared.errors import AsrError, InvalidRequest

OPENAI_PREFIX = "/v1/"
_CODES = {
    401: "invalid_api_key",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    429: "rate_limit_exceeded",
}
_RETRY_AFTER_S = 5.0  # where nothing better is known


def install_error_handlers(app: FastAPI) -> None:
    """Makes every error of this application that was foreseen one of ours: typed, with a code."""
    app.add_exception_handler(AsrError, _on_asr_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_error)


async def _on_asr_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AsrError)
    return error_response(request.url.path, error, meaning_of(error))


async def _on_validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:])
    invalid = InvalidRequest(f"{field}: {first['msg']}." if field else f"{first['msg']}.", field=field or None)
    return error_response(request.url.path, invalid, replace(meaning_of(invalid), http_status=422))


async def _on_http_error(request: Request, error: Exception) -> JSONResponse:
    """The framework's own refusals, such as an unknown route."""
    assert isinstance(error, HTTPException)
    kind = InvalidRequest("") if error.status_code < 500 else AsrError("")
    code = _CODES.get(error.status_code, kind.code)
    meaning = replace(meaning_of(kind), http_status=error.status_code)
    response = error_response(request.url.path, AsrError(f"{error.detail}."), meaning, code=code)
    response.headers.update(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED and (methods := _methods_of(request)):
        response.headers["Allow"] = ", ".join(methods)
    return response


def _methods_of(request: Request) -> list[str]:
    """Every method of a documented resource. The framework names those of the first route only that has its path."""
    operations = request.app.openapi()["paths"].get(route_template(request.scope), {})
    return sorted(method.upper() for method in operations)


def crash_response(path: str) -> JSONResponse:
    """The answer to a request for ``path`` that failed in a way nobody has foreseen."""
    failed = AsrError("The server failed unexpectedly.", hint="The log has the details under the request id.")
    return error_response(path, failed, meaning_of(failed))


def openai_error(error: AsrError, meaning: Meaning, *, code: str | None = None) -> dict[str, Any]:
    """OpenAI's error object; all four of its keys are always there."""
    field = error.field if isinstance(error, InvalidRequest) else None
    body = {"message": error.explanation, "type": meaning.openai_type, "param": field, "code": code or error.code}
    return {"error": body}


def problem(error: AsrError, meaning: Meaning, *, code: str | None = None) -> dict[str, Any]:
    """Problem details (RFC 9457)."""
    return ProblemResponse(
        title=HTTPStatus(meaning.http_status).phrase,
        status=meaning.http_status,
        detail=error.message,
        code=code or error.code,
        hint=error.hint,
        field=error.field if isinstance(error, InvalidRequest) else None,
        request_id=current_correlation().get("request_id"),
    ).model_dump()


def error_response(path: str, error: AsrError, meaning: Meaning, *, code: str | None = None) -> JSONResponse:
    """The answer to a request for ``path`` that failed."""
    headers = {"Retry-After": str(seconds)} if (seconds := _retry_after_s(error, meaning)) is not None else None
    if path.startswith(OPENAI_PREFIX):
        return JSONResponse(openai_error(error, meaning, code=code), meaning.http_status, headers)
    body = problem(error, meaning, code=code)
    return JSONResponse(body, meaning.http_status, headers, "application/problem+json")


def _retry_after_s(error: AsrError, meaning: Meaning) -> int | None:
    if error.retry_after_s is not None:
        return ceil(error.retry_after_s)
    return ceil(_RETRY_AFTER_S) if meaning.http_status == HTTPStatus.SERVICE_UNAVAILABLE else None
