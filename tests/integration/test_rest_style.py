"""The one style of the REST interface: keys of idempotency, tags of content, as the whole application has them."""

import asyncio

import pytest

from tests.fixtures.app import RunningApp, StartApp, wav
from tests.fixtures.live_sessions import silence, sound, utterances
from tests.fixtures.sockets import ScriptedSocket

pytestmark = pytest.mark.usefixtures("tidy")

ROUTE = "/v1/audio/transcriptions"
TALK = wav(sound(500) + silence(2_000))
KEY = {"idempotency-key": "3f1c-9e"}


async def _upload(service: RunningApp, recording: bytes = TALK, **fields: str) -> tuple[int, str, str | None]:
    """Status, text and whether the answer was remembered; each upload has a boundary of its own."""
    answer = await service.client.post(ROUTE, files={"file": ("a", recording)}, data=fields, headers=KEY)
    return answer.status_code, answer.text, answer.headers.get("idempotency-replayed")


async def test_a_transcription_is_made_once_for_each_key(service: RunningApp) -> None:
    first = await _upload(service)
    again = await _upload(service)
    assert first[0] == 200
    assert again == (200, first[1], "true")
    assert len(service.recognizer.requests) == 1


async def test_a_key_is_for_one_request(service: RunningApp) -> None:
    await _upload(service)
    for changed in (_upload(service, wav(sound(600) + silence(2_000))), _upload(service, language="en")):
        status, text, _ = await changed
        assert status == 422
        assert '"code":"idempotency_key_reused"' in text
    assert len(service.recognizer.requests) == 1


async def test_two_at_the_same_time_are_told_apart(service: RunningApp) -> None:
    service.recognizer.hold()
    first = asyncio.create_task(_upload(service))
    await service.recognizer.wait_for_requests(1)
    assert (await _upload(service))[0] == 409
    await service.recognizer.release()
    assert (await first)[0] == 200
    assert (await _upload(service))[2] == "true"


async def test_a_body_that_is_too_large_is_refused_under_a_known_key(start_app: StartApp) -> None:
    async with start_app(server={"max_upload_mb": 1}) as service:
        await _upload(service)

        async def large() -> object:
            for _ in range(3):
                yield bytes(1 << 19)

        answer = await service.client.post(ROUTE, content=large(), headers=KEY)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "audio_too_long"


async def test_keys_can_be_ignored(start_app: StartApp) -> None:
    async with start_app(server={"idempotency_ttl_s": 0}) as service:
        assert [(await _upload(service))[2] for _ in range(2)] == [None, None]
    assert len(service.recognizer.requests) == 2


async def test_sessions_and_results_are_not_sent_twice_to_who_has_them(service: RunningApp) -> None:
    socket = ScriptedSocket("/api/v1/stream")
    serving = asyncio.create_task(socket.served_by(service.app))
    socket.say({"type": "start"})
    socket.say(utterances(1))
    socket.say({"type": "end"})
    await serving
    session = f"/api/v1/sessions/{socket.messages[0]['session_id']}"
    while (await service.client.get(session)).json().get("status") != "closed":
        pass  # storage follows in its own time
    for path in (session, f"{session}/results", "/api/v1/sessions"):
        answer = await service.client.get(path)
        known = await service.client.get(path, headers={"if-none-match": answer.headers["etag"]})
        assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", answer.headers["etag"])
        assert known.headers["x-request-id"] != answer.headers["x-request-id"]


async def test_a_listing_that_has_changed_is_sent(service: RunningApp) -> None:
    empty = await service.client.get("/api/v1/sessions")
    socket = ScriptedSocket("/api/v1/stream")
    serving = asyncio.create_task(socket.served_by(service.app))
    socket.say({"type": "start"})
    socket.say({"type": "end"})
    await serving
    tag = {"if-none-match": empty.headers["etag"]}
    while (changed := await service.client.get("/api/v1/sessions", headers=tag)).status_code == 304:
        pass
    assert len(changed.json()["items"]) == 1


async def test_other_sites_see_the_headers_of_the_style(start_app: StartApp) -> None:
    async with start_app(server={"cors_origins": "https://site.example"}) as service:
        answer = await service.client.get("/api/v1/sessions", headers={"origin": "https://site.example"})
    exposed = answer.headers["access-control-expose-headers"].lower().split(", ")
    assert {"x-request-id", "etag", "retry-after", "deprecation", "sunset"} <= set(exposed)
