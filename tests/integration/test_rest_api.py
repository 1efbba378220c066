"""The native REST interface, the operational endpoints, and what holds for every request."""

import asyncio
import json
import re
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from asr_service.bootstrap import wire_protocols
from asr_service.domain.ports.recognizer import RecognizerUnavailable
from asr_service.infrastructure.config.settings import Settings
from asr_service.main import create_protocol_app
from tests.fixtures.app import HOST, RunningApp, StartApp
from tests.fixtures.live_sessions import utterances
from tests.fixtures.sockets import ScriptedSocket
from tests.fixtures.wire_checker import check_session

pytestmark = pytest.mark.usefixtures("tidy")

ROUTES = {
    "/v1/audio/transcriptions": {"post"},
    "/v1/audio/translations": {"post"},
    "/v1/models": {"get"},
    "/v1/models/{model}": {"get"},
    "/v1/realtime/client_secrets": {"post"},
    "/v1/realtime/transcription_sessions": {"post"},
    "/api/v1/models": {"get"},
    "/api/v1/models/{name}": {"get", "patch"},
    "/api/v1/models/{name}/load": {"post"},
    "/api/v1/models/{name}/unload": {"post"},
    "/api/v1/routing": {"get", "patch"},
    "/api/v1/sessions": {"get"},
    "/api/v1/sessions/{session_id}": {"get"},
    "/api/v1/sessions/{session_id}/cancel": {"post"},
    "/api/v1/sessions/{session_id}/events": {"get"},
    "/api/v1/sessions/{session_id}/results": {"get"},
    "/health/live": {"get"},
    "/health/ready": {"get"},
    "/metrics": {"get"},
}


async def _stream(service: RunningApp, count: int = 1, **start: Any) -> str:
    """Streams a session with so many utterances; returns its id."""
    socket = ScriptedSocket("/api/v1/stream")
    serving = asyncio.create_task(socket.served_by(service.app))
    socket.say({"type": "start", **start})
    socket.say(utterances(count))
    socket.say({"type": "end"})
    await serving
    check_session(socket.messages)
    return str(socket.messages[0]["session_id"])


async def _sessions(service: RunningApp, closed: int) -> list[dict[str, Any]]:
    """All stored sessions, as soon as so many of them are closed: storage follows the sessions in its own time."""
    while True:
        items: list[dict[str, Any]] = (await service.client.get("/api/v1/sessions")).json()["items"]
        if sum(item["status"] == "closed" for item in items) == closed:
            return items


# --- sessions and results


async def test_a_session_can_be_read_back_with_its_results(service: RunningApp) -> None:
    session_id = await _stream(service, 2, name="demo", language="en")
    (item,) = await _sessions(service, closed=1)
    assert {
        "id": session_id,
        "name": "demo",
        "language": "en",
        "status": "closed",
        "end_reason": "completed",
        "received_ms": 3_000,
        "decoded_ms": 3_000,
        "final_ms": 3_000,
    }.items() <= item.items()
    assert (await service.client.get(f"/api/v1/sessions/{session_id}")).json() == item
    results = (await service.client.get(f"/api/v1/sessions/{session_id}/results")).json()
    assert results["next_cursor"] is None
    assert [result["utterance"] for result in results["items"]] == [0, 1]
    for result in results["items"]:
        assert result["text"].startswith("heard ")
        assert result["timing"] == "aligned"
        assert [word["text"] for word in result["words"]] == result["text"].split()
        assert result["start_ms"] <= result["words"][0]["start_ms"] <= result["words"][-1]["end_ms"] <= result["end_ms"]


async def test_a_session_that_is_not_to_be_kept_is_not(service: RunningApp) -> None:
    gone = await _stream(service, store=False)
    kept = await _stream(service)
    assert [item["id"] for item in await _sessions(service, closed=1)] == [kept]
    assert (await service.client.get(f"/api/v1/sessions/{gone}")).status_code == 404


