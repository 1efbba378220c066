"""What is to go says so, and since when, until when, and what comes after it."""

from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI

from asr_service.app.middleware.deprecation_middleware import Deprecation, DeprecationMiddleware

OLD = Deprecation("/api/v0", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC), "/api/v1")
GONE_SOON = Deprecation("/old", datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC))


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()

    @app.get("/api/v0/things")
    @app.get("/api/v01/things")
    @app.get("/old")
    async def things() -> list[str]:
        return []

    app.add_middleware(DeprecationMiddleware, deprecations=[OLD, GONE_SOON])
    return app


async def _headers(app: FastAPI, path: str) -> tuple[str | None, ...]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service.example") as client:
        answer = await client.get(path)
    return tuple(answer.headers.get(name) for name in ("deprecation", "sunset", "link"))


@pytest.mark.parametrize("path", ["/api/v0/things", "/api/v0/missing", "/api/v0"])
async def test_every_answer_of_an_old_version_tells_what_becomes_of_it(app: FastAPI, path: str) -> None:
    successor = '</api/v1>; rel="successor-version"'
    assert await _headers(app, path) == ("@1767225600", "Wed, 01 Jul 2026 00:00:00 GMT", successor)


async def test_what_nothing_follows_has_no_successor(app: FastAPI) -> None:
    assert await _headers(app, "/old") == ("@1769904000", "Sun, 01 Mar 2026 00:00:00 GMT", None)


@pytest.mark.parametrize("path", ["/api/v01/things", "/older", "/"])
async def test_nothing_else_says_so(app: FastAPI, path: str) -> None:
    assert await _headers(app, path) == (None, None, None)


async def test_what_is_no_request_passes(app: FastAPI) -> None:
    async with app.router.lifespan_context(app):
        middleware = DeprecationMiddleware(app.router, deprecations=[OLD])
        messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
        sent: list[str] = []

        async def receive() -> dict[str, str]:
            return messages.pop(0)

        async def send(message: dict[str, str]) -> None:
            sent.append(message["type"])

        await middleware({"type": "lifespan", "app": app, "state": {}}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
