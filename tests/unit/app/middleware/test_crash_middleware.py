"""What nobody has foreseen is logged once, and answered if that is still possible."""

import json

import pytest
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs

from asr_service.app.middleware.crash_middleware import CrashMiddleware


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


async def test_a_crash_before_the_answer_becomes_one() -> None:
    async def defective(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError("secret detail")

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    with capture_logs() as lines:
        await CrashMiddleware(defective)({"type": "http", "path": "/v1/models"}, _nothing, send)
    assert sent[0]["status"] == 500
    assert json.loads(sent[1]["body"])["error"]["code"] == "internal_error"
    assert [(line["event"], line["path"]) for line in lines] == [("request_crashed", "/v1/models")]


async def test_half_an_answer_does_not_pass_for_a_whole_one() -> None:
    async def defective(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    with capture_logs() as lines, pytest.raises(ZeroDivisionError):
        await CrashMiddleware(defective)({"type": "http", "path": "/"}, _nothing, send)
    assert len(sent) == 1
    assert len(lines) == 1


async def test_what_is_no_request_is_left_alone() -> None:
    async def defective(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError

    async def send(message: Message) -> None:
        raise AssertionError("nothing is to be sent")

    with capture_logs() as lines, pytest.raises(ZeroDivisionError):
        await CrashMiddleware(defective)({"type": "websocket", "path": "/"}, _nothing, send)
    assert lines == []
