"""Refuses request bodies that are too large, before they fill memory or disk."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from asr_service.app.api.error_handlers import error_response
from asr_service.app.api.errors import meaning_of
from asr_service.domain.ports.audio_decoder import AudioTooLong


class BodyLimitMiddleware:
    """Answers 413 by the declared length at once, and else as soon as the limit is passed while the body is read."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > self._max_bytes:
            error = self._too_large(int(declared))
            await error_response(scope["path"], error, meaning_of(error))(scope, receive, send)
            return
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise self._too_large(received)
            return message

        await self._app(scope, receive_counted, send)

    def _too_large(self, size_bytes: int) -> AudioTooLong:
        return AudioTooLong(
            f"Maximum content size limit ({self._max_bytes}) exceeded ({size_bytes} bytes read).",
            hint="Send a shorter or compressed recording, or raise ASR_SERVER__MAX_UPLOAD_MB.",
        )
