"""Requests through the micro-batcher and real worker processes: each is answered once, whatever happens to a worker."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import pytest

from asr_service.domain.ports.recognizer import (
    RecognitionFailed,
    RecognitionKind,
    RecognitionRequest,
    RecognitionSuperseded,
    RecognizerOverloaded,
    RecognizerUnavailable,
)
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.infrastructure.asr.batch_observer import BatchReport, NoObserver
from asr_service.infrastructure.asr.micro_batcher import BatchingPolicy
from asr_service.infrastructure.asr.pooled_recognizer import PooledRecognizer
from asr_service.infrastructure.asr.supervised_worker import SupervisionPolicy
from asr_service.infrastructure.asr.worker_link import WorkerEnd
from asr_service.infrastructure.asr.worker_pool import WorkerPool
from asr_service.infrastructure.asr.worker_status import PoolStatus, WorkerState
from asr_service.shared.clock import SystemClock
from tests.fakes.engines import CAPABILITIES, FAIL, HANG, KILL, RAISE, ScriptedEngineFactory, behind, heard, once
from tests.fixtures.recognition_requests import recognition_request

SUPERVISION = SupervisionPolicy(
    hang_timeout_s=2.0, hang_timeout_per_audio_s=0.0, restart_delay_s=0.01, max_restart_delay_s=0.05
)


@dataclass(slots=True)
class ReportLog(NoObserver):
    """Remembers every batch and every restart."""

    reports: list[BatchReport] = field(default_factory=list)
    restarts: list[WorkerEnd] = field(default_factory=list)

    def batch_done(self, report: BatchReport) -> None:
        self.reports.append(report)

    def worker_restarted(self, worker: str, end: WorkerEnd) -> None:
        self.restarts.append(end)


class BrokenObserver(ReportLog):
    """Has a defect."""

    def batch_done(self, report: BatchReport) -> None:
        raise ZeroDivisionError


@asynccontextmanager
async def recognizer_of(
    size: int = 1,
    *,
    supervision: SupervisionPolicy = SUPERVISION,
    batching: BatchingPolicy | None = None,
    observer: ReportLog | None = None,
    factory: ScriptedEngineFactory | None = None,
) -> AsyncIterator[PooledRecognizer]:
    pool = WorkerPool(factory or ScriptedEngineFactory(), size, supervision, observer)
    async with PooledRecognizer(pool, clock=SystemClock(), policy=batching, observer=observer) as recognizer:
        yield recognizer


class Gate:
    """A named pipe that holds a worker in the middle of a batch until it is opened."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "gate"
        os.mkfifo(self.path)
        self._writer: BinaryIO | None = None

    async def hold_a_worker(self, recognizer: PooledRecognizer) -> "asyncio.Task[Hypothesis]":
        """Returns once a worker is busy with a request that ends when the gate opens."""
        call = begin(recognizer, recognition_request(session_id="held", prompt=behind(self.path)))
        await recognizer.pool.wait_for(is_busy)
        return call

    async def wait_for_the_worker(self) -> None:
        """Returns once a worker stands at the gate, and keeps it there."""
        self._writer = await asyncio.to_thread(self.path.open, "wb")

    async def open(self) -> None:
        """Lets a worker pass, now or when it comes."""
        await asyncio.to_thread(self.path.write_bytes, b"")

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    gate = Gate(tmp_path)
    yield gate
    gate.close()


def begin(recognizer: PooledRecognizer, request: RecognitionRequest) -> "asyncio.Task[Hypothesis]":
    return asyncio.create_task(recognizer.recognize(request))


async def queued(recognizer: PooledRecognizer, *requests: RecognitionRequest) -> "list[asyncio.Task[Hypothesis]]":
    """Begins the calls and lets each of them get as far as the queue."""
    calls = [begin(recognizer, request) for request in requests]
    turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(turn.set_result, None)  # after the first steps of those calls
    await turn
    return calls


def is_busy(status: PoolStatus) -> bool:
    return any(worker.state is WorkerState.BUSY for worker in status.workers)


def requests_of_many_sessions(count: int, prompt: str | None = None) -> list[RecognitionRequest]:
    return [
        recognition_request(session_id=f"ses_{number}", tenant=f"tenant_{number % 3}", prompt=prompt)
        for number in range(count)
    ]


# --- the ordinary


async def test_two_hundred_overlapping_requests_each_get_their_own_answer_once() -> None:
    log = ReportLog()
    requests = [
        recognition_request(session_id=f"ses_{number % 50}", tenant=f"tenant_{number % 7}", seconds=0.1 + number % 9)
        for number in range(200)
    ]
    async with recognizer_of(2, observer=log) as recognizer:
        answers = await asyncio.gather(*(recognizer.recognize(request) for request in requests))
    assert answers == [heard(request) for request in requests]
    assert sum(report.finals for report in log.reports) == 200
    assert max(report.finals for report in log.reports) > 1
    assert log.restarts == []


