"""One line per request, under an identifier that the client gets too."""

import re
import time
from collections.abc import Callable

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from asr_service.shared.correlation import correlated
from asr_service.shared.identifiers import new_id

log = structlog.get_logger(__name__)

REQUEST_ID_HEADER = "x-request-id"
_ACCEPTABLE_ID = re.compile(r"[\w.:\-]{1,64}", re.ASCII)
_QUIET_PATHS = ("/health/", "/metrics")  # asked every few seconds by machines

OnRequest = Callable[[str | None, str, int, float], None]
"""Told of each finished request: route template (``None``: no route), method, status, seconds."""


class RequestLogMiddleware:
    """Gives every HTTP request an identifier, logs it once, and reports it to ``on_request``."""

    def __init__(self, app: ASGIApp, *, on_request: OnRequest) -> None:
        self._app = app
        self._on_request = on_request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        wished = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        request_id = wished if _ACCEPTABLE_ID.fullmatch(wished) else new_id("req")
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
            await send(message)

        started_s = time.monotonic()
        with correlated(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            finally:
                self._report(scope, status, time.monotonic() - started_s)

    def _report(self, scope: Scope, status: int, seconds: float) -> None:
        method, path = scope["method"], scope["path"]
        self._on_request(route_template(scope), method, status, seconds)
        write = log.debug if path.startswith(_QUIET_PATHS) else log.info
        write("request", method=method, path=path, status=status, duration_ms=round(seconds * 1_000, 1))


def route_template(scope: Scope) -> str | None:
    """The path with its parameters' names, such as ``/v1/models/{model}``: as many values as there are routes.

    Made from what the router has left in the scope of a request that is over: routes themselves may be nested, and then
    do not know their whole path.
    """
    if "endpoint" not in scope:
        return None
    if "app_root_path" in scope:  # a folder of files is mounted there
        return str(scope["root_path"].removeprefix(scope["app_root_path"]))
    segments = scope["path"].split("/")
    for name, value in scope.get("path_params", {}).items():
        places = [place for place, segment in enumerate(segments) if segment == str(value)]
        if places:
            segments[places[-1]] = f"{{{name}}}"
    return "/".join(segments)
