"""Keeps so many engine processes alive, and lends them out one at a time."""

import asyncio
import pickle
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from asr_service.domain.ports.recognizer import RecognizerCapabilities, RecognizerUnavailable
from asr_service.infrastructure.asr.batch_observer import BatchObserver, NoObserver
from asr_service.infrastructure.asr.engine import EngineFactory
from asr_service.infrastructure.asr.supervised_worker import SupervisedWorker, SupervisionPolicy
from asr_service.infrastructure.asr.worker_status import PoolStatus


class WorkerPool:
    """Supervises ``size`` worker processes: starts, watches, restarts, recycles and stops them.

    A crashed or hung worker is replaced after a delay that grows with repetition. A worker over its memory ceiling goes
    on working until its replacement is ready, unless that cannot be started beside it. Ctrl-C does not reach the
    workers; they do not outlive the parent, even if it is killed.

    Args:
        factory: Loads the engine, in the worker process; of a class that can be imported, not of the main module. Of
            several, one for each device for instance, the workers take one each, in turn.
        size: Number of workers.
        policy: When a worker is given up.
        observer: Is told of every worker that ended in service.
        name: The workers are called after it, ``asr-worker-1`` and so on.
    """

    def __init__(
        self,
        factory: EngineFactory | Sequence[EngineFactory],
        size: int,
        policy: SupervisionPolicy | None = None,
        observer: BatchObserver | None = None,
        *,
        name: str = "asr-worker",
    ) -> None:
        if size < 1:
            raise ValueError("a pool needs one worker")
        self._policy = policy or SupervisionPolicy()
        self._closed = False
        self._changed = asyncio.Event()
        self._supervisors: list[asyncio.Task[None]] = []
        factories = factory if isinstance(factory, Sequence) else (factory,)
        pickled, recycling = [pickle.dumps(each) for each in factories], asyncio.Lock()
        self._workers = [
            SupervisedWorker(
                f"{name}-{number}",
                pickled[(number - 1) % len(pickled)],
                self._policy,
                observer or NoObserver(),
                self._notify,
                recycling,
            )
            for number in range(1, size + 1)
        ]

    @property
    def size(self) -> int:
        return len(self._workers)

    @property
    def idle_workers(self) -> int:
        return sum(1 for worker in self._workers if worker.idle)

    @property
    def ready_workers(self) -> int:
        """Workers that can recognize: idle or busy."""
        return sum(1 for worker in self._workers if worker.ready)

    @property
    def capabilities(self) -> RecognizerCapabilities:
        """What the engine says of itself.

        Raises:
            RecognizerUnavailable: No worker has been ready yet.
        """
        for worker in self._workers:
            if worker.capabilities is not None:
                return worker.capabilities
        raise RecognizerUnavailable("No recognition worker has been ready yet.")

    @property
    def unavailable_reason(self) -> str | None:
        """Why nothing can be recognized, now or soon.

        That a worker crashed and is being restarted is no such reason; that the last start of every worker failed is.
        """
        if self._closed:
            return "The recognition workers are shut down."
        if not self._supervisors:
            return "The recognition workers have not been started."
        failures = [worker.start_failure for worker in self._workers if worker.start_failure is not None]
        return failures[0].reason if len(failures) == self.size else None

    def check_available(self) -> None:
        """Returns while recognition is possible, now or soon.

        Raises:
            RecognizerUnavailable: It is not, for ``unavailable_reason``.
        """
        if (reason := self.unavailable_reason) is not None:
            hints = [worker.start_failure.hint for worker in self._workers if worker.start_failure is not None]
            retry_after_s = None if self._closed else self._policy.max_restart_delay_s
            raise RecognizerUnavailable(reason, hint=hints[0] if hints else None, retry_after_s=retry_after_s)

    def status(self) -> PoolStatus:
        """All workers as they are now; reads their memory from ``/proc``."""
        return PoolStatus(tuple(worker.status() for worker in self._workers), self.unavailable_reason)

    async def wait_for(self, predicate: Callable[[PoolStatus], bool]) -> PoolStatus:
        """Waits until the status meets the predicate, which is asked now and after every change of a worker's state."""
        while not predicate(status := self.status()):
            await self._changed.wait()
        return status

    async def start(self) -> None:
        """Starts all workers; returns when the first is ready. Once only.

        Raises:
            RecognizerUnavailable: None of them could be started; the reason is passed on, and nothing is left running.
        """
        self._supervisors = [asyncio.create_task(worker.supervise()) for worker in self._workers]
        try:
            await self.wait_for(lambda status: status.ready > 0 or status.unavailable_reason is not None)
            self.check_available()
        except (RecognizerUnavailable, asyncio.CancelledError):
            await self.close()
            raise

    async def close(self) -> None:
        """Stops all workers, within ``stop_grace_s``; what they are working on is lost. Repeatable."""
        self._closed = True
        for supervisor in self._supervisors:
            supervisor.cancel()
        await asyncio.gather(*self._supervisors, return_exceptions=True)
        await asyncio.gather(*(worker.stop() for worker in self._workers))

    @asynccontextmanager
    async def lease(self, prefer: Callable[[], str | None] = lambda: None) -> AsyncIterator[SupervisedWorker]:
        """Waits for an idle worker and lends it until the block ends.

        Args:
            prefer: Asked once there is an idle worker, and nothing else happens until one is lent: the name of the worker to
                lend if it is among them.

        Raises:
            RecognizerUnavailable: No worker is ready, and none will soon be.
        """
        idle = await self._some_idle_workers()
        preferred = prefer()
        worker = next((worker for worker in idle if worker.name == preferred), idle[0])
        worker.occupy()
        try:
            yield worker
        finally:
            worker.release()

    async def _some_idle_workers(self) -> list[SupervisedWorker]:
        while True:
            self.check_available()
            if idle := [worker for worker in self._workers if worker.idle]:
                return idle
            await self._changed.wait()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()  # whoever waits holds the old one