async def test_a_report_says_what_was_in_the_batch(gate: Gate) -> None:
    log, mixed = ReportLog(), BatchingPolicy(max_partials_beside_finals=2)
    async with recognizer_of(batching=mixed, observer=log) as recognizer:
        held = await gate.hold_a_worker(recognizer)
        calls = await queued(
            recognizer,
            recognition_request(session_id="a", seconds=2),
            recognition_request(session_id="b", seconds=6, prompt=FAIL),
            recognition_request(session_id="c", seconds=4, kind=RecognitionKind.PARTIAL),
        )
        assert (recognizer.waiting_finals, recognizer.waiting_partials) == (2, 1)
        await gate.open()
        await asyncio.gather(held, *calls, return_exceptions=True)
    report = log.reports[1]
    assert (report.worker, report.finals, report.partials, report.failures) == ("asr-worker-1", 2, 1, 1)
    assert (report.audio_s, report.padded_audio_s) == (12.0, 18.0)
    assert len(report.queue_wait_s) == 3
    assert all(wait_s >= 0 for wait_s in report.queue_wait_s)
    assert report.inference_s >= 0


async def test_a_waiting_partial_gives_way_to_a_newer_one(gate: Gate) -> None:
    async with recognizer_of() as recognizer:
        held = await gate.hold_a_worker(recognizer)
        older, newer = await queued(recognizer, *(recognition_request(kind=RecognitionKind.PARTIAL) for _ in range(2)))
        with pytest.raises(RecognitionSuperseded):
            await older
        await gate.open()
        assert (await newer).text
        assert (await held).text


async def test_a_full_queue_refuses_and_works_on(gate: Gate) -> None:
    async with recognizer_of(batching=BatchingPolicy(max_waiting=2)) as recognizer:
        held = await gate.hold_a_worker(recognizer)
        calls = await queued(recognizer, *requests_of_many_sessions(2))
        with pytest.raises(RecognizerOverloaded):
            await recognizer.recognize(recognition_request(session_id="late"))
        await gate.open()
        assert all(hypothesis.text for hypothesis in await asyncio.gather(held, *calls))


# --- cancellation


async def test_a_cancelled_request_that_waits_never_reaches_a_worker(gate: Gate) -> None:
    log = ReportLog()
    async with recognizer_of(observer=log) as recognizer:
        held = await gate.hold_a_worker(recognizer)
        gone, stays = await queued(recognizer, *requests_of_many_sessions(2))
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        assert recognizer.waiting_finals == 1
        await gate.open()
        await asyncio.gather(held, stays)
    assert [report.finals for report in log.reports] == [1, 1]


async def test_a_cancelled_request_that_runs_is_ignored_when_it_returns(gate: Gate) -> None:
    log = ReportLog()
    async with recognizer_of(observer=log) as recognizer:
        held = await gate.hold_a_worker(recognizer)
        held.cancel()
        with pytest.raises(asyncio.CancelledError):
            await held
        (next_call,) = await queued(recognizer, recognition_request())
        await gate.open()
        assert (await next_call).text
    assert [report.finals for report in log.reports] == [1, 1]
    assert log.restarts == []


# --- failures


async def test_a_batch_that_fails_is_tried_one_by_one(gate: Gate) -> None:
    log = ReportLog()
    bad = recognition_request(session_id="bad", prompt=RAISE)
    async with recognizer_of(observer=log) as recognizer:
        held = await gate.hold_a_worker(recognizer)
        good_calls = await queued(recognizer, *requests_of_many_sessions(2))
        bad_calls = await queued(recognizer, bad)
        more_calls = await queued(recognizer, *requests_of_many_sessions(3)[2:])
        await gate.open()
        with pytest.raises(RecognitionFailed, match="no room for this batch"):
            await bad_calls[0]
        assert all(hypothesis.text for hypothesis in await asyncio.gather(held, *good_calls, *more_calls))
    assert [report.finals for report in log.reports] == [1, 1, 1, 1]
    assert log.restarts == []


async def test_a_partial_in_a_failed_batch_is_tried_again_too(gate: Gate) -> None:
    async with recognizer_of() as recognizer:
        held = await gate.hold_a_worker(recognizer)
        partial, bad = await queued(
            recognizer,
            recognition_request(session_id="a", kind=RecognitionKind.PARTIAL),
            recognition_request(session_id="b", kind=RecognitionKind.PARTIAL, prompt=RAISE),
        )
        await gate.open()
        assert (await partial).text
        with pytest.raises(RecognitionFailed):
            await bad
        await held


