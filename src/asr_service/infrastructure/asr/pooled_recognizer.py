"""The recognizer port over supervised worker processes."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import structlog

from asr_service.domain.ports.recognizer import (
    RecognitionFailed,
    RecognitionKind,
    RecognitionRequest,
    RecognitionSuperseded,
    RecognizerCapabilities,
    RecognizerUnavailable,
)
from asr_service.domain.value_objects.audio_metadata import BYTES_PER_SAMPLE, SAMPLE_RATE_HZ
from asr_service.domain.value_objects.hypothesis import SILENCE, Hypothesis
from asr_service.infrastructure.asr.batch_observer import BatchObserver, BatchReport, NoObserver
from asr_service.infrastructure.asr.engine import EngineFailure
from asr_service.infrastructure.asr.fair_queue import PendingRequest
from asr_service.infrastructure.asr.micro_batcher import BatchingPolicy, MicroBatcher
from asr_service.infrastructure.asr.supervised_worker import SupervisedWorker
from asr_service.infrastructure.asr.worker_affinity import WorkerAffinity
from asr_service.infrastructure.asr.worker_link import BatchRejected, WorkerDied
from asr_service.infrastructure.asr.worker_messages import BatchAnswered
from asr_service.infrastructure.asr.worker_pool import WorkerPool
from asr_service.shared.clock import Clock

log = structlog.get_logger(__name__)

_MAX_DEATHS = 2  # once may be chance or its company; a request whose worker dies again is taken to be the cause


class PooledRecognizer:
    """Batches requests across sessions and has them recognized by the workers of a pool.

    A batch begins as soon as a worker is idle and something waits. ``MicroBatcher`` says who comes first and what
    happens when too much waits. An engine that is streaming gets what an utterance has grown by in the worker that had it, if
    that is idle. Whatever befalls a batch, each of its requests is answered:

    - The engine raised: its requests are tried again, each alone; one that fails alone gets ``RecognitionFailed``.
    - The worker died or hung: its partials get ``RecognitionSuperseded``, its finals are tried again, each alone; a
      final that was in two workers when they died gets ``RecognitionFailed``.

    Owns the pool: starts it and closes it. Use it as an async context manager, or call ``start`` and ``close``.

    Args:
        pool: The workers, not yet started.
        clock: For the time that requests wait.
        policy: How batches are made.
        observer: Is told of every batch.
    """

    def __init__(
        self,
        pool: WorkerPool,
        *,
        clock: Clock,
        policy: BatchingPolicy | None = None,
        observer: BatchObserver | None = None,
    ) -> None:
        self.pool = pool
        self._clock = clock
        self._batcher = MicroBatcher(policy or BatchingPolicy())
        self._observer = observer or NoObserver()
        self._affinity = WorkerAffinity()
        self._dispatchers: list[asyncio.Task[None]] = []

    @property
    def capabilities(self) -> RecognizerCapabilities:
        """What the engine says of itself.

        Raises:
            RecognizerUnavailable: ``start`` has not returned yet.
        """
        return self.pool.capabilities

    @property
    def waiting(self) -> int:
        """Requests of all kinds that wait for a worker."""
        return self._batcher.waiting

    @property
    def waiting_finals(self) -> int:
        return self._batcher.waiting_finals

    @property
    def waiting_partials(self) -> int:
        return self._batcher.waiting_partials

    async def start(self) -> None:
        """Returns when requests can be recognized.

        Raises:
            RecognizerUnavailable: No worker could be started; nothing is left running.
        """
        await self.pool.start()
        reserved = 1 if self.pool.size > 1 else 0
        self._dispatchers = [
            asyncio.create_task(self._dispatch(partials=number >= reserved)) for number in range(self.pool.size)
        ]

    async def close(self) -> None:
        """Answers all that wait with ``RecognizerUnavailable`` and stops the workers. Repeatable."""
        for dispatcher in self._dispatchers:
            dispatcher.cancel()
        await asyncio.gather(*self._dispatchers, return_exceptions=True)
        self._batcher.fail_all(_shut_down())
        await self.pool.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def recognize(self, request: RecognitionRequest) -> Hypothesis:
        """See ``Recognizer``. Audio of no samples is silence; audio beyond the engine's ``max_seconds`` is refused.

        A request waits while crashed workers are restarted, and is refused when none of them could be.
        """
        self.pool.check_available()
        max_seconds = self.capabilities.max_seconds
        if len(request.pcm) > max_seconds * SAMPLE_RATE_HZ * BYTES_PER_SAMPLE:
            raise RecognitionFailed(f"The audio is longer than the {max_seconds:g} s that the engine takes at once.")
        if not request.pcm:
            return SILENCE
        answer: asyncio.Future[Hypothesis] = asyncio.get_running_loop().create_future()
        pending = PendingRequest(request, answer, self._clock.monotonic_s())
        self._batcher.submit(pending)
        try:
            return await answer
        finally:
            self._batcher.withdraw(pending)

    async def _dispatch(self, *, partials: bool) -> None:
        """Serves one worker at a time, any of them; there is one such task per worker.

        One of several takes no partials, so that they never have all workers: a final that comes waits for other finals
        only. Its worker is idle in between; what a final of a live session loses by waiting is worth more.
        """
        while True:
            await self._batcher.wait_for_work(partials=partials)
            try:
                await self._serve_next(partials=partials)
            except RecognizerUnavailable as unavailable:
                self._batcher.fail_all(unavailable)

    async def _serve_next(self, *, partials: bool) -> None:
        batch: list[PendingRequest] = []
        async with self.pool.lease(lambda: self._fill(batch, partials=partials)) as worker:
            await self._serve(worker, batch)

    def _fill(self, batch: list[PendingRequest], *, partials: bool) -> str | None:
        """Makes up the batch at the last moment, and says which worker is the best for it."""
        taken = self._batcher.take(self.pool.idle_workers, self._clock.monotonic_s(), partials=partials)
        batch.extend(pending for pending in taken if not pending.answer.done())
        if not self.capabilities.streaming:
            return None
        return self._affinity.preferred([pending.request for pending in batch])

    async def _serve(self, worker: SupervisedWorker, batch: Sequence[PendingRequest]) -> None:
        if not batch:
            return
        begun_s = self._clock.monotonic_s()
        try:
            answer = await self._recognized_by(worker, [pending.request for pending in batch])
            self._settle(batch, answer)
            self._observer.batch_done(_report(worker.name, batch, answer, begun_s))
        except BatchRejected as rejection:
            self._try_apart(batch, str(rejection))
        except WorkerDied:
            self._survive(batch)
        except asyncio.CancelledError:
            for pending in batch:
                pending.fail(_shut_down())
            raise
        except Exception:  # a defect of this service must neither hang its callers nor end the dispatching
            log.exception("batch_crashed", worker=worker.name, size=len(batch))
            for pending in batch:
                pending.fail(RecognitionFailed("The recognizer failed unexpectedly."))

    async def _recognized_by(self, worker: SupervisedWorker, requests: Sequence[RecognitionRequest]) -> BatchAnswered:
        answered = False
        self._affinity.note(worker.name, requests)
        self._observer.batch_begun(worker.name, requests)
        try:
            answer = await worker.recognize(requests)
            answered = True
            return answer
        finally:
            self._observer.batch_ended(worker.name, answered=answered)

    def _settle(self, batch: Sequence[PendingRequest], answer: BatchAnswered) -> None:
        for pending, outcome in zip(batch, answer.outcomes, strict=True):
            if isinstance(outcome, EngineFailure):
                pending.fail(_failed(outcome.message))
            else:
                pending.settle(outcome)

    def _try_apart(self, batch: Sequence[PendingRequest], reason: str) -> None:
        log.warning("batch_failed", size=len(batch), reason=reason)
        if len(batch) == 1:
            batch[0].fail(_failed(reason))
        else:
            self._put_back(batch)

    def _survive(self, batch: Sequence[PendingRequest]) -> None:
        for pending in batch:
            pending.deaths += 1
            if pending.request.kind is RecognitionKind.PARTIAL:
                pending.fail(RecognitionSuperseded("The worker died; the next partial will take its place."))
            elif pending.deaths >= _MAX_DEATHS:
                pending.fail(_failed("it killed its worker twice"))
        self._put_back(batch)

    def _put_back(self, batch: Sequence[PendingRequest]) -> None:
        for pending in reversed(batch):
            if not pending.answer.done():
                self._batcher.put_back(pending)


def _report(worker: str, batch: Sequence[PendingRequest], answer: BatchAnswered, begun_s: float) -> BatchReport:
    finals = sum(1 for pending in batch if pending.request.kind is RecognitionKind.FINAL)
    return BatchReport(
        worker=worker,
        finals=finals,
        partials=len(batch) - finals,
        failures=sum(1 for outcome in answer.outcomes if isinstance(outcome, EngineFailure)),
        audio_s=sum(pending.audio_s for pending in batch),
        padded_audio_s=len(batch) * max(pending.audio_s for pending in batch),
        queue_wait_s=tuple(begun_s - pending.queued_at_s for pending in batch),
        inference_s=answer.inference_s,
    )


def _failed(reason: str) -> RecognitionFailed:
    return RecognitionFailed(f"The engine could not process this audio: {reason}.")


def _shut_down() -> RecognizerUnavailable:
    return RecognizerUnavailable("The recognition workers are shut down.")
