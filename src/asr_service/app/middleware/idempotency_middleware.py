"""Lets a client repeat a POST without having it done twice: ``Idempotency-Key``."""

import hashlib
import re

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from asr_service.app.api.error_handlers import error_response
from asr_service.app.api.errors import meaning_of
from asr_service.app.services.idempotency import IdempotencyKeyInvalid, IdempotentAnswers, KeptAnswer
from asr_service.shared.errors import AsrError

KEY_HEADER = "idempotency-key"
REPLAYED_HEADER = b"idempotency-replayed"
_ACCEPTABLE_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_STREAM = b"text/event-stream"


class Fingerprint:
    """A digest of a request, the same whatever boundary its form has: clients choose a new one each time they send it."""

    def __init__(self, scope: Scope) -> None:
        media_type, options = parse_options_header(Headers(scope=scope).get("content-type", ""))
        self._boundary = options.get(b"boundary", b"")
        self._digest = hashlib.sha256()
        self._tail = b""
        for part in (scope["path"].encode(errors="surrogatepass"), scope.get("query_string", b""), media_type):
            self._digest.update(len(part).to_bytes(8) + part)

    def update(self, data: bytes) -> None:
        """Takes the next bytes of the body, cut anywhere."""
        if not self._boundary:
            self._digest.update(data)
            return
        *whole, rest = (self._tail + data).split(self._boundary)
        for piece in whole:
            self._digest.update(piece + b"\0")
        kept = min(len(rest), len(self._boundary) - 1)  # may be the start of a boundary
        self._digest.update(rest[: len(rest) - kept])
        self._tail = rest[len(rest) - kept :]

    def hexdigest(self) -> str:
        """The digest of all that was taken."""
        digest = self._digest.copy()
        digest.update(self._tail)
        return digest.hexdigest()


class IdempotencyMiddleware:
    """Answers a POST that comes again under the same key, from the same caller, with what it was answered the first time.

    Successes are remembered, failures are not: what failed may be tried again. Nor are streams of events, in which a failure
    may be hidden. A key that is used for another request is refused with 422, one whose first request is not answered yet
    with 409.
    """

    def __init__(self, app: ASGIApp, *, answers: IdempotentAnswers) -> None:
        self._app = app
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wished = Headers(scope=scope).get(KEY_HEADER) if scope["type"] == "http" and scope["method"] == "POST" else None
        if wished is None:
            await self._app(scope, receive, send)
            return
        try:
            key = _key_of(scope, wished)
            kept = self._answers.begin(key)
            if kept is not None:
                await _replay(kept, scope, receive, send)
                return
        except AsrError as error:
            await error_response(scope["path"], error, meaning_of(error))(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._answers.max_answer_bytes)
        try:
            await self._app(scope, exchange.receive, exchange.send)
            if (answer := exchange.answer()) is not None:
                self._answers.keep(key, answer)
        finally:
            self._answers.abandon(key)


def _key_of(scope: Scope, wished: str) -> str:
    """The client's key, together with who the client says it is: no caller gets the answers of another."""
    if not _ACCEPTABLE_KEY.fullmatch(wished):
        raise IdempotencyKeyInvalid(
            "The Idempotency-Key is not 1 to 255 visible ASCII characters.", field="Idempotency-Key"
        )
    credentials = Headers(scope=scope).get("authorization", "")
    return f"{hashlib.sha256(credentials.encode()).hexdigest()}:{wished}"


async def _replay(kept: KeptAnswer, scope: Scope, receive: Receive, send: Send) -> None:
    fingerprint = Fingerprint(scope)
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        fingerprint.update(message.get("body", b""))
        more = message.get("more_body", False)
    kept.expect(fingerprint.hexdigest())
    headers = [*kept.headers, (REPLAYED_HEADER, b"true")]
    await send({"type": "http.response.start", "status": kept.status, "headers": headers})
    await send({"type": "http.response.body", "body": kept.body})


class _Exchange:
    """A request and its answer, as they pass."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, max_body_bytes: int) -> None:
        self._receive = receive
        self._send = send
        self._max_body_bytes = max_body_bytes
        self._fingerprint = Fingerprint(scope)
        self._received_all = False
        self._start: Message = {}
        self._body = bytearray()
        self._sent_all = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._fingerprint.update(message.get("body", b""))
            self._received_all = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
        elif len(self._body) <= self._max_body_bytes:
            self._body += message.get("body", b"")
            self._sent_all = not message.get("more_body", False)
        await self._send(message)

    def answer(self) -> KeptAnswer | None:
        """What to remember; ``None``: nothing."""
        if not (self._received_all and self._sent_all and 200 <= self._start["status"] < 300):
            return None
        headers = tuple(self._start["headers"])
        if any(name == b"content-type" and value.startswith(_STREAM) for name, value in headers):
            return None
        return KeptAnswer(self._fingerprint.hexdigest(), self._start["status"], headers, bytes(self._body))
