"""Following a session, as server-sent events."""

import asyncio
import json
from itertools import count
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response

from asr_service.app.api.dependencies import CurrentCaller, Services
from asr_service.app.api.error_handlers import problem
from asr_service.app.api.openai.event_stream import Emit, EventStreamResponse, NamedEvent
from asr_service.app.api.v1.live.outbox import ClientTooSlow
from asr_service.app.api.v1.rest.documentation import problems
from asr_service.app.api.v1.rest.sessions import SessionId
from asr_service.app.api.v1.websocket.protocols.native_encoding import utterance_message
from asr_service.app.dto.responses import SessionResponse
from asr_service.app.services.session_following import Told
from asr_service.domain.entities.session_record import SessionRecord
from asr_service.domain.events.recognition_events import UtteranceFailed, UtteranceFinalized

router = APIRouter(prefix="/sessions", tags=["sessions"])

_SEND_TIMEOUT_S = 30.0  # a follower that takes nothing for so long is given up
_EXAMPLE = (
    'event: session\ndata: {"id": "ses_01jq3vd5m8x7k2n4p6r8t0w2y4", "status": "listening"}\n\n'
    'event: final\ndata: {"type": "final", "seq": 1, "utterance": 0, "text": "Go on."}\nid: 0\n\n'
)
_EVENT = {  # as readers of server-sent events give them
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("event", "data", "id")},
    "required": ["event", "data"],
}
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events, until the session is over",
        "content": {"text/event-stream": {"schema": _EVENT, "example": _EXAMPLE}},
    }
}
LastEventId = Annotated[
    int | None,
    Header(
        alias="Last-Event-ID",
        ge=0,
        description="the utterance whose final was the last that was received",
        examples=[3],
    ),
]


@router.get(
    "/{session_id}/events",
    summary="Follow a session",
    response_class=Response,
    responses=_STREAM | problems(404, 422, 500, 503),
)
async def follow_session(
    services: Services, caller: CurrentCaller, session_id: SessionId, last_event_id: LastEventId = None
) -> Response:
    """First what is stored, then what is said, whichever server has the session: server-sent events.

    `session` is the session as `GET` has it, at the beginning and whenever its status changes; `speech_started`, `partial`,
    `speech_ended`, `final` and `failed` are the messages of the native protocol. The stream ends when the session is over and
    cannot be resumed. A failure is an event named `error`, and the last one.
    """
    first = 0 if last_event_id is None else last_event_id + 1

    async def follow(emit: Emit) -> None:
        numbers = count(1)

        async def tell(told: Told) -> None:
            try:
                async with asyncio.timeout(_SEND_TIMEOUT_S):
                    await emit(_event_of(told, next(numbers)))
            except TimeoutError:
                raise ClientTooSlow(f"The client took no event for {_SEND_TIMEOUT_S:g} s.") from None

        await services.following.follow(caller, session_id, first, tell)

    return EventStreamResponse(follow, problem)


def _event_of(told: Told, number: int) -> NamedEvent:
    if isinstance(told, SessionRecord):
        return NamedEvent("session", SessionResponse.of(told).model_dump_json())
    message = utterance_message(told, number)
    assert message is not None, "the native protocol has words for every event of an utterance"
    event_id = str(told.utterance) if isinstance(told, UtteranceFinalized | UtteranceFailed) else None
    return NamedEvent(message["type"], json.dumps(message, ensure_ascii=False), event_id)
