"""Requests to a server: so many at once, so many waiting, none for ever."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from asr_service.domain.ports.recognizer import (
    RecognitionFailed,
    RecognitionKind,
    RecognitionRequest,
    RecognizerOverloaded,
    RecognizerUnavailable,
)
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.infrastructure.asr.batch_observer import BatchReport, NoObserver
from asr_service.infrastructure.asr.remote.circuit_breaker import CircuitBreaker
from asr_service.infrastructure.asr.remote.remote_calls import CallPolicy, RemoteCalls
from tests.fakes.clocks import FakeClock
from tests.fakes.recognizers import FakeRecognizer
from tests.fixtures.recognition_requests import recognition_request
from tests.fixtures.tidiness import everybody_waits

pytestmark = pytest.mark.usefixtures("tidy")


class Ledger(NoObserver):
    """What is told of the calls."""

    def __init__(self) -> None:
        self.under_way: list[str] = []
        self.ended: list[bool] = []
        self.reports: list[BatchReport] = []

    def batch_begun(self, worker: str, requests: Sequence[RecognitionRequest]) -> None:
        self.under_way.append(worker)

    def batch_ended(self, worker: str, *, answered: bool) -> None:
        self.under_way.remove(worker)
        self.ended.append(answered)

    def batch_done(self, report: BatchReport) -> None:
        self.reports.append(report)


class Line:
    """Calls to a server that a fake recognizer stands for."""

    def __init__(self, policy: CallPolicy, answer: Callable[[RecognitionRequest], object] | None) -> None:
        self.server = FakeRecognizer() if answer is None else FakeRecognizer(answer)  # type: ignore[arg-type]
        self.clock = FakeClock()
        self.ledger = Ledger()
        self.breaker = CircuitBreaker("old", self.clock, retry_s=5.0)
        self.calls = RemoteCalls(
            "old",
            self.server.recognize,
            breaker=self.breaker,
            clock=self.clock,
            policy=policy,
            observer=self.ledger,
        )

    def ask(self, request: RecognitionRequest | None = None) -> asyncio.Task[Hypothesis]:
        return asyncio.create_task(self.calls.answer(request or recognition_request()))


@asynccontextmanager
async def line(
    answer: Callable[[RecognitionRequest], object] | None = None, policy: CallPolicy | None = None
) -> AsyncIterator[Line]:
    opened = Line(policy or CallPolicy(at_once=2, max_waiting=3), answer)
    opened.calls.start()
    try:
        yield opened
    finally:
        await opened.calls.close()


async def test_an_answer_is_the_servers_and_is_told_like_that_of_a_worker() -> None:
    async with line() as open_line:
        request = recognition_request(seconds=2.0)
        assert (await open_line.calls.answer(request)).text == "heard 0-32000"
        (report,) = open_line.ledger.reports
        assert (report.finals, report.partials, report.failures, report.audio_s) == (1, 0, 0, 2.0)
        await open_line.calls.answer(recognition_request(kind=RecognitionKind.PARTIAL))
        assert (open_line.ledger.reports[1].finals, open_line.ledger.reports[1].partials) == (0, 1)
        assert (open_line.ledger.under_way, open_line.ledger.ended) == ([], [True, True])


async def test_no_more_than_allowed_are_under_way_and_the_rest_waits_up_to_a_bound() -> None:
    async with line() as open_line:
        open_line.server.hold()
        asked = [open_line.ask(recognition_request(session_id=f"ses_{number}")) for number in range(2)]
        await open_line.server.wait_for_requests(2)
        asked += [open_line.ask(recognition_request(session_id=f"ses_{number}")) for number in range(2, 5)]
        await everybody_waits()
        assert (len(open_line.server.requests), open_line.calls.waiting) == (2, 3)
        with pytest.raises(RecognizerOverloaded):
            await open_line.calls.answer(recognition_request(session_id="ses_5"))
        await open_line.server.release()
        assert [(await one).text for one in asked] == ["heard 0-16000"] * 5


async def test_a_caller_that_goes_away_breaks_its_call_off() -> None:
    async with line() as open_line:
        open_line.server.hold()
        request = recognition_request()
        call = open_line.ask(request)
        await open_line.server.wait_for_requests(1)
        call.cancel()
        await everybody_waits()
        assert open_line.server.withdrawn == [request.request_id]
        assert (open_line.ledger.under_way, open_line.ledger.ended) == ([], [False])
        await open_line.server.release()
        assert (await open_line.calls.answer(recognition_request())).text


async def test_a_caller_that_goes_away_while_it_waits_is_never_asked_for() -> None:
    async with line() as open_line:
        open_line.server.hold()
        asked = [open_line.ask(recognition_request(session_id=f"ses_{number}")) for number in range(3)]
        await everybody_waits()
        asked[2].cancel()
        await everybody_waits()
        await open_line.server.release()
        await asyncio.gather(*asked[:2])
        assert len(open_line.server.requests) == 2


async def test_a_server_that_is_too_slow_is_unavailable() -> None:
    async with line(policy=CallPolicy(at_once=1, timeout_s=0.01)) as open_line:
        open_line.server.hold()
        with pytest.raises(RecognizerUnavailable, match="old has not answered"):
            await open_line.calls.answer(recognition_request(seconds=0.01))
        await open_line.server.release()
        assert (await open_line.calls.answer(recognition_request())).text


async def test_failures_are_told_apart() -> None:
    async with line(lambda _: RecognitionFailed("Odd audio.")) as open_line:
        for _ in range(4):
            with pytest.raises(RecognitionFailed):
                await open_line.calls.answer(recognition_request())
        assert [report.failures for report in open_line.ledger.reports] == [1] * 4
    async with line(lambda _: RecognizerUnavailable("It is gone.")) as open_line:
        for _ in range(4):
            with pytest.raises(RecognizerUnavailable):
                await open_line.calls.answer(recognition_request())
        assert (len(open_line.server.requests), open_line.ledger.reports) == (3, [])


async def test_a_defect_hangs_nobody_and_is_logged_without_text() -> None:
    def broken(_: RecognitionRequest) -> object:
        raise KeyError("a slip")

    async with line(broken, CallPolicy(at_once=1)) as open_line:
        with capture_logs() as logs, pytest.raises(RecognitionFailed, match="unexpectedly"):
            await open_line.calls.answer(recognition_request())
        assert [entry["event"] for entry in logs] == ["remote_call_crashed"]
        with capture_logs(), pytest.raises(RecognitionFailed):
            await open_line.calls.answer(recognition_request())


async def test_closing_answers_everybody() -> None:
    async with line() as open_line:
        open_line.server.hold()
        asked = [open_line.ask(recognition_request(session_id=f"ses_{number}")) for number in range(3)]
        await open_line.server.wait_for_requests(2)
        await open_line.calls.close()
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [RecognizerUnavailable] * 3
        with pytest.raises(RecognizerUnavailable, match="closed"):
            await open_line.calls.answer(recognition_request())
