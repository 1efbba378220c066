"""How a follower deals with losses and refusals, against a server that the test plays."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from asr_service.client import (
    Client,
    Failed,
    Final,
    FollowedEvent,
    Partial,
    Reconnecting,
    RequestRefused,
    ServerUnreachable,
    Session,
    SpeechStarted,
    StreamFailed,
    StreamPolicy,
)
from asr_service.client.following import Following, ToldOutcomes

STARTED_AT = "2026-11-25T09:00:00Z"
SESSION = {
    "id": "ses_1",
    "name": None,
    "language": "en",
    "status": "listening",
    "started_at": STARTED_AT,
    "ended_at": None,
    "end_reason": None,
    "resumable_until": None,
    "received_ms": 0,
    "decoded_ms": 0,
    "final_ms": 0,
}
CLOSED = SESSION | {"status": "closed", "ended_at": STARTED_AT, "end_reason": "completed"}
BUSY = {"detail": "There is no room.", "code": "overloaded", "hint": "Come later.", "status": 503}


def frame(kind: str, /, **data: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


def final(utterance: int) -> bytes:
    message = {
        "type": "final",
        "seq": 1,
        "utterance": utterance,
        "start_ms": 0,
        "end_ms": 9,
        "text": f"No. {utterance}",
    }
    return frame("final", **message, language="en", timing="none", words=[], durable=True)


def failed(utterance: int) -> bytes:
    return frame("failed", utterance=utterance, start_ms=0, end_ms=9, code="timeout", message="Too late.")


def started(utterance: int) -> bytes:
    return frame("speech_started", utterance=utterance, start_ms=0)


class PlayedServer:
    """Answers one request after the other by what is planned.

    An answer is a response, an error, or the parts of a stream: bytes, and at the end an error, if it is cut off.
    """

    def __init__(self, *answers: httpx.Response | Exception | list[bytes | Exception]) -> None:
        self.requests: list[httpx.Request] = []
        self._answers = list(answers)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return answer
        return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=self._parts(answer))

    async def _parts(self, parts: list[bytes | Exception]) -> AsyncIterator[bytes]:
        for part in parts:
            if isinstance(part, Exception):
                raise part
            yield part

    async def followed(self, give_up_after_s: float = 60.0) -> list[FollowedEvent]:
        """Everything that a follower is told."""
        async with httpx.AsyncClient(transport=httpx.MockTransport(self), base_url="http://server.test") as http:
            return [event async for event in Following(http, "ses_1", give_up_after_s).events()]

    @property
    def known(self) -> list[str | None]:
        """What each request said that it has."""
        return [request.headers.get("Last-Event-ID") for request in self.requests]


CUT = httpx.ReadError("The connection was reset.")


def told(events: list[FollowedEvent]) -> list[int]:
    """The utterances whose outcome was told."""
    return [event.utterance for event in events if isinstance(event, Final | Failed)]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    async def pass_by(_seconds: float) -> None:
        pass

    monkeypatch.setattr(asyncio, "sleep", pass_by)


async def test_a_session_is_followed_to_its_end() -> None:
    server = PlayedServer(
        [frame("session", **SESSION), started(0), b": ping\n\n", final(0), failed(1), frame("session", **CLOSED)]
    )
    events = await server.followed()
    assert [type(event) for event in events] == [Session, SpeechStarted, Final, Failed, Session]
    first = events[0]
    assert isinstance(first, Session)
    assert (first.session_id, first.status, first.started_at.tzname()) == ("ses_1", "listening", "UTC")
    assert server.requests[0].url == "http://server.test/api/v1/sessions/ses_1/events"
    assert server.known == [None]


async def test_the_finals_of_a_session_that_is_over_come_after_it() -> None:
    events = await PlayedServer([frame("session", **CLOSED), final(0), final(1)]).followed()
    assert [type(event) for event in events] == [Session, Final, Final]


async def test_after_a_loss_each_outcome_is_told_once() -> None:
    server = PlayedServer(
        [frame("session", **SESSION), final(0), started(1), final(1), CUT],
        httpx.ConnectError("Connection refused."),
        [frame("session", **SESSION), final(1), started(1), final(2), frame("session", **CLOSED)],
    )
    events = await server.followed()
    assert told(events) == [0, 1, 2]
    assert server.known == [None, "1", "1"]
    kinds = [type(event) for event in events]
    assert kinds == [Session, Final, SpeechStarted, Final, Reconnecting, Session, Final, Session]
    assert events[4] == Reconnecting("The connection was reset.")


async def test_what_the_server_has_missed_is_asked_for_again_after_a_loss() -> None:
    server = PlayedServer(
        [frame("session", **SESSION), final(0), final(2), CUT],
        [frame("session", **SESSION), final(1), final(2), final(3), CUT],
        [frame("session", **SESSION), frame("session", **CLOSED)],
    )
    assert told(await server.followed()) == [0, 2, 1, 3]
    assert server.known == [None, "0", "3"]


async def test_a_connection_that_ends_before_the_session_is_made_again() -> None:
    interrupted = SESSION | {"status": "interrupted", "resumable_until": STARTED_AT}
    server = PlayedServer(
        [frame("session", **interrupted)], [frame("session", **CLOSED), CUT], [frame("session", **CLOSED), final(0)]
    )
    events = await server.followed()
    assert [type(event) for event in events] == [Session, Reconnecting, Session, Reconnecting, Session, Final]


@pytest.mark.parametrize(("status", "code"), [(503, "server_stopping"), (408, "follower_too_slow")])
async def test_a_failure_that_passes_is_a_loss(status: int, code: str) -> None:
    failure = {"status": status, "code": code, "detail": "Follow again.", "hint": None}
    server = PlayedServer([frame("session", **CLOSED), frame("error", **failure)], [frame("session", **CLOSED)])
    events = await server.followed()
    assert events[1] == Reconnecting("Follow again.")


async def test_another_failure_is_told() -> None:
    failure = {"status": 500, "code": "internal_error", "detail": "It failed.", "hint": "The log has it."}
    with pytest.raises(StreamFailed, match="It failed") as raised:
        await PlayedServer([frame("session", **SESSION), frame("error", **failure)]).followed()
    assert (raised.value.code, raised.value.hint) == ("internal_error", "The log has it.")


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, {"detail": "Who are you?", "code": "invalid_api_key", "hint": None}, "invalid_api_key"),
        (404, {"detail": "There is none.", "code": "not_found"}, "not_found"),
        (404, ["a page"], "refused"),
    ],
)
async def test_a_refusal_is_told_at_once(status: int, body: Any, code: str) -> None:
    server = PlayedServer(httpx.Response(status, json=body))
    with pytest.raises(RequestRefused) as refusal:
        await server.followed()
    assert (refusal.value.code, refusal.value.retry_after_s) == (code, None)


async def test_a_server_without_room_is_asked_again_and_at_last_says_when_to_come() -> None:
    busy = [httpx.Response(503, json=BUSY, headers={"Retry-After": "7"}) for _ in range(2)]
    events = await PlayedServer(*busy, [frame("session", **CLOSED)]).followed()
    assert [type(event) for event in events] == [Reconnecting, Session]
    with pytest.raises(RequestRefused, match="no room") as refusal:
        await PlayedServer(httpx.Response(503, json=BUSY, headers={"Retry-After": "7"})).followed(give_up_after_s=0)
    error = refusal.value
    assert (error.code, error.hint, error.retry_after_s) == ("overloaded", "Come later.", 7.0)


async def test_a_server_that_stays_away_is_given_up() -> None:
    with pytest.raises(ServerUnreachable, match="could not be reached") as error:
        await PlayedServer(httpx.ConnectError("Connection refused.")).followed(give_up_after_s=0)
    assert error.value.hint


@pytest.mark.parametrize("parts", [[b"data: " + (1 << 22) * b"x"], None])
async def test_what_is_no_stream_of_events_is_told(parts: list[bytes | Exception] | None) -> None:
    server = PlayedServer(httpx.Response(200, text="<html>") if parts is None else parts)
    with pytest.raises(StreamFailed):
        await server.followed()


@pytest.mark.parametrize(
    "event",
    [
        b"data: hello\n\n",
        frame("session"),
        frame("final", utterance=0),
        frame("error", status=500),
        b"event: final\ndata: 1\n\n",
    ],
)
async def test_an_event_that_nobody_can_understand_is_told(event: bytes) -> None:
    server = PlayedServer([frame("session", **SESSION), event])
    with pytest.raises(StreamFailed) as failure:
        await server.followed()
    assert failure.value.code == "malformed_message"


async def test_kinds_of_a_newer_server_are_left_out() -> None:
    partial = {"utterance": 0, "revision": 1, "start_ms": 0, "end_ms": 9, "text": "Go", "stable": "", "volatile": "Go"}
    server = PlayedServer(
        [
            frame("session", **CLOSED),
            frame("laughter", utterance=0),
            frame("safe", utterances=1, audio_ms=2),
            frame("partial", **partial, language=None),
        ]
    )
    assert [type(event) for event in await server.followed()] == [Session, Partial]


def test_gaps_among_outcomes_are_given_up_at_last() -> None:
    outcomes = ToldOutcomes()
    for utterance in range(2, 10_002):
        outcomes.add(utterance)
    assert (outcomes.contiguous, 1 in outcomes, 5 in outcomes) == (0, False, True)
    outcomes.add(10_002)
    assert (outcomes.contiguous, 1 in outcomes, 10_003 in outcomes) == (10_003, True, False)


async def test_a_session_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    server = PlayedServer(
        httpx.Response(202, json=SESSION),
        httpx.Response(409, json={"detail": "It is over.", "code": "session_not_live"}),
        httpx.ConnectError("Connection refused."),
    )
    make = httpx.AsyncClient

    def with_server(**options: Any) -> httpx.AsyncClient:
        return make(transport=httpx.MockTransport(server), **options)

    monkeypatch.setattr(httpx, "AsyncClient", with_server)
    async with Client("http://server.test/base", "secret", policy=StreamPolicy(0)) as client:
        assert (await client.cancel("ses_1")).status == "listening"
        with pytest.raises(RequestRefused) as refusal:
            await client.cancel("ses_1")
        with pytest.raises(ServerUnreachable):
            await client.cancel("../x")
    assert refusal.value.code == "session_not_live"
    assert [request.url.raw_path for request in server.requests][::2] == [
        b"/base/api/v1/sessions/ses_1/cancel",
        b"/base/api/v1/sessions/..%2Fx/cancel",
    ]
    assert server.requests[0].headers["Authorization"] == "Bearer secret"
