"""The web application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import FileResponse, JSONResponse
from fastapi_offline import FastAPIOffline
from starlette.middleware.cors import CORSMiddleware
from starlette.staticfiles import StaticFiles

from asr_service import __version__
from asr_service.app.api.asyncapi_document import asyncapi_document
from asr_service.app.api.dependencies import ApiServices
from asr_service.app.api.error_handlers import install_error_handlers
from asr_service.app.api.openai import models, realtime, transcriptions
from asr_service.app.api.openapi_document import TAGS, describe
from asr_service.app.api.v1 import router as v1
from asr_service.app.api.v1.rest import operations
from asr_service.app.api.v1.websocket import deepgram_routes
from asr_service.app.api.v1.websocket.wire_protocols import ANY_PATH, WireProtocol
from asr_service.app.middleware.body_limit_middleware import BodyLimitMiddleware
from asr_service.app.middleware.conditional_get_middleware import ConditionalGetMiddleware
from asr_service.app.middleware.crash_middleware import CrashMiddleware
from asr_service.app.middleware.deprecation_middleware import Deprecation, DeprecationMiddleware
from asr_service.app.middleware.idempotency_middleware import IdempotencyMiddleware
from asr_service.app.middleware.request_log_middleware import REQUEST_ID_HEADER, RequestLogMiddleware
from asr_service.app.services.idempotency import IdempotentAnswers
from asr_service.bootstrap import build, wire_protocols
from asr_service.infrastructure.config.loading import load_settings
from asr_service.infrastructure.config.settings import Settings
from asr_service.shared.clock import SystemClock

_PACKAGE = Path(__file__).parent
_EXPOSED_HEADERS = (REQUEST_ID_HEADER, "ETag", "Retry-After", "Deprecation", "Sunset", "Link", "Idempotency-Replayed")

DEPRECATIONS: tuple[Deprecation, ...] = ()
"""What of the interface is to go; docs/api/rest-style.md says how long it is kept."""


def create_app(settings: Settings | None = None, *, services: ApiServices | None = None, **overrides: Any) -> FastAPI:
    """The application. Nothing is opened before its lifespan begins; everything is closed when that ends.

    Args:
        settings: As loaded by ``load_settings``; ``None`` loads them from the environment.
        services: Use cases that are built already; whoever built them closes them.
        overrides: Parts that replace the real ones, by the names of ``bootstrap.build``: for tests.
    """
    settings = settings or load_settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if services is not None:
            app.state.services = services
            yield
            return
        async with build(settings, **overrides) as built:
            app.state.services = built
            yield

    def on_request(route: str | None, method: str, status: int, seconds: float) -> None:
        app.state.services.on_request(route, method, status, seconds)

    app = _application(settings, lifespan)
    install_error_handlers(app)
    app.add_middleware(ConditionalGetMiddleware)
    if ttl_s := settings.server.idempotency_ttl_s:
        app.add_middleware(IdempotencyMiddleware, answers=IdempotentAnswers(SystemClock(), ttl_s=ttl_s))
    app.add_middleware(CrashMiddleware)
    app.add_middleware(BodyLimitMiddleware, max_bytes=settings.server.max_upload_bytes)
    if settings.server.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.server.cors_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=_EXPOSED_HEADERS,
        )
    app.add_middleware(DeprecationMiddleware, deprecations=DEPRECATIONS)
    app.add_middleware(RequestLogMiddleware, on_request=on_request)
    for router in (v1.router, transcriptions.router, models.router, realtime.router, operations.router):
        app.include_router(router)
    if settings.metrics.enabled:
        app.include_router(operations.metrics_router)
    for protocol in wire_protocols(settings):
        if protocol.enabled:
            app.include_router(protocol.router())
    if settings.deepgram.enabled:
        app.include_router(deepgram_routes.router)
    _serve_page(app, page_folder())
    if settings.api_docs.enabled:
        app.add_api_route("/asyncapi.json", _asyncapi, include_in_schema=False)
    describe(app)
    return app


def create_protocol_app(protocol: WireProtocol, services: ApiServices) -> FastAPI:
    """What is served on a protocol's own port: the protocol at any path, and nothing else."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.state.services = services
    install_error_handlers(app)
    app.add_middleware(RequestLogMiddleware, on_request=services.on_request)
    app.include_router(protocol.router(ANY_PATH))
    return app


def _application(settings: Settings, lifespan: Any) -> FastAPI:
    about = {
        "title": "asr-service",
        "version": __version__,
        "summary": "Self-hosted speech recognition: live and batch, Mandarin and English first.",
        "lifespan": lifespan,
        "openapi_tags": TAGS,
    }
    if settings.api_docs.enabled:
        return FastAPIOffline(**about)  # the documentation pages with their scripts: no other host is asked
    return FastAPI(**about, docs_url=None, redoc_url=None, openapi_url=None)


async def _asyncapi() -> JSONResponse:
    return JSONResponse(asyncapi_document())


def page_folder() -> Path:
    """Where the web page is: inside the installed package, or beside ``src`` in a checkout."""
    installed = _PACKAGE / "frontend"
    return installed if installed.is_dir() else _PACKAGE.parent.parent / "frontend"


def _serve_page(app: FastAPI, folder: Path) -> None:
    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(folder / "index.html")

    app.mount("/page", StaticFiles(directory=folder), name="page")
