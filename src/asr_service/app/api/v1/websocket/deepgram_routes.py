"""Where Deepgram's clients connect."""

import uuid
from datetime import UTC, datetime
from functools import partial

from fastapi import APIRouter, WebSocket

from asr_service.app.api.dependencies import CurrentCaller, Services
from asr_service.app.api.v1.websocket.protocols.deepgram import SUBPROTOCOLS, DeepgramCodec
from asr_service.app.dto.deepgram import ListenRequest, refusal_body

router = APIRouter()


@router.websocket("/v1/listen")
async def listen(websocket: WebSocket, services: Services, caller: CurrentCaller) -> None:
    """Deepgram's live transcription. Of the sub-protocols the one is selected that browsers send their key with."""
    request_id = str(uuid.uuid4())
    created = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    request = ListenRequest(tuple(websocket.query_params.multi_items()), request_id, created)
    offered = websocket.scope["subprotocols"]
    await services.audio.serve(
        websocket,
        caller,
        partial(DeepgramCodec, request=request),
        next((name for name in offered if name.lower() in SUBPROTOCOLS), None),
        partial(refusal_body, request_id=request_id),
    )
