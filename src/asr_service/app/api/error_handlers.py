"""How errors are answered over HTTP: problem details, and under ``/v1`` in the shape that OpenAI's clients read."""

from dataclasses import replace
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from asr_service.app.api.errors import Meaning, meaning_of
from asr_service.app.dto.responses import ProblemResponse
from asr_service.shared.correlation import current_correlation
from asr_service.shared.errors import AsrError, InvalidRequest

OPENAI_PREFIX = "/v1/"
_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}


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
    code = _CODES.get(error.status_code, "invalid_request")
    meaning = replace(meaning_of(InvalidRequest("")), http_status=error.status_code)
    response = error_response(request.url.path, AsrError(f"{error.detail}."), meaning, code=code)
    response.headers.update(error.headers or {})
    return response


def crash_response(path: str) -> JSONResponse:
    """The answer to a request for ``path`` that failed in a way nobody has foreseen."""
    failed = AsrError("The server failed unexpectedly.", hint="The log has the details under the request id.")
    return error_response(path, failed, meaning_of(failed))


def error_response(path: str, error: AsrError, meaning: Meaning, *, code: str | None = None) -> JSONResponse:
    """The answer to a request for ``path`` that failed."""
    field = error.field if isinstance(error, InvalidRequest) else None
    body: dict[str, Any]
    if path.startswith(OPENAI_PREFIX):
        message = f"{error.message} {error.hint}" if error.hint else error.message
        body = {"error": {"message": message, "type": meaning.openai_type, "param": field, "code": code or error.code}}
        media_type = "application/json"
    else:
        body = ProblemResponse(
            title=HTTPStatus(meaning.http_status).phrase,
            status=meaning.http_status,
            detail=error.message,
            code=code or error.code,
            hint=error.hint,
            field=field,
            request_id=current_correlation().get("request_id"),
        ).model_dump()
        media_type = "application/problem+json"
    headers = {"Retry-After": str(round(error.retry_after_s))} if error.retry_after_s is not None else None
    return JSONResponse(body, meaning.http_status, headers, media_type)
