"""Where FunASR's clients connect: no server of theirs looks at the path, so all that are seen in the wild are served."""

from fastapi import APIRouter, WebSocket

from asr_service.app.api.dependencies import CurrentCaller, Services
from asr_service.app.api.v1.websocket.protocols.funasr import SUBPROTOCOL, FunAsrCodec

router = APIRouter()


@router.websocket("/")
@router.websocket("/ws")
@router.websocket("/wss/")
async def stream(websocket: WebSocket, services: Services, caller: CurrentCaller) -> None:
    """FunASR's runtime protocol; its sub-protocol is selected if it is offered, and never required."""
    subprotocol = SUBPROTOCOL if SUBPROTOCOL in websocket.scope["subprotocols"] else None
    await services.audio.serve(websocket, caller, FunAsrCodec, subprotocol)
