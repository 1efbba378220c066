"""Stored sessions and their results."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from asr_service.app.api.dependencies import CurrentCaller, Services
from asr_service.app.api.v1.rest.documentation import IF_NONE_MATCH, example_of, problems
from asr_service.app.dto.responses import ResultPage, SessionPage, SessionResponse
from asr_service.domain.value_objects.session_status import SessionStatus

router = APIRouter(prefix="/sessions", tags=["sessions"])

Cursor = Annotated[str | None, Query(max_length=500, description="next_cursor of the page before")]
Limit = Annotated[int, Query(ge=1, le=200, description="items per page", examples=[50])]
Status = Annotated[SessionStatus | None, Query(description="only sessions of this status", examples=["closed"])]
SessionId = Annotated[str, Path(description="as in the listing", examples=["ses_01jq3vd5m8x7k2n4p6r8t0w2y4"])]

_SESSION = {
    "id": "ses_01jq3vd5m8x7k2n4p6r8t0w2y4",
    "name": "demo",
    "language": "en",
    "status": "closed",
    "started_at": "2026-11-25T09:00:00Z",
    "ended_at": "2026-11-25T09:00:03Z",
    "end_reason": "completed",
    "resumable_until": None,
    "received_ms": 3000,
    "decoded_ms": 3000,
    "final_ms": 3000,
}
_LIVE = {**_SESSION, "status": "listening", "ended_at": None, "end_reason": None}
_CANCELLED: dict[int | str, dict[str, Any]] = {
    202: {"description": "Its server has been told", "content": {"application/json": {"example": _LIVE}}}
}
_RESULT = {
    "utterance": 0,
    "start_ms": 120,
    "end_ms": 980,
    "text": "Go on.",
    "language": "en",
    "timing": "aligned",
    "words": [
        {"text": "Go", "start_ms": 320, "end_ms": 500, "confidence": 0.98},
        {"text": "on.", "start_ms": 500, "end_ms": 760, "confidence": 0.97},
    ],
    "created_at": "2026-11-25T09:00:01Z",
}


@router.get(
    "",
    summary="List sessions, the newest first",
    responses=example_of("A page of sessions", {"items": [_SESSION], "next_cursor": "c2VzXzAxanEz"})
    | problems(400, 422, 500, 503),
    openapi_extra=IF_NONE_MATCH,
)
async def list_sessions(
    services: Services, caller: CurrentCaller, status: Status = None, cursor: Cursor = None, limit: Limit = 50
) -> SessionPage:
    """A page of sessions; `next_cursor` leads to the next one."""
    return SessionPage.of(await services.transcripts.list_sessions(caller, status=status, cursor=cursor, limit=limit))


@router.get(
    "/{session_id}",
    summary="Get one session",
    responses=example_of("The session", _SESSION) | problems(404, 500, 503),
    openapi_extra=IF_NONE_MATCH,
)
async def get_session(services: Services, caller: CurrentCaller, session_id: SessionId) -> SessionResponse:
    """A live session that is, or was, served."""
    return SessionResponse.of(await services.transcripts.get_session(caller, session_id))


@router.post(
    "/{session_id}/cancel",
    status_code=202,
    summary="Cancel a live session",
    responses=_CANCELLED | problems(404, 409, 500, 503),
)
async def cancel_session(services: Services, caller: CurrentCaller, session_id: SessionId) -> SessionResponse:
    """Ends a session that is listening, on whichever server it is; it cannot be resumed. Its finals stay.

    The answer is what is known of it now; soon its status is `closed` and its end reason `cancelled`. Its client gets the
    error `session_cancelled`, and its connection is closed.
    """
    return SessionResponse.of(await services.cancellation.cancel(caller, session_id))


@router.get(
    "/{session_id}/results",
    summary="List the finals of a session, in order",
    responses=example_of("A page of results", {"items": [_RESULT], "next_cursor": "c2VzXzAxanEz"})
    | problems(400, 404, 422, 500, 503),
    openapi_extra=IF_NONE_MATCH,
)
async def list_results(
    services: Services, caller: CurrentCaller, session_id: SessionId, cursor: Cursor = None, limit: Limit = 50
) -> ResultPage:
    """A page of finals; `next_cursor` leads to the next one."""
    return ResultPage.of(await services.transcripts.list_results(caller, session_id, cursor=cursor, limit=limit))
