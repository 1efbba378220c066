"""Runs the windows of many streams through one model, as many at once as are waiting."""

import asyncio
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from asr_service.domain.ports.voice_activity import VoiceActivityUnavailable

BatchModel: TypeAlias = Callable[
    [NDArray[np.float32], NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.float32]]
]
"""``inputs [batch, samples], states [2, batch, cells] -> probabilities [batch], new states``."""


class _Call:
    """The windows of one stream that somebody waits for; belongs to the worker thread once it is queued."""

    __slots__ = ("abandoned", "answer", "failure", "inputs", "loop", "position", "probabilities", "state")

    def __init__(self, inputs: NDArray[np.float32], state: NDArray[np.float32]) -> None:
        self.inputs = inputs
        self.state = state
        self.probabilities = np.empty(len(inputs), np.float32)
        self.position = 0
        self.failure: Exception | None = None
        self.abandoned = False
        self.loop = asyncio.get_running_loop()
        self.answer: asyncio.Future[None] = self.loop.create_future()


class WindowBatcher:
    """One thread that takes the next window of every waiting call, runs them as one batch, and begins again.

    Nothing waits for a batch to fill: when the thread is idle a window is run alone, and what arrives meanwhile makes
    the next batch. A call with many windows gives one to each step and then goes to the end of the queue, so it never
    holds up a short one: each waits one step for every ``max_batch`` calls before it.

    The queue holds ``max_waiting`` calls. When it is full, further calls wait for room in the order in which they came;
    a session has one call at a time, so its socket is not read meanwhile.
    """

    def __init__(self, model: BatchModel, *, max_batch: int, max_waiting: int) -> None:
        if max_batch < 1 or max_waiting < 1:
            raise ValueError("a batcher needs room for one call")
        self._model = model
        self._max_batch = max_batch
        self._room = asyncio.Semaphore(max_waiting)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="voice-activity")
        self._lock = threading.Lock()  # guards what follows
        self._queue: deque[_Call] = deque()
        self._working = False
        self._closed = False
        self._waiting = 0  # only touched on the event loop

    @property
    def waiting(self) -> int:
        """Calls that have not been answered yet, those without room in the queue included."""
        return self._waiting

    async def run(self, inputs: NDArray[np.float32], state: NDArray[np.float32]) -> NDArray[np.float32]:
        """Runs consecutive windows of one stream.

        Args:
            inputs: ``[count, samples]``, as the model takes them; left alone until the call returns.
            state: ``[2, cells]``, brought forward in place by each window.

        Returns:
            One probability per window.

        Raises:
            VoiceActivityUnavailable: The model failed, or the batcher is closed.
        """
        self._waiting += 1
        try:
            async with self._room:
                call = _Call(inputs, state)
                self._enqueue(call)
                try:
                    await call.answer
                finally:
                    call.abandoned = True
                return call.probabilities
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """Ends the thread after the batch at hand; calls still waiting fail. Idempotent."""
        with self._lock:
            self._closed = True
        await asyncio.to_thread(self._thread.shutdown)

    def _enqueue(self, call: _Call) -> None:
        with self._lock:
            if self._closed:
                raise _closed()
            self._queue.append(call)
            if not self._working:
                self._working = True
                self._thread.submit(self._work)

    def _work(self) -> None:
        while batch := self._next_batch():
            try:
                self._step(batch)
            except Exception as error:
                for call in batch:
                    call.failure = VoiceActivityUnavailable(f"The voice activity model failed: {error}")
                _answer(batch)
            else:
                self._requeue([call for call in batch if call.position < len(call.inputs)])
                _answer([call for call in batch if call.position == len(call.inputs)])
        _answer(self._refused())

    def _next_batch(self) -> list[_Call]:
        batch: list[_Call] = []
        with self._lock:
            while self._queue and len(batch) < self._max_batch and not self._closed:
                call = self._queue.popleft()
                if not call.abandoned:
                    batch.append(call)
            self._working = bool(batch)
        return batch

    def _requeue(self, unfinished: list[_Call]) -> None:
        with self._lock:
            self._queue.extend(unfinished)

    def _refused(self) -> list[_Call]:
        """What is left in the queue once the batcher is closed."""
        with self._lock:
            refused = list(self._queue) if self._closed else []
            for call in refused:
                call.failure = _closed()
            return refused

    def _step(self, batch: Sequence[_Call]) -> None:
        inputs = np.stack([call.inputs[call.position] for call in batch])
        states = np.stack([call.state for call in batch], axis=1)
        probabilities, new_states = self._model(inputs, states)
        for row, call in enumerate(batch):
            call.probabilities[call.position] = probabilities[row]
            call.state[:] = new_states[:, row]
            call.position += 1


def _closed() -> VoiceActivityUnavailable:
    return VoiceActivityUnavailable("The voice activity detector is closed.")


def _answer(calls: Sequence[_Call]) -> None:
    """Wakes those who wait, each event loop once for all of its calls."""
    by_loop: defaultdict[asyncio.AbstractEventLoop, list[_Call]] = defaultdict(list)
    for call in calls:
        by_loop[call.loop].append(call)
    for loop, answered in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed, so nobody waits any more
            loop.call_soon_threadsafe(_settle, answered)


def _settle(calls: Sequence[_Call]) -> None:
    for call in calls:
        if call.answer.done():  # cancelled meanwhile
            continue
        if call.failure is None:
            call.answer.set_result(None)
        else:
            call.answer.set_exception(call.failure)