async def test_pages_lead_through_all_sessions_the_newest_first(service: RunningApp) -> None:
    ids = [await _stream(service) for _ in range(5)]
    await _sessions(service, closed=5)
    seen: list[str] = []
    cursor: str | None = None
    pages = 0
    while cursor is not None or not pages:
        query: dict[str, Any] = {"limit": 2, "status": "closed"} | ({"cursor": cursor} if cursor else {})
        page = (await service.client.get("/api/v1/sessions", params=query)).json()
        seen += [item["id"] for item in page["items"]]
        cursor, pages = page["next_cursor"], pages + 1
    assert (seen, pages) == (ids[::-1], 3)


async def test_pages_lead_through_all_results_in_order(service: RunningApp) -> None:
    session_id = await _stream(service, 3)
    await _sessions(service, closed=1)
    route = f"/api/v1/sessions/{session_id}/results"
    first = (await service.client.get(route, params={"limit": 2})).json()
    second = (await service.client.get(route, params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [result["utterance"] for result in first["items"] + second["items"]] == [0, 1, 2]
    assert second["next_cursor"] is None


async def test_a_listing_can_be_empty(service: RunningApp) -> None:
    answer = await service.client.get("/api/v1/sessions", params={"status": "listening"})
    assert answer.json() == {"items": [], "next_cursor": None}


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ({"limit": "0"}, 422, "limit"),
        ({"limit": "201"}, 422, "limit"),
        ({"limit": "many"}, 422, "limit"),
        ({"status": "asleep"}, 422, "status"),
        ({"cursor": "x" * 501}, 422, "cursor"),
        ({"cursor": "made up"}, 400, "cursor"),
    ],
)
async def test_a_wrong_question_is_a_problem_that_names_its_field(
    service: RunningApp, query: dict[str, str], status: int, field: str
) -> None:
    answer = await service.client.get("/api/v1/sessions", params=query)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["field"], problem["code"]) == (status, field, "invalid_request")


@pytest.mark.parametrize("path", ["/api/v1/sessions/ses_nobody", "/api/v1/sessions/ses_nobody/results"])
async def test_what_is_not_there_is_not_found(service: RunningApp, path: str) -> None:
    answer = await service.client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"


# --- every request


async def test_an_unknown_route_is_a_problem_or_an_error_of_openai(service: RunningApp) -> None:
    problem = await service.client.get("/api/v2/sessions")
    assert (problem.status_code, problem.headers["content-type"]) == (404, "application/problem+json")
    assert problem.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "Not Found.",
        "code": "not_found",
        "hint": None,
        "field": None,
        "request_id": problem.headers["x-request-id"],
    }
    error = await service.client.get("/v1/chat/completions")
    assert (error.status_code, error.headers["content-type"]) == (404, "application/json")
    assert error.json() == {
        "error": {"message": "Not Found.", "type": "invalid_request_error", "param": None, "code": "not_found"}
    }


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/v1/audio/transcriptions", "POST"), ("DELETE", "/api/v1/sessions", "GET"), ("POST", "/metrics", "GET")],
)
async def test_another_method_is_refused_with_those_that_are_allowed(
    service: RunningApp, method: str, path: str, allowed: str
) -> None:
    answer = await service.client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == allowed
    body = answer.json()
    assert (body["error"] if path.startswith("/v1/") else body)["code"] == "method_not_allowed"


async def test_a_request_keeps_the_identifier_that_it_came_with(service: RunningApp) -> None:
    answer = await service.client.get("/health/live", headers={"x-request-id": "trace-1.a:b_C"})
    assert answer.headers["x-request-id"] == "trace-1.a:b_C"


@pytest.mark.parametrize("wished", [None, "", "x" * 65, "a b", "<script>", "é"])
async def test_a_request_without_a_fit_identifier_gets_one(service: RunningApp, wished: str | None) -> None:
    headers = [] if wished is None else [(b"x-request-id", wished.encode("latin-1"))]
    first = await service.client.get("/health/live", headers=headers)
    second = await service.client.get("/health/live", headers=headers)
    assert re.fullmatch(r"req_\w{26}", first.headers["x-request-id"])
    assert first.headers["x-request-id"] != second.headers["x-request-id"]


