"""Tells clients, with each answer, that what they call will be gone: ``Deprecation`` (RFC 9745), ``Sunset`` (RFC 8594)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True, slots=True)
class Deprecation:
    """A part of the interface that is to go.

    Attributes:
        prefix: Of its paths, for example ``/api/v1``; a path belongs to it as a whole or up to a slash.
        since: When it was deprecated, in UTC.
        sunset: When it will stop to answer, in UTC.
        successor: The path of what replaces it; ``None``: nothing does.
    """

    prefix: str
    since: datetime
    sunset: datetime
    successor: str | None = None

    def covers(self, path: str) -> bool:
        return path == self.prefix or path.startswith(f"{self.prefix}/")

    def headers(self) -> dict[str, str]:
        """What answers of this part carry."""
        headers = {
            "Deprecation": f"@{int(self.since.timestamp())}",
            "Sunset": format_datetime(self.sunset, usegmt=True),
        }
        if self.successor is not None:
            headers["Link"] = f'<{self.successor}>; rel="successor-version"'
        return headers


class DeprecationMiddleware:
    """Adds the headers of the first deprecation that covers the path; to failures too."""

    def __init__(self, app: ASGIApp, *, deprecations: Sequence[Deprecation]) -> None:
        self._app = app
        self._deprecations = tuple(deprecations)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        covering = (one for one in self._deprecations if scope["type"] == "http" and one.covers(scope["path"]))
        deprecation = next(covering, None)
        if deprecation is None:
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in deprecation.headers().items():
                    headers.append(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)
