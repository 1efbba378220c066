"""The JavaScript client where Node has no say: files that a browser sends."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from asr_service.client import Final, Started, SyncClient
from tests.fixtures.breakable_proxy import breakable_network
from tests.fixtures.browser import opened_page
from tests.fixtures.recordings import Clip
from tests.fixtures.server import RunningServer, eventually

ROUTE = "/v1/audio/transcriptions"
CHOOSER = """() => {
    const chooser = document.body.appendChild(document.createElement("input"));
    chooser.type = "file";
    chooser.id = "chooser";
}"""
TRANSCRIBE = """async (options) => {
    const { AsrClient, ClientError } = await import("/page/asr-client.js");
    const file = document.getElementById("chooser").files[0];
    const seen = [];
    try {
        const onProgress = (...bytes) => seen.push(bytes);
        const answer = await new AsrClient(location.origin).transcribe(file, { ...options, onProgress });
        return { answer, seen };
    } catch (error) {
        const { name, code, message, retryAfterS } = error;
        return { name, code, message, retryAfterS, isTyped: error instanceof ClientError };
    }
}"""


FOLLOW = """async (sessionId) => {
    const { AsrClient } = await import("/page/asr-client.js");
    const client = new AsrClient(location.origin, { apiKey: "a key" });
    const events = [];
    for await (const { type, text, status } of client.follow(sessionId)) events.push([type, text ?? status]);
    const refused = await client.cancel(sessionId).catch(({ name, code }) => [name, code]);
    return { events, refused };
}"""


@contextmanager
def page_with_chooser(url: str) -> Iterator[Page]:
    """The page of the service, with a field for a file that is the test's."""
    with opened_page(url) as (page, _):
        page.evaluate(CHOOSER)
        yield page


@pytest.fixture
def page(server: RunningServer) -> Iterator[Page]:
    with page_with_chooser(server.http_url) as page:
        yield page


def transcribe(page: Page, file: Path, **options: Any) -> Any:
    """What a user of the client gets for a file."""
    page.set_input_files("#chooser", file)
    return page.evaluate(TRANSCRIBE, options)


def test_a_file_is_transcribed_and_its_upload_watched(page: Page, english_clip: Clip) -> None:
    kinds: list[str] = []
    page.on("request", lambda request: kinds.append(request.resource_type) if ROUTE in request.url else None)

    got = transcribe(page, english_clip.path, language="en")

    assert english_clip.errors_in(got["answer"]["text"]) <= 0.1, got
    assert got["answer"]["duration"] == pytest.approx(english_clip.duration_ms / 1_000, abs=0.01)
    assert got["answer"]["segments"]
    assert kinds == ["xhr"]
    assert got["seen"][-1] == [english_clip.path.stat().st_size] * 2
    assert got["seen"] == sorted(got["seen"])


def test_what_is_no_recording_is_refused_with_the_code_of_the_server(page: Page, tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("no audio " * 100)
    got = transcribe(page, letter)
    assert (got["name"], got["code"], got["isTyped"]) == ("RequestRefused", "audio_not_decodable", True)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (
            json.dumps({"error": {"message": "There is no room.", "type": "server_error", "code": "overloaded"}}),
            "overloaded",
        ),
        ("<html>Bad Gateway</html>", "refused"),
    ],
)
def test_when_to_come_again_is_told(page: Page, short_english_clip: Clip, body: str, code: str) -> None:
    page.route(f"**{ROUTE}", lambda route: route.fulfill(status=503, headers={"Retry-After": "7"}, body=body))
    got = transcribe(page, short_english_clip.path)
    assert (got["name"], got["code"], got["retryAfterS"]) == ("RequestRefused", code, 7)


def test_a_server_that_is_gone_is_told(server: RunningServer, short_english_clip: Clip) -> None:
    with breakable_network(server.http_url) as network, page_with_chooser(network.url) as page:
        network.fail()
        got = transcribe(page, short_english_clip.path)
    assert (got["name"], got["code"], got["isTyped"]) == ("ServerUnreachable", "server_unreachable", True)


def test_a_session_is_followed_with_a_key(page: Page, server: RunningServer, short_english_clip: Clip) -> None:
    keys: list[str | None] = []
    page.on(
        "request", lambda request: keys.append(request.headers.get("authorization")) if "ses_" in request.url else None
    )
    with ThreadPoolExecutor() as elsewhere:  # in this thread the browser has an event loop
        client = SyncClient(server.http_url)
        spoken = elsewhere.submit(lambda: list(client.stream([short_english_clip.pcm], language="en"))).result()
    started = spoken[0]
    assert isinstance(started, Started)
    eventually(
        lambda: server.get(f"/api/v1/sessions/{started.session_id}").json().get("status") == "closed", "it is stored"
    )
    got = page.evaluate(FOLLOW, started.session_id)
    texts = [["final", event.text] for event in spoken if isinstance(event, Final)]
    assert got == {"events": [["session", "closed"], *texts], "refused": ["RequestRefused", "session_not_live"]}
    assert keys == ["Bearer a key"] * 2
