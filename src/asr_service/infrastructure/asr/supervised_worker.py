"""One worker of the pool: a place in which one process follows another."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

import structlog

from asr_service.domain.ports.recognizer import RecognitionRequest, RecognizerCapabilities
from asr_service.domain.value_objects.audio_metadata import BYTES_PER_SAMPLE, SAMPLE_RATE_HZ
from asr_service.infrastructure.asr.batch_observer import BatchObserver
from asr_service.infrastructure.asr.worker_link import WorkerDied, WorkerEnd, WorkerLink, WorkerStartFailed
from asr_service.infrastructure.asr.worker_messages import BatchAnswered, StartFailed
from asr_service.infrastructure.asr.worker_status import WorkerState, WorkerStatus

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SupervisionPolicy:
    """When a worker process is given up, and what follows.

    With the defaults an idle worker that hangs is noticed within 10 s, one that works on 5 s of audio within 15 s.

    Attributes:
        start_timeout_s: For loading the engine and its self-test.
        hang_timeout_s: For a batch, whatever its length.
        hang_timeout_per_audio_s: So many seconds more for each second of audio in the batch. An engine that needs 1 s
            per second cannot keep up with a single speaker.
        probe_interval_s: An idle worker is asked so often whether it lives.
        probe_timeout_s: For its answer.
        restart_delay_s: Between a crash and the next start; doubled by each further crash or failed start without an
            answered batch between.
        max_restart_delay_s: Where the doubling ends.
        memory_ceiling_bytes: A worker whose resident memory is larger after a batch is replaced; ``None``: never.
        stop_grace_s: For an idle worker to end by itself when it is stopped; then it is killed.
    """

    start_timeout_s: float = 120.0
    hang_timeout_s: float = 10.0
    hang_timeout_per_audio_s: float = 1.0
    probe_interval_s: float = 5.0
    probe_timeout_s: float = 5.0
    restart_delay_s: float = 0.2
    max_restart_delay_s: float = 30.0
    memory_ceiling_bytes: int | None = None
    stop_grace_s: float = 5.0

    def restart_delay_after_s(self, setbacks: int) -> float:
        """Seconds to wait after so many crashes and failed starts in a row."""
        if setbacks == 0:
            return 0.0
        doublings = min(setbacks - 1, 32)
        return min(self.max_restart_delay_s, self.restart_delay_s * 2.0**doublings)


class SupervisedWorker:
    """Keeps one engine process alive, and lets one holder at a time use it.

    Args:
        name: Of the worker and its processes.
        factory: A pickled ``EngineFactory``.
        policy: When a process is given up.
        observer: Is told when a process ended in service.
        on_change: Called after every change of state.
        recycling: Shared by the workers of a pool, so that one is recycled at a time: for a while it takes the memory
            of two.
    """

    def __init__(
        self,
        name: str,
        factory: bytes,
        policy: SupervisionPolicy,
        observer: BatchObserver,
        on_change: Callable[[], None],
        recycling: asyncio.Lock,
    ) -> None:
        self.name = name
        self.capabilities: RecognizerCapabilities | None = None
        self.start_failure: StartFailed | None = None  # of the last start, if it failed
        self._factory = factory
        self._policy = policy
        self._observer = observer
        self._on_change = on_change
        self._recycling = recycling
        self._state = WorkerState.STARTING
        self._link: WorkerLink | None = None  # the process in service, or the one that is starting
        self._lent: WorkerLink | None = None
        self._links: set[WorkerLink] = set()  # every process that may still run
        self._restarts = 0
        self._batches_done = 0
        self._setbacks = 0  # crashes and failed starts since the last answered batch
        self._last_error: str | None = None
        self._over_ceiling = False
        self._withheld = False  # from the next holder, since the replacement is ready
        self._probe_due_s = 0.0
        self._changed = asyncio.Event()

    @property
    def idle(self) -> bool:
        """Whether ``occupy`` may be called."""
        return self._state is WorkerState.IDLE and not self._withheld and self._link is not None and self._link.alive

    @property
    def ready(self) -> bool:
        """Whether its process is in service, idle or busy."""
        return self._state in (WorkerState.IDLE, WorkerState.BUSY) and self._link is not None and self._link.alive

    def status(self) -> WorkerStatus:
        link = self._link if self._link is not None and self._link.alive else None
        return WorkerStatus(
            name=self.name,
            state=self._state,
            pid=link.pid if link else None,
            restarts=self._restarts,
            batches_done=self._batches_done,
            rss_bytes=link.rss_bytes() if link else None,
            last_error=self._last_error,
        )

    # --- for the holder

    def occupy(self) -> None:
        """Makes the caller the holder; only when idle, and to be followed by ``release``."""
        self._lent = self._link
        self._enter(WorkerState.BUSY)

    def release(self) -> None:
        """Ends what ``occupy`` began, whatever has become of the process."""
        link, self._lent = self._lent, None
        if link is not None and link is self._link and link.alive and self._state is WorkerState.BUSY:
            ceiling_bytes, rss_bytes = self._policy.memory_ceiling_bytes, link.rss_bytes()
            self._over_ceiling = ceiling_bytes is not None and rss_bytes is not None and rss_bytes > ceiling_bytes
            self._set_probe()
            self._state = WorkerState.IDLE
        self._notify()

    async def recognize(self, requests: Sequence[RecognitionRequest]) -> BatchAnswered:
        """Has the batch recognized by the process that was occupied.

        Raises:
            WorkerDied: The process ended before it answered, or was killed because it hung.
            BatchRejected: The engine raised on the batch as a whole.
        """
        assert self._lent is not None
        audio_s = sum(len(request.pcm) for request in requests) / (BYTES_PER_SAMPLE * SAMPLE_RATE_HZ)
        timeout_s = self._policy.hang_timeout_s + self._policy.hang_timeout_per_audio_s * audio_s
        answer = await self._lent.recognize(requests, timeout_s)
        self._batches_done += 1
        self._setbacks = 0
        return answer

    # --- supervision

    async def supervise(self) -> NoReturn:
        """Starts a process, and another one whenever it ends; runs until it is cancelled."""
        link = await self._start_until_ready()
        while True:
            self._put_in_service(link)
            end = await self._end_of_service(link)
            replacement = await self._start_replacement(link) if end is WorkerEnd.RECYCLED else None
            if replacement is not None:
                self._put_in_service(replacement)
            else:
                self._enter(WorkerState.RESTARTING)
            await self._retire(link, end)
            link = replacement or await self._start_until_ready()

    async def stop(self) -> None:
        """Ends whatever process still runs; after ``supervise`` has been cancelled."""
        await asyncio.gather(*(link.stop(self._policy.stop_grace_s) for link in self._links))
        self._links.clear()
        self._enter(WorkerState.STOPPED)

    async def _start_until_ready(self) -> WorkerLink:
        while True:
            await asyncio.sleep(self._policy.restart_delay_after_s(self._setbacks))
            self._link = self._new_link()
            self._enter(WorkerState.STARTING)
            try:
                await self._start(self._link)
            except WorkerStartFailed as failure:
                self.start_failure = StartFailed(failure.reason, failure.hint)
                self._setbacks += 1
                self._enter(WorkerState.RESTARTING)
            else:
                self.start_failure = None
                return self._link

    def _new_link(self) -> WorkerLink:
        link = WorkerLink(self.name, self._factory, self._notify)
        self._links.add(link)
        return link

    async def _start(self, link: WorkerLink) -> None:
        try:
            self.capabilities = await link.start(self._policy.start_timeout_s)
        except WorkerStartFailed as failure:
            await self._give_up_start(link, failure)
            raise
        log.info("worker_ready", worker=self.name, pid=link.pid, engine=self.capabilities.engine)

    async def _give_up_start(self, link: WorkerLink, failure: WorkerStartFailed) -> None:
        self._last_error = failure.reason
        await link.stop(self._policy.stop_grace_s)
        self._links.discard(link)
        log.error("worker_start_failed", worker=self.name, reason=failure.reason, output=_text(link.output_tail))

    def _put_in_service(self, link: WorkerLink) -> None:
        self._link = link
        self._over_ceiling = self._withheld = False
        self._set_probe()
        self._enter(WorkerState.IDLE)

    async def _end_of_service(self, link: WorkerLink) -> WorkerEnd:
        while link.alive:
            if self._over_ceiling:
                return WorkerEnd.RECYCLED
            changed = self._changed
            try:
                async with asyncio.timeout_at(self._probe_due_s):
                    await changed.wait()
            except TimeoutError:
                await self._probe(link)
        return link.end

    async def _probe(self, link: WorkerLink) -> None:
        """Asks the process whether it lives, unless it is at work, which has a deadline of its own."""
        if not self.idle:
            self._set_probe()
            return
        self.occupy()
        try:
            await link.probe(self._policy.probe_timeout_s)
        except WorkerDied:
            return  # end_of_service sees that
        finally:
            self.release()

    async def _start_replacement(self, link: WorkerLink) -> WorkerLink | None:
        """The next process, ready, while this one goes on working; returns when this one is idle.

        ``None`` when it could not be started, for instance for want of memory: then this one makes room first.
        """
        async with self._recycling:
            candidate = self._new_link()
            replacement: WorkerLink | None = candidate
            try:
                await self._start(candidate)
            except WorkerStartFailed:
                replacement = None
        self._withheld = True
        while self._state is WorkerState.BUSY and link.alive:
            await self._changed.wait()
        return replacement

    async def _retire(self, link: WorkerLink, end: WorkerEnd) -> None:
        await link.stop(self._policy.stop_grace_s)
        self._links.discard(link)
        self._restarts += 1
        if end is WorkerEnd.RECYCLED:
            log.info("worker_recycled", worker=self.name, pid=link.pid)
        else:
            self._setbacks += 1
            self._last_error = link.end_reason
            log.error(
                "worker_ended",
                worker=self.name,
                pid=link.pid,
                end=end,
                reason=link.end_reason,
                output=_text(link.output_tail),
            )
        self._observer.worker_restarted(self.name, end)
        self._notify()

    def _set_probe(self) -> None:
        self._probe_due_s = asyncio.get_running_loop().time() + self._policy.probe_interval_s

    def _enter(self, state: WorkerState) -> None:
        self._state = state
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()  # whoever waits holds the old one
        self._on_change()


def _text(output: bytes) -> str | None:
    return output.decode("utf-8", "replace") or None
