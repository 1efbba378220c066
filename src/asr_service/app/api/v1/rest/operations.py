"""What operators and orchestrators ask for."""

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from asr_service.app.api.dependencies import Services
from asr_service.app.api.v1.rest.documentation import problems
from asr_service.app.dto.responses import LivenessResponse, ReadinessResponse


def _example(value: Any) -> dict[str, Any]:
    return {"content": {"application/json": {"example": value}}}


router = APIRouter(tags=["operations"])
metrics_router = APIRouter(tags=["operations"])


@router.get("/health/live", summary="Is the process alive?", responses={200: _example({"status": "alive"})})
async def get_liveness() -> LivenessResponse:
    """Answers as long as the process does; it asks nothing else."""
    return LivenessResponse()


@router.get(
    "/health/ready",
    summary="Can work be sent here?",
    responses={
        200: _example({"status": "ready", "checks": {"recognizer": "ok", "database": "ok"}}),
        503: {
            "model": ReadinessResponse,
            "description": "Not now",
            **_example(
                {"status": "not_ready", "checks": {"recognizer": "All workers are restarting.", "database": "ok"}}
            ),
        },
        **problems(500),
    },
)
async def get_readiness(services: Services, response: Response) -> ReadinessResponse:
    """Whether everything is there that a session needs, and what is wrong where it is not."""
    health = await services.health.check()
    response.status_code = 200 if health.ready else 503
    return ReadinessResponse(
        status="ready" if health.ready else "not_ready",
        checks={name: problem or "ok" for name, problem in health.problems.items()},
    )


@metrics_router.get(
    "/metrics",
    summary="Metrics in the text format of Prometheus",
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/plain": {"example": "asr_sessions_active 2.0\n"}}}},
)
async def get_metrics(services: Services) -> Response:
    """Counts of requests and sessions, times, queues and loads."""
    body, content_type = services.render_metrics()
    return Response(body, media_type=content_type)
