"""Worker processes are started, watched, replaced and stopped."""

import asyncio
import os
import resource
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from asr_service.domain.ports.recognizer import RecognizerUnavailable
from asr_service.infrastructure.asr.batch_observer import BatchReport, NoObserver
from asr_service.infrastructure.asr.supervised_worker import SupervisionPolicy
from asr_service.infrastructure.asr.worker_link import BatchRejected, WorkerDied, WorkerEnd
from asr_service.infrastructure.asr.worker_pool import WorkerPool
from asr_service.infrastructure.asr.worker_status import PoolStatus, WorkerState
from tests.fakes.engines import (
    CAPABILITIES,
    EXIT,
    HANG,
    LOG,
    MISCOUNT,
    RAISE,
    SAY,
    ScriptedEngineFactory,
    grow,
    heard,
)
from tests.fixtures.recognition_requests import recognition_request

ROOT = Path(__file__).resolve().parent.parent.parent
PROMPT = SupervisionPolicy(restart_delay_s=0.01, max_restart_delay_s=0.05, stop_grace_s=2.0)
HASTY = SupervisionPolicy(
    hang_timeout_s=0.3, hang_timeout_per_audio_s=0.0, probe_interval_s=0.1, probe_timeout_s=0.2, restart_delay_s=0.01
)
MEGABYTE = 1 << 20


@dataclass(slots=True)
class RestartLog(NoObserver):
    """Remembers which workers were replaced, and why."""

    restarts: list[tuple[str, WorkerEnd]] = field(default_factory=list)

    def batch_done(self, report: BatchReport) -> None:
        raise AssertionError("the pool knows nothing of reports")

    def worker_restarted(self, worker: str, end: WorkerEnd) -> None:
        self.restarts.append((worker, end))


@asynccontextmanager
async def running(pool: WorkerPool) -> AsyncIterator[WorkerPool]:
    await pool.start()
    try:
        yield pool
    finally:
        await pool.close()


def all_ready(status: PoolStatus) -> bool:
    return status.ready == len(status.workers)


def pids(status: PoolStatus) -> list[int]:
    return [worker.pid for worker in status.workers if worker.pid is not None]


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def recognize(pool: WorkerPool, prompt: str | None = None) -> str:
    request = recognition_request(prompt=prompt)
    async with pool.lease() as worker:
        (outcome,) = (await worker.recognize([request])).outcomes
    assert outcome == heard(request)
    return request.request_id


# --- start and stop


async def test_it_starts_all_workers_and_says_what_they_are() -> None:
    async with running(WorkerPool(ScriptedEngineFactory(), size=2)) as pool:
        status = await pool.wait_for(all_ready)
        assert pool.capabilities == CAPABILITIES
        assert pool.idle_workers == 2
        assert [worker.name for worker in status.workers] == ["asr-worker-1", "asr-worker-2"]
        assert len(set(pids(status))) == 2
        for worker in status.workers:
            assert worker.state is WorkerState.IDLE
            assert worker.rss_bytes is not None
            assert worker.rss_bytes > MEGABYTE
            assert (worker.restarts, worker.batches_done, worker.last_error) == (0, 0, None)


async def test_closing_leaves_no_process_and_no_open_file() -> None:
    open_files_before = open_files()
    pool = WorkerPool(ScriptedEngineFactory(), size=2, policy=PROMPT)
    await pool.start()
    started = pids(await pool.wait_for(all_ready))
    await pool.close()
    await pool.close()
    assert len(started) == 2
    assert not any(exists(pid) for pid in started)
    assert all(worker.state is WorkerState.STOPPED for worker in pool.status().workers)
    assert pool.unavailable_reason is not None
    # The first pool of a process leaves the resource tracker of multiprocessing behind, one pipe.
    assert open_files() <= open_files_before + 1


async def test_closing_kills_a_worker_that_does_not_stop() -> None:
    pool = WorkerPool(ScriptedEngineFactory(), size=1, policy=SupervisionPolicy(stop_grace_s=0.1))
    await pool.start()
    (pid,) = pids(pool.status())
    async with pool.lease() as worker:
        call = asyncio.create_task(worker.recognize([recognition_request(prompt=HANG)]))
        os.kill(pid, signal.SIGSTOP)
        await pool.close()
        with pytest.raises(WorkerDied):
            await call
    assert not exists(pid)


