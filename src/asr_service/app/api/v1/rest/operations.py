"""What operators and orchestrators ask for."""

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from asr_service.app.api.dependencies import Services
from asr_service.app.dto.responses import LivenessResponse, ReadinessResponse

router = APIRouter(tags=["operations"])
metrics_router = APIRouter(tags=["operations"])


@router.get("/health/live", summary="Is the process alive?")
async def get_liveness() -> LivenessResponse:
    return LivenessResponse()


@router.get(
    "/health/ready",
    summary="Can work be sent here?",
    responses={503: {"model": ReadinessResponse, "description": "Not now"}},
)
async def get_readiness(services: Services, response: Response) -> ReadinessResponse:
    health = await services.health.check()
    response.status_code = 200 if health.ready else 503
    return ReadinessResponse(
        status="ready" if health.ready else "not_ready",
        checks={name: problem or "ok" for name, problem in health.problems.items()},
    )


@metrics_router.get("/metrics", summary="Metrics in the text format of Prometheus", response_class=PlainTextResponse)
async def get_metrics(services: Services) -> Response:
    body, content_type = services.render_metrics()
    return Response(body, media_type=content_type)
