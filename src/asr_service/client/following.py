"""Following a session read-only, over losses of the connection."""

import asyncio
import codecs
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any
from typing import Final as Constant
from urllib.parse import quote

import httpx

from asr_service.client.errors import ClientError, RequestRefused, ServerUnreachable, StreamFailed
from asr_service.client.events import Failed, Final, FollowedEvent, Reconnecting, Session, read_followed_event
from asr_service.client.refusals import refusal_of
from asr_service.client.server_sent_events import EventReader, NotAnEventStream, ServerSentEvent

_SILENCE_S = 45.0  # a server says something every 15 s, if only that it is there
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0  # between attempts to connect, doubled each time
_MAX_AHEAD = 10_000
_PASSING_REFUSALS: Constant = frozenset({429, 502, 503, 504})
_PASSING_FAILURES: Constant = _PASSING_REFUSALS | {408}  # in the middle; who was too slow is told what it missed


class ToldOutcomes:
    """Which utterances have had their final, or their failure.

    A server tells outcomes in order, but those that it missed later, when they are stored; and those without text it may
    never tell. So what is contiguous is a number, and what lies ahead of a gap are up to 10,000 more; beyond, a gap is
    given up.
    """

    def __init__(self) -> None:
        self.contiguous = 0  # every utterance before this one is told
        self._ahead: set[int] = set()

    def __contains__(self, utterance: int) -> bool:
        return utterance < self.contiguous or utterance in self._ahead

    def add(self, utterance: int) -> None:
        self._ahead.add(utterance)
        if len(self._ahead) > _MAX_AHEAD:
            self.contiguous = min(self._ahead)
        while self.contiguous in self._ahead:
            self._ahead.remove(self.contiguous)
            self.contiguous += 1


class Following:
    """One follower of one session.

    Args:
        http: Knows the address of the server, and who asks.
        session_id: Which.
        give_up_after_s: So long it tries to reach a server.
    """

    def __init__(self, http: httpx.AsyncClient, session_id: str, give_up_after_s: float) -> None:
        self._http = http
        self._path = f"/api/v1/sessions/{quote(session_id, safe='')}/events"
        self._give_up_after_s = give_up_after_s
        self._told = ToldOutcomes()
        self._pause_s = _FIRST_PAUSE_S
        self._reached_at_s = 0.0
        self._loss: ClientError = _gone()
        self._loss_told = False
        self._is_over = False  # the session, by what was told of it last; its stored finals may still come
        self._is_complete = False

    async def events(self) -> AsyncGenerator[FollowedEvent, None]:
        """Everything that is told, each outcome once, until the session is over for good.

        Raises:
            ServerUnreachable, RequestRefused, StreamFailed: See there.
        """
        self._reached_at_s = asyncio.get_running_loop().time()
        while True:
            async with aclosing(self._events_of_a_connection()) as events:
                async for event in events:
                    yield event
            if self._is_complete:
                return
            self._check_patience()
            if not self._loss_told:
                self._loss_told = True
                yield Reconnecting(str(self._loss))
            await asyncio.sleep(max(self._pause_s, self._loss.retry_after_s or 0.0))
            self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)

    async def _events_of_a_connection(self) -> AsyncGenerator[FollowedEvent, None]:
        self._loss = _gone()  # unless something else is known
        timeout = httpx.Timeout(10.0, read=_SILENCE_S)
        try:
            async with self._http.stream("GET", self._path, headers=self._headers, timeout=timeout) as answer:
                if answer.status_code != httpx.codes.OK:
                    await answer.aread()
                    self._expect_passing(answer)
                    return
                async for event in self._conversation(answer):
                    yield event
        except httpx.TransportError as error:
            reason = f"{str(error).rstrip('.') or type(error).__name__}."
            self._loss = ServerUnreachable(reason, code="server_unreachable")
        except NotAnEventStream as error:
            raise StreamFailed(str(error), code="malformed_message") from error

    async def _conversation(self, answer: httpx.Response) -> AsyncGenerator[FollowedEvent, None]:
        failed = False
        try:
            async for told in _read(answer):
                failed = told.name == "error"
                event = self._hear(told)
                if event is not None:
                    yield event
            self._is_complete = self._is_over and not failed  # a connection that is cut off raises instead
        finally:
            self._reached_at_s = asyncio.get_running_loop().time()  # whoever hears nothing new is not out of reach

    @property
    def _headers(self) -> dict[str, str]:
        known = {"Last-Event-ID": str(self._told.contiguous - 1)} if self._told.contiguous else {}
        return {"Accept": "text/event-stream"} | known

    def _hear(self, told: ServerSentEvent) -> FollowedEvent | None:
        """What is new in it; an ``error`` is the last event, and says why the connection ends."""
        try:
            message = json.loads(told.data)
            if told.name == "error":
                self._judge(message)
                return None
            event = read_followed_event(told.name, message)
        except (ValueError, KeyError, TypeError) as error:  # of another service, or of a proxy
            raise NotAnEventStream(f"An event {told.name[:40]!r} cannot be understood.") from error
        match event:
            case Session():
                self._loss_told, self._is_over = False, event.is_over
            case None:
                pass
            case _ if event.utterance in self._told:
                return None
            case _:
                self._pause_s = _FIRST_PAUSE_S
                if isinstance(event, Final | Failed):
                    self._told.add(event.utterance)
        return event

    def _judge(self, problem: dict[str, Any]) -> None:
        failure = StreamFailed(problem["detail"], code=problem["code"], hint=problem.get("hint"))
        if problem["status"] not in _PASSING_FAILURES:
            raise failure
        self._loss = failure

    def _expect_passing(self, answer: httpx.Response) -> None:
        refusal = refusal_of(answer)
        if answer.status_code not in _PASSING_REFUSALS:
            raise refusal
        self._loss = refusal

    def _check_patience(self) -> None:
        lost_for_s = asyncio.get_running_loop().time() - self._reached_at_s
        if lost_for_s <= self._give_up_after_s:
            return
        if isinstance(self._loss, RequestRefused):
            raise self._loss  # a server is there, and says when to come again
        raise ServerUnreachable(
            f"{self._http.base_url} could not be reached for {lost_for_s:.0f} s. {self._loss}",
            code="server_unreachable",
            hint="Is it running? Start it with: asr-service serve",
        )


async def _read(answer: httpx.Response) -> AsyncGenerator[ServerSentEvent, None]:
    if not answer.headers.get("Content-Type", "").startswith("text/event-stream"):
        raise NotAnEventStream("The answer is no stream of events.")
    reader, decoder = EventReader(), codecs.getincrementaldecoder("utf-8")("replace")
    async for block in answer.aiter_bytes():
        for event in reader.feed(decoder.decode(block)):
            yield event


def _gone() -> ClientError:
    return ServerUnreachable("The server has closed the connection.", code="server_unreachable")
