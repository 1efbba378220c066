"""Bodies are limited by what they say, and by what they are."""

import pytest
from starlette.types import Message, Receive, Scope, Send

from asr_service.app.middleware.body_limit_middleware import BodyLimitMiddleware
from asr_service.domain.ports.audio_decoder import AudioTooLong


async def _reads_everything(scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body", False):
        pass
    await send({"type": "http.response.start", "status": 204, "headers": []})


async def _status(declared: bytes | None, *chunks: bytes) -> int:
    messages: list[Message] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.request"})
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [] if declared is None else [(b"content-length", declared)]
    scope = {"type": "http", "path": "/v1/models", "headers": headers}
    await BodyLimitMiddleware(_reads_everything, max_bytes=10)(scope, receive, send)
    return int(sent[0]["status"])


@pytest.mark.parametrize("declared", [None, b"0", b"10", b"", b"many", b"-11", b"\xb2", b"1e9"])
async def test_a_body_within_the_limit_passes_whatever_is_said_of_it(declared: bytes | None) -> None:
    assert await _status(declared, b"12345", b"67890") == 204


@pytest.mark.parametrize("declared", [b"11", b"99999999999999999999"])
async def test_a_body_that_says_it_is_too_large_is_not_read(declared: bytes) -> None:
    assert await _status(declared) == 413


@pytest.mark.parametrize("declared", [None, b"10"])
async def test_a_body_that_is_too_large_is_read_no_further(declared: bytes | None) -> None:
    with pytest.raises(AudioTooLong, match=r"limit \(10\) exceeded \(11 bytes read\)"):
        await _status(declared, b"12345", b"67890", b"!", b"never read")
