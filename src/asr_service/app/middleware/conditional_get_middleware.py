"""Spares clients that ask again what they know already: ``ETag`` and ``If-None-Match`` (RFC 9110 §8.8.3, §13.1.2)."""

import hashlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PREFIX = "/api/"


class ConditionalGetMiddleware:
    """Gives JSON that is read under ``/api/`` a tag of its content, and answers 304 to who has that content.

    Such answers are held until they are whole: pages there are bounded. A client may keep them, but has to ask each time
    whether they are still true. Everything else passes as it comes.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith(_PREFIX):
            await self._app(scope, receive, send)
            return
        held: Message | None = None
        body = bytearray()

        async def send_tagged(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start" and _has_tag(message):
                held = message
            elif held is None:
                await send(message)
            else:
                body.extend(message.get("body", b""))
                if not message.get("more_body", False):
                    await _send_answer(held, bytes(body), Headers(scope=scope).getlist("if-none-match"), send)

        await self._app(scope, receive, send_tagged)


def _has_tag(start: Message) -> bool:
    return start["status"] == 200 and Headers(raw=start["headers"]).get("content-type") == "application/json"


async def _send_answer(start: Message, body: bytes, known: list[str], send: Send) -> None:
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = MutableHeaders(scope=start)
    headers["etag"] = tag
    headers["cache-control"] = "private, no-cache"
    if _knows(known, tag):
        start["status"] = 304
        del headers["content-length"], headers["content-type"]
        body = b""
    await send(start)
    await send({"type": "http.response.body", "body": body})


def _knows(known: list[str], tag: str) -> bool:
    """By weak comparison, as for a read; the tags made here have no comma in them."""
    tags = [part.strip().removeprefix("W/") for line in known for part in line.split(",")]
    return tag in tags or "*" in tags