async def test_a_body_is_limited_on_every_route(start_app: StartApp) -> None:
    async with start_app(server={"max_upload_mb": 1}) as service:
        answer = await service.client.post("/api/v1/sessions", content=bytes((1 << 20) + 1))
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "audio_too_long"


async def test_a_defect_is_answered_under_the_identifier_of_its_request(start_app: StartApp) -> None:
    async def defective() -> None:
        raise ZeroDivisionError("secret detail")

    async with start_app(check=defective, server={"cors_origins": "https://site.example"}) as service:
        with capture_logs() as lines:
            answer = await service.client.get("/health/ready", headers={"origin": "https://site.example"})
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["request_crashed"]
    assert answer.status_code == 500
    assert answer.headers["access-control-allow-origin"] == "https://site.example"
    problem = answer.json()
    assert (problem["code"], problem["request_id"]) == ("internal_error", answer.headers["x-request-id"])
    assert "secret" not in answer.text


async def test_other_sites_may_call_only_if_they_are_named(start_app: StartApp) -> None:
    preflight = {"origin": "https://site.example", "access-control-request-method": "POST"}
    stranger = {**preflight, "origin": "https://other.example"}
    async with start_app(server={"cors_origins": "https://site.example"}) as service:
        answer = await service.client.options("/v1/audio/transcriptions", headers=preflight)
        refused = await service.client.options("/v1/audio/transcriptions", headers=stranger)
    assert answer.headers["access-control-allow-origin"] == "https://site.example"
    assert "access-control-allow-origin" not in refused.headers


async def test_no_other_site_may_call_by_default(service: RunningApp) -> None:
    answer = await service.client.get("/v1/models", headers={"origin": "https://site.example"})
    assert "access-control-allow-origin" not in answer.headers


# --- operations


async def test_a_live_process_says_so(service: RunningApp) -> None:
    assert (await service.client.get("/health/live")).json() == {"status": "alive"}


async def test_ready_means_that_every_part_is(service: RunningApp) -> None:
    answer = await service.client.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "checks": {"server": "ok", "recognizer": "ok", "database": "ok"}}


async def test_a_part_that_is_not_ready_is_named(start_app: StartApp) -> None:
    async def restarting() -> None:
        raise RecognizerUnavailable("All recognition workers are restarting.")

    async with start_app(check=restarting) as service:
        answer = await service.client.get("/health/ready")
        alive = await service.client.get("/health/live")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "not_ready",
        "checks": {"server": "ok", "recognizer": "All recognition workers are restarting.", "database": "ok"},
    }
    assert alive.status_code == 200


async def test_metrics_count_requests_by_route_and_not_by_path(service: RunningApp) -> None:
    for path in ("/v1/models/a", "/v1/models/models", "/nowhere/1", "/nowhere/2", "/page/app.js", "/page/none.js"):
        await service.client.get(path)
    await service.client.get("/api/v1/sessions/ses_1/results")
    await service.client.delete("/v1/models/a")
    await _stream(service)
    await _sessions(service, closed=1)
    answer = await service.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert samples[("asr_http_requests_total", "/v1/models/{model}", "404", "GET")] == 2
    assert samples[("asr_http_requests_total", "/v1/models/{model}", "405", "DELETE")] == 1
    assert samples[("asr_http_requests_total", "/api/v1/sessions/{session_id}/results", "404", "GET")] == 1
    assert samples[("asr_http_requests_total", "/page", "200", "GET")] == 1
    assert samples[("asr_http_requests_total", "/page", "404", "GET")] == 1
    assert samples[("asr_http_requests_total", "404", "GET", "unmatched")] == 2
    assert samples[("asr_websocket_closes_total", "1000", "native")] == 1
    assert samples[("asr_sessions_ended_total", "completed")] == 1
    assert "nowhere" not in answer.text