async def test_closing_while_workers_start_leaves_none() -> None:
    pool = WorkerPool(ScriptedEngineFactory(), size=2, policy=PROMPT)
    start = asyncio.create_task(pool.start())
    started = pids(await pool.wait_for(lambda status: len(pids(status)) == 2))
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert not any(exists(pid) for pid in started)


@pytest.mark.parametrize(
    ("factory", "reason", "hint"),
    [
        (ScriptedEngineFactory(missing="The model is not installed."), "The model is not installed.", "Fetch it"),
        (ScriptedEngineFactory(mute=True), "self-test: the weights are all zero", "models verify"),
        (ScriptedEngineFactory(hallucinating=True), "self-test: it heard words in noise: 'Thanks for", "models verify"),
        (ScriptedEngineFactory(dying=True), "SIGKILL", None),
    ],
    ids=["model missing", "self-test fails", "words in noise", "dies while loading"],
)
async def test_when_no_worker_can_be_started_the_reason_is_passed_on(
    factory: ScriptedEngineFactory, reason: str, hint: str | None
) -> None:
    pool = WorkerPool(factory, size=1, policy=PROMPT)
    with pytest.raises(RecognizerUnavailable, match=reason) as refusal:
        await pool.start()
    assert (hint is None) == (refusal.value.hint is None)
    assert (hint or "") in (refusal.value.hint or "")
    assert pids(pool.status()) == []


async def test_of_several_factories_the_workers_take_one_each_in_turn() -> None:
    devices = [ScriptedEngineFactory(capabilities=replace(CAPABILITIES, model=f"on device {n}")) for n in range(2)]
    async with running(WorkerPool(devices, size=3, name="asr-test")) as pool:
        status = await pool.wait_for(all_ready)
        assert pool.ready_workers == 3
        assert [worker.name for worker in status.workers] == ["asr-test-1", "asr-test-2", "asr-test-3"]
        async with pool.lease() as first, pool.lease() as second, pool.lease() as third:
            models = [worker.capabilities.model for worker in (first, second, third) if worker.capabilities]
    assert models == ["on device 0", "on device 1", "on device 0"]
    assert pool.ready_workers == 0


async def test_a_process_that_cannot_be_started_is_reported() -> None:
    pool = WorkerPool(ScriptedEngineFactory(), size=1, policy=PROMPT)
    before = open_files()
    _, hard_limit = limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard_limit))  # no new descriptor at all
    try:
        with pytest.raises(RecognizerUnavailable, match=r"could not be started: .*Too many open files"):
            await pool.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert open_files() == before


async def test_an_engine_that_takes_too_long_to_load_is_given_up() -> None:
    pool = WorkerPool(ScriptedEngineFactory(), size=1, policy=SupervisionPolicy(start_timeout_s=0.001))
    with pytest.raises(RecognizerUnavailable, match=r"no answer within 0.001 s"):
        await pool.start()