async def test_a_worker_killed_in_the_middle_of_a_batch_costs_no_final(tmp_path: Path, gate: Gate) -> None:
    log = ReportLog()
    requests = requests_of_many_sessions(3, prompt=once(tmp_path / "begun", behind(gate.path)))
    async with recognizer_of(observer=log) as recognizer:
        calls = [begin(recognizer, request) for request in requests]
        await gate.wait_for_the_worker()
        pid = recognizer.pool.status().workers[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert await asyncio.gather(*calls) == [heard(request) for request in requests]
    assert log.restarts == [WorkerEnd.CRASHED]


async def test_a_request_that_kills_two_workers_fails_and_its_company_does_not(gate: Gate) -> None:
    log = ReportLog()
    innocent = requests_of_many_sessions(3)
    async with recognizer_of(observer=log) as recognizer:
        held = await gate.hold_a_worker(recognizer)
        calls = await queued(recognizer, *innocent, recognition_request(session_id="killer", prompt=KILL))
        await gate.open()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert outcomes[:3] == [heard(request) for request in innocent]
        assert isinstance(outcomes[3], RecognitionFailed)
        assert "killed its worker twice" in str(outcomes[3])
        assert (await recognizer.recognize(recognition_request())).text
        assert (await held).text
    assert log.restarts == [WorkerEnd.CRASHED, WorkerEnd.CRASHED]


async def test_a_partial_in_a_worker_that_dies_is_dropped() -> None:
    async with recognizer_of() as recognizer:
        with pytest.raises(RecognitionSuperseded):
            await recognizer.recognize(recognition_request(kind=RecognitionKind.PARTIAL, prompt=KILL))
        assert (await recognizer.recognize(recognition_request())).text


async def test_a_final_in_a_worker_that_hangs_is_answered_by_its_successor(tmp_path: Path) -> None:
    log = ReportLog()
    hasty = SupervisionPolicy(hang_timeout_s=0.3, hang_timeout_per_audio_s=0.0, restart_delay_s=0.01)
    request = recognition_request(prompt=once(tmp_path / "hung", HANG))
    async with recognizer_of(supervision=hasty, observer=log) as recognizer:
        assert await recognizer.recognize(request) == heard(request)
    assert log.restarts == [WorkerEnd.HUNG]


async def test_while_one_worker_hangs_the_other_serves(gate: Gate) -> None:
    async with recognizer_of(2) as recognizer:
        held = await gate.hold_a_worker(recognizer)
        assert (await recognizer.recognize(recognition_request())).text
        assert not held.done()
        await gate.open()
        assert (await held).text


async def test_a_defect_in_an_observer_neither_hangs_a_caller_nor_ends_the_dispatching() -> None:
    async with recognizer_of(observer=BrokenObserver()) as recognizer:
        for _ in range(2):
            assert (await recognizer.recognize(recognition_request())).text


# --- unavailable


async def test_what_waits_is_answered_when_no_worker_can_be_restarted(tmp_path: Path, gate: Gate) -> None:
    lock = tmp_path / "lock"
    slow = SupervisionPolicy(restart_delay_s=0.01, max_restart_delay_s=30.0)
    async with recognizer_of(supervision=slow, factory=ScriptedEngineFactory(failing_once=lock)) as recognizer:
        held = await gate.hold_a_worker(recognizer)
        (waiting,) = await queued(recognizer, recognition_request())
        lock.touch()
        pid = recognizer.pool.status().workers[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        for call in (held, waiting):
            with pytest.raises(RecognizerUnavailable, match="the file is locked"):
                await call


async def test_before_the_start_and_after_the_end_nothing_is_taken() -> None:
    recognizer = PooledRecognizer(WorkerPool(ScriptedEngineFactory(), 1), clock=SystemClock())
    with pytest.raises(RecognizerUnavailable, match="not been started"):
        await recognizer.recognize(recognition_request())
    async with recognizer:
        assert (await recognizer.recognize(recognition_request())).text
    with pytest.raises(RecognizerUnavailable, match="shut down"):
        await recognizer.recognize(recognition_request())


async def test_closing_answers_what_waits_and_what_runs(gate: Gate) -> None:
    hasty = SupervisionPolicy(stop_grace_s=0.1)
    async with recognizer_of(supervision=hasty) as recognizer:
        held = await gate.hold_a_worker(recognizer)
        (waiting,) = await queued(recognizer, recognition_request())
        await recognizer.close()
        for call in (held, waiting):
            with pytest.raises(RecognizerUnavailable, match="shut down"):
                await call


@pytest.mark.parametrize(("streaming", "goes_on_in"), [(True, "asr-worker-2"), (False, "asr-worker-1")])
async def test_a_streaming_engine_goes_on_in_the_worker_that_had_the_utterance(
    gate: Gate, streaming: bool, goes_on_in: str
) -> None:
    log = ReportLog()
    factory = ScriptedEngineFactory(capabilities=replace(CAPABILITIES, streaming=streaming))
    async with recognizer_of(3, observer=log, factory=factory) as recognizer:
        await recognizer.pool.wait_for(lambda status: status.ready == 3)
        held = await gate.hold_a_worker(recognizer)  # the first one, as whenever all are idle
        await recognizer.recognize(recognition_request(kind=RecognitionKind.PARTIAL))
        await gate.open()
        await held
        await recognizer.pool.wait_for(lambda status: all(w.state is WorkerState.IDLE for w in status.workers))
        for kind in RecognitionKind:
            await recognizer.recognize(recognition_request(kind=kind))
    assert [report.worker for report in log.reports] == ["asr-worker-2", "asr-worker-1", goes_on_in, goes_on_in]
