"""Where Deepgram's clients connect."""

import uuid
from datetime import UTC, datetime
from functools import partial

from fastapi import APIRouter, WebSocket

from asr_service.app.api.dependencies import ApiServices, CurrentCaller, Services
from asr_service.app.api.v1.websocket.protocols.deepgram import SUBPROTOCOLS, DeepgramCodec
from asr_service.app.dto.deepgram import ListenRequest, refusal_body
from asr_service.domain.ports.recognizer_directory import LineupUnknown

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
        model=_known_model(services, websocket.query_params.get("model")),
    )


def _known_model(services: ApiServices, name: str | None) -> str | None:
    """The model of the address, if there is one of that name here: clients name those of Deepgram, and mean none of ours."""
    try:
        return None if name is None else services.recognizers.resolve(name)
    except LineupUnknown:
        return None
