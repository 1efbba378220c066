"""The models of the service: which there are, which are loaded, and who gets which."""

from typing import Annotated, Any

from fastapi import APIRouter, Path

from asr_service.app.api.dependencies import Services
from asr_service.app.api.v1.rest.documentation import (
    IF_NONE_MATCH,
    changed,
    example_of,
    model_problems,
)
from asr_service.app.dto.lineup_responses import (
    LineupChange,
    LineupPage,
    LineupResponse,
    RoutingChange,
    RoutingResponse,
)

router = APIRouter(tags=["models"])

Name = Annotated[str, Path(max_length=200, description="as in the listing", examples=["default"])]

_MODEL = {
    "name": "default",
    "model": "whisper-base",
    "partials_model": None,
    "fallback_model": None,
    "state": "ready",
    "default": True,
    "pinned": False,
    "leases": 2,
    "engine": "faster-whisper",
    "capabilities": {
        "languages": ["en", "zh"],
        "word_times": True,
        "hotwords": True,
        "prompt": True,
        "spoken_numbers": True,
        "punctuation": True,
        "casing": True,
        "translation": True,
        "max_seconds": 30.0,
    },
    "memory_bytes": 713_031_680,
    "failure": None,
}
_ROUTING: dict[str, Any] = {"default": "default", "tenants": {}, "canary": None, "canary_share": 0.0}


@router.get(
    "/models",
    summary="List the models",
    responses=example_of("All models", {"items": [_MODEL], "next_cursor": None}) | model_problems(500),
    openapi_extra=IF_NONE_MATCH,
)
async def list_models(services: Services) -> LineupPage:
    """All models of the settings, whether or not they are loaded."""
    return LineupPage(items=[LineupResponse.of(status) for status in await services.lineups.list_lineups()])


@router.get(
    "/models/{name}",
    summary="Get one model",
    responses=example_of("The model", _MODEL) | model_problems(404, 422, 500),
    openapi_extra=IF_NONE_MATCH,
)
async def get_model(services: Services, name: Name) -> LineupResponse:
    """How it stands now."""
    return LineupResponse.of(await services.lineups.get_lineup(name))


@router.post(
    "/models/{name}/load",
    summary="Load a model",
    responses=changed("It is loaded", _MODEL) | model_problems(403, 404, 409, 422, 500, 503),
)
async def load_model(services: Services, name: Name) -> LineupResponse:
    """Answers when the model can recognize, its self-test included. One that was to be unloaded stays."""
    return LineupResponse.of(await services.lineups.load(name))


@router.post(
    "/models/{name}/unload",
    summary="Unload a model",
    responses=changed("It is unloaded, or draining", _MODEL | {"name": "fast", "default": False, "state": "draining"})
    | model_problems(403, 404, 409, 422, 500),
)
async def unload_model(services: Services, name: Name) -> LineupResponse:
    """At once, or when the last session that holds it ends: until then its state is `draining`."""
    return LineupResponse.of(await services.lineups.unload(name))


@router.patch(
    "/models/{name}",
    summary="Pin a model",
    responses=changed("The model", _MODEL | {"pinned": True}) | model_problems(400, 403, 404, 422, 500),
)
async def change_model(services: Services, name: Name, wanted: LineupChange) -> LineupResponse:
    """A pinned model is never unloaded to make room; pinning does not load it."""
    return LineupResponse.of(await services.lineups.pin(name, pinned=wanted.pinned))


@router.get(
    "/routing",
    summary="Get who gets which model",
    responses=example_of("The routing", _ROUTING) | model_problems(500),
    openapi_extra=IF_NONE_MATCH,
)
async def get_routing(services: Services) -> RoutingResponse:
    """Which model a session gets that names none itself."""
    return RoutingResponse.of(services.lineups.routing)


@router.patch(
    "/routing",
    summary="Change who gets which model",
    responses=changed("The routing", _ROUTING | {"default": "fast"}) | model_problems(400, 403, 404, 422, 500, 503),
)
async def change_routing(services: Services, wanted: RoutingChange) -> RoutingResponse:
    """New sessions follow it; those in progress keep what they have.

    A new default is loaded first: if that fails, nothing has changed. A model that nobody is routed to any more is unloaded
    when its last session ends, unless it is pinned.
    """
    return RoutingResponse.of(await services.lineups.reroute(**wanted.model_dump(exclude_unset=True)))
