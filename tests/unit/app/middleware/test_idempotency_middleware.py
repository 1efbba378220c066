"""Requests are the same whatever boundary their form has and however they are cut, and different in all else."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from asr_service.app.middleware.idempotency_middleware import Fingerprint, IdempotencyMiddleware
from asr_service.app.services.idempotency import IdempotentAnswers
from tests.fakes.clocks import FakeClock
from tests.fixtures.tidiness import everybody_waits


def _form(boundary: str, *parts: bytes) -> bytes:
    mark = f"--{boundary}".encode()
    return b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts) + mark + b"--\r\n"


def _scope(content_type: str = "multipart/form-data; boundary=abc", **changes: Any) -> Scope:
    headers = [(b"content-type", content_type.encode()), (b"idempotency-key", b"k")]
    return {
        **{"type": "http", "method": "POST", "path": "/v1/x", "query_string": b"", "headers": headers},
        **changes,
    }


def _fingerprint(scope: Scope, *pieces: bytes) -> str:
    fingerprint = Fingerprint(scope)
    for piece in pieces:
        fingerprint.update(piece)
    return fingerprint.hexdigest()


@given(
    st.binary(max_size=60), st.lists(st.integers(0, 200), max_size=8), st.sampled_from(["a", "aa", "aab", "------ab"])
)
def test_neither_boundary_nor_cuts_count(content: bytes, cuts: list[int], boundary: str) -> None:
    content = content.replace(b"a", b"x").replace(b"-", b"y")  # a boundary is chosen so that it is not in the content
    body = _form(boundary, content, b"more")
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    pieces = [body[start:end] for start, end in pairwise(edges)]
    scope = _scope(f'multipart/form-data; boundary="{boundary}"')
    assert _fingerprint(scope, *pieces) == _fingerprint(_scope(), _form("abc", content, b"more"))


def test_everything_else_counts() -> None:
    body = _form("abc", b"one", b"two")
    fingerprints = {
        _fingerprint(_scope(), body),
        _fingerprint(_scope(path="/v1/y"), body),
        _fingerprint(_scope(query_string=b"a=1"), body),
        _fingerprint(_scope("application/json"), body),
        _fingerprint(_scope(), _form("abc", b"one", b"too")),
        _fingerprint(_scope(), _form("abc", b"two", b"one")),
        _fingerprint(_scope(), _form("abc", b"onetwo")),
        _fingerprint(_scope(), body[:-1]),
    }
    assert len(fingerprints) == 8


class Application:
    """Answers with a count of its calls.

    Attributes:
        calls: So many so far.
        answer: Awaited before it answers.
    """

    def __init__(self, status: int = 200, content_type: bytes = b"application/json") -> None:
        self.calls = 0
        self.waits: asyncio.Event | None = None
        self._status = status
        self._content_type = content_type

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.calls += 1
        number = self.calls
        while (await receive()).get("more_body", False):
            pass
        if self.waits is not None:
            await self.waits.wait()
        headers = [(b"content-type", self._content_type)]
        await send({"type": "http.response.start", "status": self._status, "headers": headers})
        await send({"type": "http.response.body", "body": b"call ", "more_body": True})
        await send({"type": "http.response.body", "body": str(number).encode()})


class Desk:
    """Sends requests to an application behind the middleware."""

    def __init__(self, app: Application, **limits: int) -> None:
        self.clock = FakeClock()
        self._middleware = IdempotencyMiddleware(app, answers=IdempotentAnswers(self.clock, ttl_s=60, **limits))

    async def ask(
        self,
        body: bytes = b"body",
        *,
        key: bytes | None = b"k",
        credentials: bytes = b"",
        leave: bool = False,
        **scope: Any,
    ) -> tuple[int, dict[bytes, bytes], bytes]:
        messages: list[Message] = [{"type": "http.request", "body": body, "more_body": leave}]
        messages.append({"type": "http.disconnect"})
        sent: list[Message] = []

        async def receive() -> Message:
            return messages.pop(0)

        async def send(message: Message) -> None:
            sent.append(message)

        headers = [(b"authorization", credentials), *([] if key is None else [(b"idempotency-key", key)])]
        await self._middleware(_scope(headers=headers, **scope), receive, send)
        if not sent:
            return 0, {}, b""
        return sent[0]["status"], dict(sent[0]["headers"]), b"".join(message.get("body", b"") for message in sent)


async def test_the_same_request_is_worked_on_once() -> None:
    app = Application()
    desk = Desk(app)
    first, again = await desk.ask(), await desk.ask()
    assert (app.calls, first[2], again[2]) == (1, b"call 1", b"call 1")
    assert b"idempotency-replayed" not in first[1]
    assert again[1] == {b"content-type": b"application/json", b"idempotency-replayed": b"true"}


async def test_another_body_under_the_same_key_is_refused() -> None:
    desk = Desk(Application())
    await desk.ask(b"one")
    status, _, body = await desk.ask(b"two")
    assert status == 422
    assert b"idempotency_key_reused" in body


async def test_a_request_whose_answer_is_not_there_yet_is_refused() -> None:
    app = Application()
    app.waits = asyncio.Event()
    desk = Desk(app)
    first = asyncio.create_task(desk.ask())
    await everybody_waits()
    assert app.calls == 1
    status, headers, _ = await desk.ask()
    app.waits.set()
    assert (status, headers[b"retry-after"]) == (409, b"1")
    assert (await first)[2] == b"call 1"


@pytest.mark.parametrize(
    "changes",
    [{"key": None}, {"method": "GET"}, {"key": b"other"}, {"credentials": b"Bearer somebody"}],
)
async def test_other_requests_are_worked_on(changes: dict[str, Any]) -> None:
    desk = Desk(Application())
    await desk.ask()
    assert (await desk.ask(**changes))[2] == b"call 2"


@pytest.mark.parametrize("key", [b"", b"x" * 256, b"a b", "é".encode()])
async def test_a_key_that_is_none_is_refused(key: bytes) -> None:
    app = Application()
    status, _, body = await Desk(app).ask(key=key)
    assert (status, app.calls) == (400, 0)
    assert b"idempotency_key_invalid" in body


@pytest.mark.parametrize(
    ("app", "limits"),
    [
        (Application(status=503), {}),
        (Application(status=400), {}),
        (Application(content_type=b"text/event-stream; charset=utf-8"), {}),
        (Application(), {"max_answer_bytes": 4}),
    ],
)
async def test_failures_streams_and_what_is_too_large_are_not_remembered(
    app: Application, limits: dict[str, int]
) -> None:
    desk = Desk(app, **limits)
    await desk.ask()
    assert (await desk.ask())[2] == b"call 2"


async def test_an_upload_that_breaks_off_is_not_remembered() -> None:
    app = Application()
    desk = Desk(app)
    await desk.ask(leave=True)
    assert (await desk.ask())[2] == b"call 2"
    assert await desk.ask(leave=True) == (0, {}, b"")  # nobody is there any more who could be answered
    assert app.calls == 2


async def test_a_request_that_crashed_may_be_tried_again() -> None:
    async def crash(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError

    answers = IdempotentAnswers(FakeClock(), ttl_s=60)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            await IdempotencyMiddleware(crash, answers=answers)(_scope(), _nothing, _ignore)


async def test_what_is_no_request_passes() -> None:
    app = Application()
    await IdempotencyMiddleware(app, answers=IdempotentAnswers(FakeClock(), ttl_s=60))(
        {"type": "lifespan"}, _nothing, _ignore
    )
    assert app.calls == 1


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


async def _ignore(message: Message) -> None:
    pass
