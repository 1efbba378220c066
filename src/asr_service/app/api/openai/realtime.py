"""``/v1/realtime``: live transcription as OpenAI's Realtime clients expect it, and client secrets for browsers."""

from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, WebSocket
from pydantic import BaseModel, Field
from starlette.requests import HTTPConnection

from asr_service.app.api.dependencies import ApiServices, CurrentCaller, Services
from asr_service.app.api.openai.documentation import answer, failures
from asr_service.app.api.v1.websocket.audio_handler import WebSocketTransport
from asr_service.app.api.v1.websocket.protocols.openai_realtime import OpenAiRealtimeCodec, Opening
from asr_service.app.api.v1.websocket.protocols.openai_realtime_config import RealtimeConfig
from asr_service.app.api.v1.websocket.protocols.openai_realtime_updates import SessionUpdates
from asr_service.app.dto.model_names import named_model, not_found
from asr_service.app.services.client_secrets import SECRET_PREFIX, ClientSecret, InvalidClientSecret
from asr_service.app.services.held_recognizer import HeldRecognizer
from asr_service.domain.ports.recognizer_directory import LineupUnknown
from asr_service.domain.value_objects.caller import Caller
from asr_service.shared.errors import InvalidRequest
from asr_service.shared.identifiers import new_id

SUBPROTOCOL = "realtime"
_KEY_PROTOCOL = "openai-insecure-api-key."  # browsers cannot set headers
_BETA_PROTOCOL = "openai-beta.realtime-v1"
_BETA_HEADER = "realtime=v1"
_BEARER = "bearer "

_DEFAULT_LIFETIME_S = 600
_BETA_LIFETIME_S = 60  # the beta's is fixed

router = APIRouter(prefix="/v1/realtime", tags=["openai"])
_FAILURES = failures(400, 404, 409, 422, 500, 503)
_SESSION = {
    "type": "transcription",
    "object": "realtime.transcription_session",
    "id": "sess_01jq",
    "audio": {"input": {"format": {"type": "audio/pcm", "rate": 24_000}, "turn_detection": None}},
}
_SECRET = answer("The secret", {"value": "ek_Zm9v", "expires_at": 1_763_971_800, "session": _SESSION})
_BETA_SECRET = answer(
    "The session and its secret",
    {
        "object": "realtime.transcription_session",
        "id": "sess_01jq",
        "input_audio_format": "pcm16",
        "client_secret": {"value": "ek_Zm9v", "expires_at": 1_763_971_800},
    },
)


class ExpiresAfter(BaseModel):
    """How long a secret is valid."""

    anchor: Literal["created_at"] = "created_at"
    seconds: int = Field(default=_DEFAULT_LIFETIME_S, ge=10, le=7_200)


class ClientSecretRequest(BaseModel):
    """What a secret is to be made for."""

    expires_after: ExpiresAfter = ExpiresAfter()
    session: dict[str, Any] = Field(default={}, description="as in session.update")


class ClientSecretResponse(BaseModel):
    """A secret; whoever connects with it has this session."""

    value: str
    expires_at: int = Field(description="Unix time")
    session: dict[str, Any]


@router.websocket("")
async def realtime(websocket: WebSocket, services: Services, caller: CurrentCaller) -> None:
    """A session of transcription; its sub-protocol is selected if it is offered."""
    try:
        config = bound_config(services, presented_key(websocket))
    except InvalidClientSecret as refusal:
        await WebSocketTransport(websocket).refuse(refusal)
        return
    offered = websocket.scope["subprotocols"]
    model = config.model if config is not None else websocket.query_params.get("model")
    opening = Opening(
        new_id("sess"),
        beta=_BETA_HEADER in websocket.headers.get("openai-beta", "") or _BETA_PROTOCOL in offered,
        for_transcription=websocket.query_params.get("intent") == "transcription",
        model=websocket.query_params.get("model"),
        config=config,
    )
    subprotocol = SUBPROTOCOL if SUBPROTOCOL in offered else None
    new_codec = partial(OpenAiRealtimeCodec, opening=opening)
    await services.audio.serve(websocket, caller, new_codec, subprotocol, model=named_model(model, live=True))


@router.post("/client_secrets", summary="Make a client secret", responses=_SECRET | _FAILURES)
async def create_client_secret(
    services: Services, caller: CurrentCaller, wanted: ClientSecretRequest
) -> ClientSecretResponse:
    """A browser that connects with it needs no other key, and has the session that is described here."""
    try:
        secret = await _issued(services, caller, wanted.session, wanted.expires_after.seconds)
    except InvalidRequest as error:
        error.field = "session" if error.field is None else f"session.{error.field}"
        raise
    session = secret.bound.to_json(new_id("sess"))
    return ClientSecretResponse(value=secret.value, expires_at=_unix_time(secret), session=session)


@router.post(
    "/transcription_sessions",
    summary="Make a client secret, in the shape of the beta",
    responses=_BETA_SECRET | _FAILURES,
)
async def create_transcription_session(
    services: Services, caller: CurrentCaller, session: Annotated[dict[str, Any] | None, Body()] = None
) -> dict[str, Any]:
    """The session with its ``client_secret``, which is valid for a minute."""
    secret = await _issued(services, caller, session or {}, _BETA_LIFETIME_S)
    shown = {"value": secret.value, "expires_at": _unix_time(secret)}
    return {**secret.bound.to_beta_json(new_id("sess")), "client_secret": shown}


def presented_key(connection: HTTPConnection) -> str:
    """The key that a client shows: in a header, or among its sub-protocols; empty if it shows none. Never logged."""
    authorization = connection.headers.get("authorization", "")
    if authorization.lower().startswith(_BEARER):
        return authorization[len(_BEARER) :].strip()
    offered: list[str] = connection.scope.get("subprotocols", [])
    keys = (protocol.removeprefix(_KEY_PROTOCOL) for protocol in offered if protocol.startswith(_KEY_PROTOCOL))
    return next(keys, "")


def bound_config(services: ApiServices, key: str) -> RealtimeConfig | None:
    """What a client secret was made for; ``None`` for any other key: keys are not looked at yet.

    Raises:
        InvalidClientSecret: It has the form of one, and is none.
    """
    return services.client_secrets.redeem(key) if key.startswith(SECRET_PREFIX) else None


async def _issued(
    services: ApiServices, caller: Caller, session: dict[str, Any], lifetime_s: int
) -> ClientSecret[RealtimeConfig]:
    """The secret; the session is understood by the capabilities of the model that it names."""
    async with HeldRecognizer(services.recognizers, caller, new_id("ses")) as held:
        updates = SessionUpdates(held.capabilities, services.audio.reception.defaults)
        if (other := updates.other_model(session)) is not None:
            name, field = other
            try:
                updates = replace(updates, capabilities=await held.choose(name), selected=name)
            except LineupUnknown:
                raise not_found(name, field=field) from None
        return services.client_secrets.issue(updates.apply(updates.initial(), session), lifetime_s)


def _unix_time(secret: ClientSecret[RealtimeConfig]) -> int:
    return int(secret.expires_at.timestamp())
