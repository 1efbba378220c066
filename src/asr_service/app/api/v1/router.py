"""Version 1 of the native REST interface, as one router."""

from fastapi import APIRouter

from asr_service.app.api.v1.rest import models, session_events, sessions

router = APIRouter(prefix="/api/v1")
router.include_router(sessions.router)
router.include_router(session_events.router)
router.include_router(models.router)
