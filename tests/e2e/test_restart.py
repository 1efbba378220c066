"""What was recognized is still there when the service was stopped and started again."""

import asyncio
from typing import Any

import httpx

from tests.fixtures.native_client import connected, stream
from tests.fixtures.recordings import Clip
from tests.fixtures.server import RunningServer, StartServer


def all_pages(server: RunningServer, path: str, limit: int) -> list[dict[str, Any]]:
    """The items of a listing, asked for page by page."""
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = server.get(path, limit=limit, **cursor).json()
        assert len(page["items"]) <= limit
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        cursor = {"cursor": page["next_cursor"]}


async def test_sessions_and_results_survive_a_restart(
    start_server: StartServer, english_clip: Clip, mandarin_clip: Clip
) -> None:
    first = start_server()
    clips = [english_clip, mandarin_clip, mandarin_clip]
    dialogues = [
        await stream(first.ws_url, clip.pcm, language=clip.language, name=f"clip {number}")
        for number, clip in enumerate(clips)
    ]
    # Nothing waits for the database on the way to the client: what is not stored yet is stored before the end.
    first.assert_stops_cleanly()

    second = start_server()
    sessions = all_pages(second, "/api/v1/sessions", limit=2)

    assert [session["name"] for session in sessions] == ["clip 2", "clip 1", "clip 0"]  # the newest first
    assert {(session["status"], session["end_reason"]) for session in sessions} == {("closed", "completed")}
    for session, dialogue, clip in zip(reversed(sessions), dialogues, clips, strict=True):
        assert session["id"] == dialogue.only("started")["session_id"]
        assert session["received_ms"] == session["final_ms"] == clip.duration_ms
        results = all_pages(second, f"/api/v1/sessions/{session['id']}/results", limit=1)
        said = [{key: result[key] for key in ("utterance", "start_ms", "end_ms", "text", "words")} for result in results]
        assert said == [{key: final[key] for key in said[0]} for final in dialogue.of("final")]
    second.assert_stops_cleanly()


async def test_a_stop_in_mid_session_keeps_what_was_recognized(start_server: StartServer, english_clip: Clip) -> None:
    first = start_server()
    async with connected(first.ws_url) as client:
        await client.send("start", language="en")
        await client.send_audio(english_clip.pcm)
        final = await client.receive_until("final")
        assert await asyncio.to_thread(first.stop) == 0

    second = start_server()
    (session,) = second.get("/api/v1/sessions").json()["items"]
    results = second.get(f"/api/v1/sessions/{session['id']}/results").json()["items"]

    assert session["status"] == "closed"
    assert results[0]["text"] == final["text"]
    second.assert_stops_cleanly()


def test_a_session_that_never_was_is_not_found(server: RunningServer) -> None:
    answer: httpx.Response = server.get("/api/v1/sessions/ses_unknown/results")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["code"], answer.json()["status"]) == ("not_found", 404)
