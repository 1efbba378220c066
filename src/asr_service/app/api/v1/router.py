"""Version 1 of the native interfaces, as one router."""

from fastapi import APIRouter, WebSocket

from asr_service.app.api.dependencies import CurrentCaller, Services
from asr_service.app.api.v1.rest import sessions
from asr_service.app.api.v1.websocket.protocols.native import NativeCodec

router = APIRouter(prefix="/api/v1")
router.include_router(sessions.router)


@router.websocket("/stream")
async def stream(websocket: WebSocket, services: Services, caller: CurrentCaller) -> None:
    """The native protocol."""
    await services.audio.serve(websocket, caller, NativeCodec)