async def test_the_lag_of_the_event_loop_is_measured(service: RunningApp) -> None:
    async with asyncio.timeout(30):
        while await _metric(service, "asr_event_loop_lag_seconds_count") == 0:
            pass


async def _metric(service: RunningApp, name: str) -> float:
    """The sum of a metric's samples over all labels."""
    families = text_string_to_metric_families((await service.client.get("/metrics")).text)
    return sum(sample.value for family in families for sample in family.samples if sample.name == name)


async def test_metrics_can_be_switched_off(start_app: StartApp) -> None:
    async with start_app(metrics={"enabled": False}) as service:
        assert (await service.client.get("/metrics")).status_code == 404
        assert (await service.client.get("/health/live")).status_code == 200


# --- the description of all this, and the page


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/"])
async def test_pages_need_no_other_host(service: RunningApp, path: str) -> None:
    page = await service.client.get(path)
    assert page.headers["content-type"].startswith("text/html")
    assert set(re.findall(r"(?:https?:)?//([\w.-]+\.\w+)", page.text)) <= {HOST}
    own = re.findall(r'(?:src|href)="(/[^"#]+|[\w./-]+\.(?:js|css|svg|ico))"', page.text)
    assert own
    for link in own:
        asset = await service.client.get(link if link.startswith("/") else f"/{link}")
        assert asset.status_code == 200, link


def _references(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if "$ref" in node else set()
        return own.union(*map(_references, node.values()))
    return set().union(*map(_references, node)) if isinstance(node, list) else set()


async def test_every_route_is_described(service: RunningApp) -> None:
    document = (await service.client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    assert {path: set(operations) for path, operations in document["paths"].items()} == ROUTES
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    for operation in operations:
        assert operation["summary"]
        assert {"200", "202"} & set(operation["responses"])
    for reference in _references(document):
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]


async def test_the_native_protocol_is_described(service: RunningApp) -> None:
    document = (await service.client.get("/asyncapi.json")).json()
    assert document["asyncapi"] == "3.0.0"
    assert document["channels"]["stream"]["address"] == "/api/v1/stream"


async def test_the_upload_is_described_as_clients_send_it(service: RunningApp) -> None:
    document = (await service.client.get("/openapi.json")).json()
    operation = document["paths"]["/v1/audio/transcriptions"]["post"]
    form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["required"] == ["file"]
    assert form["properties"]["file"]["format"] == "binary"
    assert "timestamp_granularities[]" in form["properties"]
    assert {"400", "404", "413", "500", "503"} <= operation["responses"].keys()


async def test_the_description_can_be_switched_off(start_app: StartApp) -> None:
    async with start_app(api_docs={"enabled": False}) as service:
        for path in ("/docs", "/redoc", "/openapi.json", "/asyncapi.json"):
            assert (await service.client.get(path)).status_code == 404
        assert (await service.client.get("/")).status_code == 200


async def test_a_file_beside_the_page_is_not_served(service: RunningApp) -> None:
    for path in ("/page/missing.js", "/page/../pyproject.toml", "/page/%2e%2e/pyproject.toml"):
        answer = await service.client.get(path)
        assert answer.status_code == 404
        assert answer.json()["code"] == "not_found"


# --- where WebSockets are served


@pytest.mark.parametrize("path", ["/", "/ws", "/wss/"])
async def test_funasr_clients_are_served_where_they_connect(service: RunningApp, path: str) -> None:
    socket = ScriptedSocket(path, subprotocols=["chat", "binary"])
    serving = asyncio.create_task(socket.served_by(service.app))
    socket.say({"mode": "offline", "wav_name": "demo"})
    socket.say(utterances(1))
    socket.say({"is_speaking": False})
    assert (await socket.hear())["text"].startswith("heard")
    socket.leave()
    await serving
    assert socket.subprotocol == "binary"


@pytest.mark.parametrize("path", ["/", "/api/v1/stream"])
async def test_no_subprotocol_is_selected_that_was_not_offered(service: RunningApp, path: str) -> None:
    socket = ScriptedSocket(path, subprotocols=["chat"])
    serving = asyncio.create_task(socket.served_by(service.app))
    socket.say({"type": "start", "mode": "2pass", "is_speaking": False})
    socket.say({"type": "end"})
    await socket.hear()
    socket.leave()
    await serving
    assert socket.subprotocol is None


async def test_funasr_can_be_switched_off(start_app: StartApp) -> None:
    async with start_app(funasr={"enabled": False}) as service:
        socket = ScriptedSocket("/ws")
        await socket.served_by(service.app)
        assert (await service.client.get("/")).status_code == 200
    assert [message["type"] for message in socket.sent] == ["websocket.close"]


async def test_vosk_is_served_if_it_is_wanted(start_app: StartApp) -> None:
    async with start_app(vosk={"enabled": True}) as service:
        socket = ScriptedSocket("/vosk")
        serving = asyncio.create_task(socket.served_by(service.app))
        socket.say({"config": {"sample_rate": 16_000}})
        socket.say(utterances(1))
        assert await socket.hear() == {"partial": ""}
        socket.say({"eof": 1})
        assert (await socket.hear())["text"].startswith("heard")
        await serving
    assert socket.close_code == 1000


async def test_vosk_is_off_unless_it_is_wanted(service: RunningApp) -> None:
    socket = ScriptedSocket("/vosk")
    await socket.served_by(service.app)
    assert [message["type"] for message in socket.sent] == ["websocket.close"]


@pytest.mark.parametrize("path", ["/", "/ws", "/wss", "/api/v1/stream", "/any/thing"])
async def test_on_a_port_of_its_own_a_protocol_is_served_at_any_path_and_nothing_else(
    service: RunningApp, path: str
) -> None:
    (funasr,) = [one for one in wire_protocols(Settings()) if one.name == "funasr"]
    app = create_protocol_app(funasr, service.app.state.services)
    socket = ScriptedSocket(path, subprotocols=["binary"])
    serving = asyncio.create_task(socket.served_by(app))
    socket.say({"mode": "offline", "is_speaking": False})
    assert (await socket.hear())["mode"] == "offline"
    socket.leave()
    await serving
    assert socket.subprotocol == "binary"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=f"http://{HOST}") as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_the_label_of_mode_offline_is_a_setting(start_app: StartApp) -> None:
    async with start_app(funasr={"offline_label": "2pass-offline"}) as service:
        socket = ScriptedSocket("/ws")
        serving = asyncio.create_task(socket.served_by(service.app))
        for _ in range(2):
            socket.say({"mode": "offline"})
            socket.say({"is_speaking": False})
            assert (await socket.hear())["mode"] == "2pass-offline"
        socket.leave()
        await serving


