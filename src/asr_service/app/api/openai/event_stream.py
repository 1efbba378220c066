"""Server-sent events (WHATWG HTML §9.2) whose work belongs to the client that listens."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import structlog
from fastapi import Response
from pydantic import BaseModel
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from asr_service.app.api.error_handlers import openai_error
from asr_service.app.api.errors import Meaning, meaning_of
from asr_service.app.api.presence import while_connected
from asr_service.app.api.v1.live.outbox import ClientGone
from asr_service.shared.errors import AsrError

log = structlog.get_logger(__name__)

PING_INTERVAL_S = 15.0  # proxies close a connection on which nothing is sent, many of them after 30 or 60 s


@dataclass(frozen=True, slots=True)
class NamedEvent:
    """An event with a name.

    Attributes:
        data: JSON in one line.
        event_id: What the client says when it comes back: it has everything up to there.
    """

    name: str
    data: str
    event_id: str | None = None

    @property
    def frame(self) -> str:
        return f"event: {self.name}\ndata: {self.data}\n" + (f"id: {self.event_id}\n" if self.event_id else "") + "\n"


Emit: TypeAlias = Callable[[BaseModel | NamedEvent], Awaitable[None]]
"""Sends one event; returns when it is on its way."""

ErrorBody: TypeAlias = Callable[[AsrError, Meaning], dict[str, Any]]
"""The data of an event named ``error``."""


class EventStreamResponse(Response):
    """Streams what some work emits.

    The answer begins with the first event, or after ``PING_INTERVAL_S`` without one: what goes wrong before is an ordinary
    answer with its own status. What goes wrong later is an event named ``error``, and the last one. While nothing happens, a
    comment is sent every ``PING_INTERVAL_S``. When the client goes, the work is broken off.

    Args:
        work: Emits the events; when it returns, the stream ends.
        error_body: How a failure is told; by default as OpenAI's clients know it.
    """

    media_type = "text/event-stream"

    def __init__(self, work: Callable[[Emit], Awaitable[None]], error_body: ErrorBody = openai_error) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers({"cache-control": "no-cache", "x-accel-buffering": "no"})
        self._work = work
        self._error_body = error_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stream = _Stream(send, self.raw_headers)
        try:
            await while_connected(Request(scope, receive), self._run(stream))
        except ClientGone:
            if not stream.begun:
                raise

    async def _run(self, stream: "_Stream") -> None:
        pinging = asyncio.create_task(stream.ping(PING_INTERVAL_S))
        try:
            await self._work(stream.emit)
        except AsrError as error:
            if not stream.begun:
                raise
            log.warning("event_stream_failed", code=error.code)
            await stream.fail(self._error_body(error, meaning_of(error)))
        finally:
            pinging.cancel()
            await asyncio.gather(pinging, return_exceptions=True)
        await stream.end()


class _Stream:
    """One answer, event by event; the lock keeps pings from between the parts of an event."""

    def __init__(self, send: Send, headers: list[tuple[bytes, bytes]]) -> None:
        self.begun = False
        self._send = send
        self._headers = headers
        self._lock = asyncio.Lock()

    async def emit(self, event: BaseModel | NamedEvent) -> None:
        await self._write(event.frame if isinstance(event, NamedEvent) else f"data: {event.model_dump_json()}\n\n")

    async def fail(self, body: dict[str, Any]) -> None:
        await self._write(f"event: error\ndata: {json.dumps(body, ensure_ascii=False)}\n\n")

    async def ping(self, interval_s: float) -> None:
        while True:
            await asyncio.sleep(interval_s)
            await self._write(": ping\n\n")

    async def end(self) -> None:
        await self._write("", more=False)

    async def _write(self, text: str, *, more: bool = True) -> None:
        async with self._lock:
            if not self.begun:
                self.begun = True
                await self._send({"type": "http.response.start", "status": 200, "headers": self._headers})
            await self._send({"type": "http.response.body", "body": text.encode(), "more_body": more})
