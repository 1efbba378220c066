"""Requests on their way to another server: some are sent at once, more wait, and each has a deadline."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

import structlog

from asr_service.domain.ports.recognizer import (
    RecognitionFailed,
    RecognitionKind,
    RecognitionRequest,
    RecognizerUnavailable,
)
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.infrastructure.asr.batch_observer import BatchObserver, BatchReport, NoObserver
from asr_service.infrastructure.asr.fair_queue import PendingRequest
from asr_service.infrastructure.asr.micro_batcher import BatchingPolicy, MicroBatcher
from asr_service.infrastructure.asr.remote.circuit_breaker import CircuitBreaker
from asr_service.shared.clock import Clock
from asr_service.shared.errors import AsrError

log = structlog.get_logger(__name__)

Ask: TypeAlias = Callable[[RecognitionRequest], Awaitable[Hypothesis]]
"""Gives the server one request; what goes wrong is a ``RecognizerUnavailable`` unless the server says otherwise."""


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """How much is asked of the server, and how long it may take.

    Attributes:
        at_once: Requests that the server is given at the same time.
        max_waiting: Requests that may wait for one of those to end; more are refused.
        timeout_s: Seconds for an answer, besides those that the audio lasts.
    """

    at_once: int = 8
    max_waiting: int = 512
    timeout_s: float = 10.0


class RemoteCalls:
    """Gives requests to a server, in the order in which a pool of workers would take them.

    ``MicroBatcher`` says who comes first and what happens when too much waits. A call whose caller has gone away is broken
    off.

    Args:
        server: Its name, for messages and metrics.
        ask: Asks it for one.
        breaker: Is told how each call ended, and refuses calls while the server fails.
        clock: For the time that requests wait.
        policy: See there.
        observer: Is told of every call, as of a batch of one.
    """

    def __init__(
        self,
        server: str,
        ask: Ask,
        *,
        breaker: CircuitBreaker,
        clock: Clock,
        policy: CallPolicy,
        observer: BatchObserver | None = None,
    ) -> None:
        self._server = server
        self._ask = ask
        self._breaker = breaker
        self._clock = clock
        self._policy = policy
        self._observer = observer or NoObserver()
        self._queue = MicroBatcher(BatchingPolicy(max_waiting=policy.max_waiting, max_batch=1))
        self._callers: list[asyncio.Task[None]] = []

    @property
    def waiting(self) -> int:
        """Requests that the server has not been given yet."""
        return self._queue.waiting

    def start(self) -> None:
        """Begins to ask; nothing is sent before there is a request."""
        self._callers = [
            asyncio.create_task(self._call_one_by_one(f"{self._server}-{number}"))
            for number in range(self._policy.at_once)
        ]

    async def close(self) -> None:
        """Breaks off what is under way and answers all that wait with ``RecognizerUnavailable``. Repeatable."""
        for caller in self._callers:
            caller.cancel()
        await asyncio.gather(*self._callers, return_exceptions=True)
        self._callers = []
        self._queue.fail_all(_shut_down())

    async def answer(self, request: RecognitionRequest) -> Hypothesis:
        """What the server makes of a request.

        Raises:
            RecognizerUnavailable: It cannot be reached, is too slow, or does not answer as it should.
            RecognizerOverloaded: Too much waits, here or there.
            RecognitionFailed: It cannot process this audio.
        """
        if not self._callers:
            raise _shut_down()
        self._breaker.check()
        answer: asyncio.Future[Hypothesis] = asyncio.get_running_loop().create_future()
        pending = PendingRequest(request, answer, self._clock.monotonic_s())
        self._queue.submit(pending)
        try:
            return await answer
        finally:
            self._queue.withdraw(pending)

    async def _call_one_by_one(self, name: str) -> None:
        while True:
            await self._queue.wait_for_work()
            for pending in self._queue.take(now_s=self._clock.monotonic_s()):
                if not pending.answer.done():
                    await self._serve(name, pending)

    async def _serve(self, name: str, pending: PendingRequest) -> None:
        call = asyncio.create_task(self._call(name, pending))
        pending.answer.add_done_callback(lambda _: call.cancel())  # its caller may go away at any time
        try:
            await asyncio.wait([call])
        except asyncio.CancelledError:
            pending.fail(_shut_down())
            call.cancel()
            await asyncio.wait([call])
            raise

    async def _call(self, name: str, pending: PendingRequest) -> None:
        begun_s = self._clock.monotonic_s()
        answered = False
        self._observer.batch_begun(name, [pending.request])
        try:
            with self._breaker.attempt():
                hypothesis = await self._in_time(pending)
            answered = True
            self._report(name, pending, begun_s, failures=0)
            pending.settle(hypothesis)
        except RecognitionFailed as error:
            answered = True
            self._report(name, pending, begun_s, failures=1)
            pending.fail(error)
        except AsrError as error:
            pending.fail(error)
        except Exception:  # a defect of this service must neither hang its caller nor end the calling
            log.exception("remote_call_crashed", server=self._server)
            pending.fail(RecognitionFailed("The recognizer failed unexpectedly."))
        finally:
            self._observer.batch_ended(name, answered=answered)

    async def _in_time(self, pending: PendingRequest) -> Hypothesis:
        allowed_s = self._policy.timeout_s + pending.audio_s
        try:
            async with asyncio.timeout(allowed_s):
                return await self._ask(pending.request)
        except TimeoutError:
            message = f"The server {self._server} has not answered within {allowed_s:.1f} s."
            raise RecognizerUnavailable(message) from None

    def _report(self, name: str, pending: PendingRequest, begun_s: float, *, failures: int) -> None:
        finals = 1 if pending.request.kind is RecognitionKind.FINAL else 0
        self._observer.batch_done(
            BatchReport(
                worker=name,
                finals=finals,
                partials=1 - finals,
                failures=failures,
                audio_s=pending.audio_s,
                padded_audio_s=pending.audio_s,
                queue_wait_s=(begun_s - pending.queued_at_s,),
                inference_s=self._clock.monotonic_s() - begun_s,
            )
        )


def _shut_down() -> RecognizerUnavailable:
    return RecognizerUnavailable("The connections to the recognition server are closed.")
