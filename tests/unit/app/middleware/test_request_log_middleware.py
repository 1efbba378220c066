"""One line and one report for each request, under its identifier."""

from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs

from asr_service.app.middleware.request_log_middleware import RequestLogMiddleware, route_template
from asr_service.shared.correlation import current_correlation


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


class Application:
    """Answers with a status; keeps what it saw, and what was reported of it."""

    def __init__(self, status: int | None) -> None:
        self._status = status
        self.correlation: dict[str, str] = {}
        self.reports: list[tuple[str | None, str, int]] = []
        self.sent: list[Message] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.correlation = current_correlation()
        if self._status is None:
            raise ZeroDivisionError
        await send({"type": "http.response.start", "status": self._status, "headers": []})

    async def serve(self, path: str = "/v1/models", **scope: Any) -> None:
        async def send(message: Message) -> None:
            self.sent.append(message)

        def report(route: str | None, method: str, status: int, seconds: float) -> None:
            assert seconds >= 0
            self.reports.append((route, method, status))

        middleware = RequestLogMiddleware(self, on_request=report)
        await middleware({"type": "http", "method": "GET", "path": path, "headers": [], **scope}, _nothing, send)


async def test_a_request_is_logged_and_reported_once() -> None:
    app = Application(200)
    with capture_logs() as lines:
        await app.serve(endpoint=print)
    (line,) = lines
    expected = {"event": "request", "log_level": "info", "method": "GET", "path": "/v1/models", "status": 200}
    assert expected.items() <= line.items()
    assert app.reports == [("/v1/models", "GET", 200)]
    (identifier,) = app.correlation.values()
    assert app.sent[0]["headers"] == [(b"x-request-id", identifier.encode())]


async def test_a_crash_is_reported_as_one() -> None:
    app = Application(None)
    with capture_logs() as lines, pytest.raises(ZeroDivisionError):
        await app.serve()
    assert [line["status"] for line in lines] == [500]
    assert app.reports == [(None, "GET", 500)]


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics"])
async def test_what_machines_ask_all_the_time_is_logged_quietly(path: str) -> None:
    with capture_logs() as lines:
        await Application(200).serve(path)
    assert [line["log_level"] for line in lines] == ["debug"]


async def test_what_is_no_request_passes() -> None:
    app = Application(200)
    with capture_logs() as lines:
        await app.serve(type="websocket")
    assert (lines, app.reports, app.correlation) == ([], [], {})


@pytest.mark.parametrize(
    ("path", "path_params", "template"),
    [
        ("/health/live", {}, "/health/live"),
        ("/v1/models/whisper-1", {"model": "whisper-1"}, "/v1/models/{model}"),
        ("/v1/models/models", {"model": "models"}, "/v1/models/{model}"),
        ("/a/1/b/2", {"one": 1, "two": 2}, "/a/{one}/b/{two}"),
        ("/odd/path", {"elsewhere": "gone"}, "/odd/path"),
    ],
)
def test_the_template_has_names_in_the_place_of_values(path: str, path_params: dict[str, Any], template: str) -> None:
    assert route_template({"path": path, "endpoint": print, "path_params": path_params}) == template


def test_a_folder_of_files_is_one_route() -> None:
    scope = {"path": "/base/page/app.js", "endpoint": print, "app_root_path": "/base", "root_path": "/base/page"}
    assert route_template(scope) == "/page"


def test_what_no_route_matches_has_no_template() -> None:
    assert route_template({"path": "/secret/4711"}) is None
