"""What an answer over HTTP refuses: problem details, or under ``/v1`` OpenAI's error."""

from contextlib import suppress
from typing import Any

import httpx

from asr_service.client.errors import RequestRefused


def refusal_of(answer: httpx.Response) -> RequestRefused:
    """The error that an answer tells; its body has been read."""
    message, code, hint = f"The server answered with status {answer.status_code}.", "refused", None
    with suppress(ValueError, KeyError, TypeError):  # of a proxy on the way, for example
        message, code, hint = _told_by(answer.json())
    return RequestRefused(message, code=code, hint=hint, retry_after_s=retry_after_s(answer))


def retry_after_s(answer: httpx.Response) -> float | None:
    """What ``Retry-After`` says; dates are left out, as this service sends none."""
    try:
        return float(answer.headers["Retry-After"])
    except (KeyError, ValueError):
        return None


def _told_by(body: Any) -> tuple[str, str, str | None]:
    if "error" in body:
        error = body["error"]
        return str(error["message"]), str(error["code"] or error["type"]), None
    return str(body["detail"]), str(body["code"]), body.get("hint")
