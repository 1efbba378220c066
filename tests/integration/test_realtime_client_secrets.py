"""Client secrets for browsers: made over REST, shown at the handshake of ``/v1/realtime``."""

import asyncio
import json
import time
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.fixtures.app import RunningApp
from tests.fixtures.sockets import ScriptedSocket

pytestmark = pytest.mark.usefixtures("tidy")

SECRETS = "/v1/realtime/client_secrets"
BETA_SECRETS = "/v1/realtime/transcription_sessions"
BY_COMMITS = {"type": "transcription", "audio": {"input": {"turn_detection": None}}}


async def greeted(service: RunningApp, *subprotocols: str) -> dict[str, Any]:
    """The first event of a connection with these sub-protocols."""
    socket = ScriptedSocket("/v1/realtime", subprotocols)
    serving = asyncio.create_task(socket.served_by(service.app))
    greeting = await socket.hear()
    socket.leave()
    await serving
    return greeting


async def refused(service: RunningApp, *subprotocols: str) -> tuple[int, dict[str, Any]]:
    """Status and body of the answer to a handshake with these sub-protocols."""
    socket = ScriptedSocket("/v1/realtime", subprotocols)
    await socket.served_by(service.app)
    start, body = socket.sent
    return start["status"], json.loads(body["body"])


async def test_a_secret_brings_the_session_that_it_was_made_for(service: RunningApp) -> None:
    made = (await service.client.post(SECRETS, json={"session": BY_COMMITS})).json()
    greeting = await greeted(service, "realtime", f"openai-insecure-api-key.{made['value']}")
    assert made.keys() == {"value", "expires_at", "session"}
    assert greeting["session"]["audio"] == made["session"]["audio"]
    assert greeting["session"]["audio"]["input"]["turn_detection"] is None


async def test_it_lives_ten_minutes_unless_asked_otherwise(service: RunningApp) -> None:
    usual = (await service.client.post(SECRETS, json={})).json()
    short = (await service.client.post(SECRETS, json={"expires_after": {"seconds": 10}})).json()
    assert usual["expires_at"] - short["expires_at"] in (589, 590)
    assert 0 < short["expires_at"] - time.time() <= 11


async def test_the_beta_has_its_own_shape_and_a_minute(service: RunningApp) -> None:
    wanted = {"input_audio_format": "g711_ulaw", "turn_detection": None}
    made = (await service.client.post(BETA_SECRETS, json=wanted)).json()
    secret = made["client_secret"]
    assert (made["input_audio_format"], made["turn_detection"]) == ("g711_ulaw", None)
    assert 50 < secret["expires_at"] - time.time() <= 61
    protocols = ("realtime", f"openai-insecure-api-key.{secret['value']}", "openai-beta.realtime-v1")
    greeting = await greeted(service, *protocols)
    assert greeting["session"]["input_audio_format"] == "g711_ulaw"


async def test_the_beta_needs_no_body(service: RunningApp) -> None:
    answer = await service.client.post(BETA_SECRETS)
    assert answer.status_code == 200
    assert answer.json()["client_secret"]["value"].startswith("ek_")


@pytest.mark.parametrize(
    ("route", "body", "status", "param"),
    [
        (SECRETS, {"session": {"turn_detection": 1}}, 400, "session.turn_detection"),
        (SECRETS, {"session": {"type": "chat"}}, 400, "session.type"),
        (
            SECRETS,
            {"session": {"audio": {"input": {"transcription": {"model": "x"}}}}},
            404,
            "session.audio.input.transcription.model",
        ),
        (
            SECRETS,
            {"session": {"audio": {"input": {"transcription": {"language": "xx"}}}}},
            400,
            "session.audio.input.transcription.language",
        ),
        (SECRETS, {"expires_after": {"seconds": 9}}, 422, "expires_after.seconds"),
        (SECRETS, {"session": []}, 422, "session"),
        (BETA_SECRETS, {"input_audio_format": "mp3"}, 400, "input_audio_format"),
        (BETA_SECRETS, [], 422, None),
    ],
)
async def test_what_could_not_be_held_is_refused(
    service: RunningApp, route: str, body: Any, status: int, param: str | None
) -> None:
    answer = await service.client.post(route, json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (status, param)
    assert error["type"] == "invalid_request_error"


async def test_an_unknown_secret_is_refused_and_another_key_is_not(service: RunningApp) -> None:
    status, body = await refused(service, "realtime", "openai-insecure-api-key.ek_unknown")
    assert (status, body["error"]["code"]) == (401, "invalid_client_secret")
    greeting = await greeted(service, "realtime", "openai-insecure-api-key.sk-any")
    assert greeting["type"] == "session.created"


async def test_no_key_and_no_secret_reaches_the_log(service: RunningApp) -> None:
    with capture_logs() as lines:
        made = (await service.client.post(SECRETS, json={})).json()
        await greeted(service, "realtime", f"openai-insecure-api-key.{made['value']}")
        await greeted(service, "realtime", "openai-insecure-api-key.sk-any")
        await refused(service, "realtime", "openai-insecure-api-key.ek_unknown")
    assert lines
    assert not [key for key in (made["value"], "sk-any", "ek_unknown") if key in repr(lines)]


async def test_the_sub_protocol_is_selected_if_it_is_offered(service: RunningApp) -> None:
    selected = []
    for offered in (["realtime", "openai-insecure-api-key.x"], ["openai-insecure-api-key.x"], []):
        socket = ScriptedSocket("/v1/realtime", offered)
        serving = asyncio.create_task(socket.served_by(service.app))
        await socket.hear()
        socket.leave()
        await serving
        selected.append(socket.subprotocol)
    assert selected == ["realtime", None, None]
