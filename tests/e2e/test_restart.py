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
    clips = [english_clip, mandarin_clip]
    dialogues = [await stream(first.ws_url, clip.pcm, language=clip.language, name=clip.language) for clip in clips]
    async with connected(first.ws_url) as client:
        await client.send("start", language="en", name="interrupted")
        await client.send_audio(english_clip.pcm)
        interrupted = await client.receive_until("final")
        # Nothing waits for the database on the way to the client: what is not stored yet is stored before the end.
        await asyncio.to_thread(first.assert_stops_cleanly)

    second = start_server()
    sessions = all_pages(second, "/api/v1/sessions", limit=2)

    assert [session["name"] for session in sessions] == ["interrupted", "zh", "en"]  # the newest first
    assert {session["status"] for session in sessions} == {"closed"}
    assert results_of(second, sessions[0])[0]["text"] == interrupted["text"]
    for session, dialogue, clip in zip(reversed(sessions[1:]), dialogues, clips, strict=True):
        assert session["id"] == dialogue.only("started")["session_id"]
        assert session["end_reason"] == "completed"
        assert session["received_ms"] == session["final_ms"] == clip.duration_ms
        kept = ("utterance", "start_ms", "end_ms", "text", "words")
        finals = [{key: final[key] for key in kept} for final in dialogue.of("final")]
        assert [{key: result[key] for key in kept} for result in results_of(second, session)] == finals
    second.assert_stops_cleanly()


def results_of(server: RunningServer, session: dict[str, Any]) -> list[dict[str, Any]]:
    return all_pages(server, f"/api/v1/sessions/{session['id']}/results", limit=1)


def test_a_session_that_never_was_is_not_found(server: RunningServer) -> None:
    answer: httpx.Response = server.get("/api/v1/sessions/ses_unknown/results")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["code"], answer.json()["status"]) == ("not_found", 404)