async def test_a_full_house_refuses_a_websocket_by_http(start_app: StartApp) -> None:
    async with start_app(server={"max_sessions": 1}) as service:
        first = ScriptedSocket("/api/v1/stream")
        serving = asyncio.create_task(first.served_by(service.app))
        first.say({"type": "start"})
        await first.hear_until(type="started")
        second = ScriptedSocket("/ws")
        await second.served_by(service.app)
        assert await _metric(service, "asr_sessions_refused_total") == 1
        first.say({"type": "end"})
        await serving
    assert second.sent[0]["status"] == 503
    assert json.loads(second.sent[1]["body"])["code"] == "overloaded"


async def test_the_settings_are_the_defaults_of_live_sessions(start_app: StartApp) -> None:
    async with start_app(endpointing={"silence_ms": 800}, partials={"enabled": False}) as service:
        socket = ScriptedSocket("/api/v1/stream")
        serving = asyncio.create_task(socket.served_by(service.app))
        socket.say({"type": "start", "endpointing": {"threshold": 0.6}})
        started = await socket.hear()
        socket.say({"type": "end"})
        await serving
    assert started["config"]["endpointing"]["silence_ms"] == 800
    assert started["config"]["endpointing"]["threshold"] == 0.6
    assert started["config"]["partials"]["enabled"] is False