async def test_one_worker_that_starts_is_enough_and_the_other_is_tried_again(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.touch()
    async with running(WorkerPool(ScriptedEngineFactory(failing_once=lock), size=2, policy=PROMPT)) as pool:
        status = await pool.wait_for(all_ready)
        errors = [worker.last_error for worker in status.workers if worker.last_error is not None]
        assert errors == ["OSError: the file is locked"]
        assert sum(worker.restarts for worker in status.workers) == 0


async def test_nothing_is_lent_before_the_start() -> None:
    pool = WorkerPool(ScriptedEngineFactory(), size=1)
    with pytest.raises(RecognizerUnavailable):
        _ = pool.capabilities
    with pytest.raises(RecognizerUnavailable, match="not been started"):
        async with pool.lease():
            raise AssertionError("there is nothing to lend")


def test_a_pool_of_no_workers_is_refused() -> None:
    with pytest.raises(ValueError, match="one worker"):
        WorkerPool(ScriptedEngineFactory(), size=0)


# --- a batch


async def test_a_worker_is_lent_to_one_holder_at_a_time() -> None:
    async with running(WorkerPool(ScriptedEngineFactory(), size=1)) as pool:
        async with pool.lease():
            assert pool.status().workers[0].state is WorkerState.BUSY
            assert pool.idle_workers == 0
            second = asyncio.create_task(recognize(pool))
        assert await second
        assert pool.status().workers[0].batches_done == 1


@pytest.mark.parametrize("script", [RAISE, MISCOUNT])
async def test_an_engine_that_raises_or_miscounts_fails_the_batch_and_lives(script: str) -> None:
    async with running(WorkerPool(ScriptedEngineFactory(), size=1)) as pool:
        before = pids(pool.status())
        async with pool.lease() as worker:
            with pytest.raises(BatchRejected):
                await worker.recognize([recognition_request(), recognition_request(prompt=script)])
        assert await recognize(pool)
        assert pids(pool.status()) == before


# --- crash, hang, growth


async def test_a_worker_killed_while_idle_is_replaced() -> None:
    log = RestartLog()
    async with running(WorkerPool(ScriptedEngineFactory(), size=1, policy=PROMPT, observer=log)) as pool:
        (pid,) = pids(pool.status())
        os.kill(pid, signal.SIGKILL)
        status = await pool.wait_for(lambda status: status.workers[0].restarts == 1 and all_ready(status))
        assert pids(status) != [pid]
        assert status.workers[0].last_error == "killed by SIGKILL"
        assert log.restarts == [("asr-worker-1", WorkerEnd.CRASHED)]
        assert await recognize(pool)


async def test_a_worker_that_exits_in_the_middle_of_a_batch_is_replaced() -> None:
    async with running(WorkerPool(ScriptedEngineFactory(), size=1, policy=PROMPT)) as pool:
        with pytest.raises(WorkerDied, match="exit code 3"):
            await recognize(pool, EXIT)
        assert await recognize(pool)


async def test_a_worker_that_hangs_in_a_batch_is_killed_and_replaced() -> None:
    log = RestartLog()
    async with running(WorkerPool(ScriptedEngineFactory(), size=1, policy=HASTY, observer=log)) as pool:
        (pid,) = pids(pool.status())
        with pytest.raises(WorkerDied, match=r"no answer within 0.3 s"):
            await recognize(pool, HANG)
        assert await recognize(pool)
        assert not exists(pid)
        assert log.restarts == [("asr-worker-1", WorkerEnd.HUNG)]


async def test_an_idle_worker_is_asked_whether_it_lives_and_left_in_peace() -> None:
    async with running(WorkerPool(ScriptedEngineFactory(), size=1, policy=HASTY)) as pool:
        before = pids(pool.status())
        for state in (WorkerState.BUSY, WorkerState.IDLE, WorkerState.BUSY, WorkerState.IDLE):
            await pool.wait_for(lambda status, state=state: status.workers[0].state is state)  # type: ignore[misc]
        assert pids(pool.status()) == before
        assert pool.status().workers[0].restarts == 0


async def test_a_holder_that_goes_away_leaves_no_answer_for_the_next_one() -> None:
    async with running(WorkerPool(ScriptedEngineFactory(), size=1, policy=PROMPT)) as pool:
        call = asyncio.create_task(recognize(pool, HANG))
        await pool.wait_for(lambda status: status.workers[0].state is WorkerState.BUSY)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await recognize(pool)
        assert pool.status().workers[0].restarts == 1


async def test_an_idle_worker_that_is_stopped_is_noticed_and_replaced() -> None:
    log = RestartLog()
    async with running(WorkerPool(ScriptedEngineFactory(), size=1, policy=HASTY, observer=log)) as pool:
        (pid,) = pids(pool.status())
        os.kill(pid, signal.SIGSTOP)
        await pool.wait_for(lambda status: status.workers[0].restarts == 1 and all_ready(status))
        assert not exists(pid)
        assert log.restarts == [("asr-worker-1", WorkerEnd.HUNG)]


async def test_a_worker_over_its_memory_ceiling_is_replaced_without_a_gap() -> None:
    log = RestartLog()
    policy = SupervisionPolicy(memory_ceiling_bytes=160 * MEGABYTE, restart_delay_s=0.01)
    async with running(WorkerPool(ScriptedEngineFactory(), size=1, policy=policy, observer=log)) as pool:
        (pid,) = pids(pool.status())
        await recognize(pool)
        assert pids(pool.status()) == [pid]
        await recognize(pool, grow(megabytes=160))
        seen: set[WorkerState] = set()

        def replaced(status: PoolStatus) -> bool:
            seen.add(status.workers[0].state)
            return status.workers[0].restarts == 1

        replacement = asyncio.create_task(pool.wait_for(replaced))
        while not replacement.done():
            await recognize(pool)
        assert seen == {WorkerState.IDLE, WorkerState.BUSY}
        assert pids(pool.status()) != [pid]
        assert not exists(pid)
        assert log.restarts == [("asr-worker-1", WorkerEnd.RECYCLED)]


async def test_a_worker_over_its_ceiling_makes_room_when_its_replacement_cannot_be_started(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    policy = SupervisionPolicy(memory_ceiling_bytes=160 * MEGABYTE, restart_delay_s=0.01)
    async with running(WorkerPool(ScriptedEngineFactory(failing_once=lock), size=1, policy=policy)) as pool:
        (pid,) = pids(pool.status())
        lock.touch()
        await recognize(pool, grow(megabytes=160))
        status = await pool.wait_for(lambda status: status.workers[0].restarts == 1 and all_ready(status))
        assert pids(status) != [pid]
        assert not lock.exists()


async def test_a_pool_whose_workers_cannot_be_restarted_says_so_and_recovers(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    async with running(WorkerPool(ScriptedEngineFactory(failing_once=lock), size=1, policy=PROMPT)) as pool:
        (pid,) = pids(pool.status())
        lock.touch()
        os.kill(pid, signal.SIGKILL)
        status = await pool.wait_for(lambda status: status.unavailable_reason is not None)
        assert status.unavailable_reason == "OSError: the file is locked"
        with pytest.raises(RecognizerUnavailable, match="the file is locked") as refusal:
            await recognize(pool)
        assert refusal.value.retry_after_s is not None
        await pool.wait_for(all_ready)
        assert await recognize(pool)


# --- what else a worker does to its surroundings


async def test_what_a_worker_prints_reaches_no_terminal_but_the_report_of_its_death(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with capture_logs() as logs:
        async with running(WorkerPool(ScriptedEngineFactory(), size=1, policy=PROMPT)) as pool:
            with pytest.raises(WorkerDied, match="SIGABRT"):
                await recognize(pool, SAY)
            await pool.wait_for(lambda status: status.workers[0].restarts == 1)
    assert "printed by" not in "".join(capfd.readouterr())
    (report,) = [entry for entry in logs if entry["event"] == "worker_ended"]
    assert "printed by Python\nwritten below Python\n" in report["output"]
    assert "Fatal Python error: Aborted" in report["output"]


async def test_what_a_worker_logs_is_logged_by_the_parent() -> None:
    with capture_logs() as logs:
        async with running(WorkerPool(ScriptedEngineFactory(), size=1)) as pool:
            await recognize(pool, LOG)
    assert {
        "event": "engine_spoke",
        "log_level": "info",
        "worker": "asr-worker-1",
        "seconds": 1.5,
        "codes": "('en', 'zh')",
    } in logs
    assert {
        "event": "library_log",
        "log_level": "warning",
        "worker": "asr-worker-1",
        "logger": "library",
        "message": "careful with that",
    } in logs


async def test_ctrl_c_does_not_reach_the_workers() -> None:
    async with running(WorkerPool(ScriptedEngineFactory(), size=1)) as pool:
        (pid,) = pids(pool.status())
        os.kill(pid, signal.SIGINT)
        assert await recognize(pool)
        assert pids(pool.status()) == [pid]


UNGUARDED_PROGRAM = """
import asyncio
from asr_service.infrastructure.asr.worker_pool import WorkerPool
from tests.fakes.engines import ScriptedEngineFactory

async def main():
    pool = WorkerPool(ScriptedEngineFactory(), size=1)
    await pool.start()
    await pool.close()
    print("done")

asyncio.run(main())
"""


def test_a_worker_does_not_import_the_main_module_of_its_parent(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(UNGUARDED_PROGRAM, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, program], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "done"


PARENT = """
import asyncio
from asr_service.infrastructure.asr.worker_pool import WorkerPool
from tests.fakes.engines import HANG, ScriptedEngineFactory
from tests.fixtures.recognition_requests import recognition_request

async def main():
    pool = WorkerPool(ScriptedEngineFactory(), size=1)
    await pool.start()
    async with pool.lease() as worker:
        print("worker", pool.status().workers[0].pid, flush=True)
        await worker.recognize([recognition_request(prompt=HANG)])

asyncio.run(main())
"""


def test_a_worker_dies_with_its_parent_even_in_the_middle_of_a_batch() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        (line,) = islice((line for line in parent.stdout if line.startswith("worker ")), 1)
        worker = os.pidfd_open(int(line.split()[1]))
        try:
            parent.kill()
            ended, _, _ = select.select([worker], [], [], 10)
            assert ended == [worker]
        finally:
            os.close(worker)
