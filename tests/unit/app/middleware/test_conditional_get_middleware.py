"""Who has the content already is spared it."""

from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from asr_service.app.middleware.conditional_get_middleware import ConditionalGetMiddleware


async def _ask(
    *known: bytes,
    body: bytes = b"content",
    status: int = 200,
    content_type: bytes = b"application/json",
    **scope: Any,
) -> tuple[int, dict[bytes, bytes], bytes]:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body[:3], "more_body": True})
        await send({"type": "http.response.body", "body": body[3:]})

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError("nothing is read")

    headers = [(b"if-none-match", value) for value in known]
    asked = {"type": "http", "method": "GET", "path": "/api/v1/sessions", "headers": headers, **scope}
    await ConditionalGetMiddleware(app)(asked, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), b"".join(message.get("body", b"") for message in sent)


async def test_what_is_read_has_a_tag_of_its_content() -> None:
    status, headers, body = await _ask()
    assert (status, body, headers[b"content-length"]) == (200, b"content", b"7")
    assert headers[b"cache-control"] == b"private, no-cache"
    assert headers[b"etag"] == (await _ask())[1][b"etag"]
    assert headers[b"etag"] != (await _ask(body=b"else"))[1][b"etag"]


@pytest.mark.parametrize("form", [b"%s", b"W/%s", b'"a", %s', b'"a" ,W/%s,"b"', b"*"])
async def test_who_has_the_content_is_told_so(form: bytes) -> None:
    tag = (await _ask())[1][b"etag"]
    status, headers, body = await _ask(form.replace(b"%s", tag))
    assert (status, body) == (304, b"")
    assert headers == {b"etag": tag, b"cache-control": b"private, no-cache"}


async def test_the_tag_may_be_in_any_line() -> None:
    tag = (await _ask())[1][b"etag"]
    assert (await _ask(b'"a"', tag))[0] == 304


@pytest.mark.parametrize("known", [b'"a"', b"", b"content", b"W/"])
async def test_who_has_other_content_gets_this(known: bytes) -> None:
    assert (await _ask(known))[::2] == (200, b"content")


@pytest.mark.parametrize(
    "change",
    [
        {"status": 404},
        {"method": "POST"},
        {"path": "/v1/models"},
        {"type": "websocket"},
        {"content_type": b"text/event-stream"},
    ],
)
async def test_nothing_else_is_touched(change: dict[str, Any]) -> None:
    status, headers, body = await _ask(b"*", **change)
    assert (status, body) == (change.get("status", 200), b"content")
    assert b"etag" not in headers
