"""Answers what nobody has foreseen, while it is still known to which request it happened."""

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from asr_service.app.api.error_handlers import crash_response

log = structlog.get_logger(__name__)


class CrashMiddleware:
    """Logs an exception that no handler knows, and answers 500; inside of whatever puts headers on answers.

    The framework's own last resort is outside of all middleware, where neither the request's identifier nor the headers
    for other sites are there any more.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answered = False

        async def send_watched(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            await self._app(scope, receive, send_watched)
        except Exception:  # a fault of ours that nobody has foreseen: the client is told, and the log has it whole
            log.exception("request_crashed", path=scope["path"])
            if answered:
                raise  # the connection has to break, or half an answer would pass for a whole one
            await crash_response(scope["path"])(scope, receive, send)
