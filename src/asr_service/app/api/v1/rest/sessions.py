"""Stored sessions and their results."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from asr_service.app.api.dependencies import CurrentCaller, Services
from asr_service.app.dto.responses import ProblemResponse, ResultPage, SessionPage, SessionResponse
from asr_service.domain.value_objects.session_status import SessionStatus

router = APIRouter(prefix="/sessions", tags=["sessions"], responses={400: {"model": ProblemResponse}})
_NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"model": ProblemResponse, "description": "No such session"}}

Cursor = Annotated[str | None, Query(max_length=500, description="next_cursor of the page before")]
Limit = Annotated[int, Query(ge=1, le=200, description="items per page")]


@router.get("", summary="List sessions, the newest first")
async def list_sessions(
    services: Services,
    caller: CurrentCaller,
    status: SessionStatus | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> SessionPage:
    return SessionPage.of(await services.transcripts.list_sessions(caller, status=status, cursor=cursor, limit=limit))


@router.get("/{session_id}", summary="Get one session", responses=_NOT_FOUND)
async def get_session(services: Services, caller: CurrentCaller, session_id: str) -> SessionResponse:
    return SessionResponse.of(await services.transcripts.get_session(caller, session_id))


@router.get("/{session_id}/results", summary="List the finals of a session, in order", responses=_NOT_FOUND)
async def list_results(
    services: Services, caller: CurrentCaller, session_id: str, cursor: Cursor = None, limit: Limit = 50
) -> ResultPage:
    return ResultPage.of(await services.transcripts.list_results(caller, session_id, cursor=cursor, limit=limit))
