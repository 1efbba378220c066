"""The batcher: batches of what waits, turn by turn, with bounds, and an answer for everybody."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from asr_service.domain.ports.voice_activity import VoiceActivityUnavailable
from asr_service.infrastructure.vad.window_batcher import WindowBatcher

Floats = NDArray[np.float32]


class CountingModel:
    """Answers with the sum of the window plus the state, which counts the windows; can be held up, and can fail."""

    def __init__(self) -> None:
        self.batches: list[list[float]] = []
        self.started = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()
        self.failure: Exception | None = None

    def __call__(self, inputs: Floats, states: Floats) -> tuple[Floats, Floats]:
        self.batches.append(inputs[:, 0].tolist())
        self.started.set()
        self.go_on.wait()
        if self.failure is not None:
            raise self.failure
        return inputs.sum(axis=1) + states[0, :, 0], states + 1


@pytest.fixture
def model() -> CountingModel:
    return CountingModel()


@pytest.fixture
async def batcher(model: CountingModel) -> AsyncIterator[WindowBatcher]:
    batcher = WindowBatcher(model, max_batch=3, max_waiting=5)
    yield batcher
    model.go_on.set()
    await batcher.close()


def windows(*values: float) -> Floats:
    return np.array([[value, 0.0] for value in values], np.float32)


def fresh_state() -> Floats:
    return np.zeros((2, 4), np.float32)


async def hold_up(model: CountingModel, batcher: WindowBatcher) -> asyncio.Task[Floats]:
    """Lets the thread begin a batch of one and wait in it, so that what comes next has to queue."""
    model.started.clear()
    model.go_on.clear()
    blocker = asyncio.create_task(batcher.run(windows(-1), fresh_state()))
    await asyncio.to_thread(model.started.wait)
    return blocker


async def queue(batcher: WindowBatcher, *calls: Floats) -> list[asyncio.Task[Floats]]:
    tasks = [asyncio.create_task(batcher.run(call, fresh_state())) for call in calls]
    await let_begin(tasks)
    return tasks


async def let_begin(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Lets each task run to its first pause."""
    await asyncio.wait(tasks, timeout=0)


async def test_windows_of_a_call_run_in_order_on_one_state(batcher: WindowBatcher) -> None:
    state = fresh_state()
    probabilities = await batcher.run(windows(10, 20, 30), state)
    assert probabilities.tolist() == [10, 21, 32]
    assert (state == 3).all()


async def test_the_state_goes_on_in_the_next_call(batcher: WindowBatcher) -> None:
    state = fresh_state()
    await batcher.run(windows(10, 20), state)
    assert (await batcher.run(windows(30), state)).tolist() == [32]


async def test_an_idle_thread_runs_a_window_alone(model: CountingModel, batcher: WindowBatcher) -> None:
    await batcher.run(windows(1), fresh_state())
    assert model.batches == [[1]]


async def test_what_waits_makes_the_next_batch(model: CountingModel, batcher: WindowBatcher) -> None:
    blocker = await hold_up(model, batcher)
    tasks = await queue(batcher, windows(1), windows(2))
    model.go_on.set()
    await asyncio.gather(blocker, *tasks)
    assert model.batches == [[-1], [1, 2]]


async def test_a_batch_has_a_largest_size(model: CountingModel, batcher: WindowBatcher) -> None:
    blocker = await hold_up(model, batcher)
    tasks = await queue(batcher, windows(1), windows(2), windows(3), windows(4))
    model.go_on.set()
    await asyncio.gather(blocker, *tasks)
    assert model.batches == [[-1], [1, 2, 3], [4]]


async def test_a_long_call_takes_turns_with_short_ones(model: CountingModel) -> None:
    batcher = WindowBatcher(model, max_batch=1, max_waiting=5)
    blocker = await hold_up(model, batcher)
    long, *short = await queue(batcher, windows(1, 2, 3, 4, 5), windows(10), windows(20))
    model.go_on.set()
    await asyncio.gather(blocker, long, *short)
    assert [value for batch in model.batches for value in batch] == [-1, 1, 10, 20, 2, 3, 4, 5]
    await batcher.close()


async def test_each_call_gets_its_own_answer(model: CountingModel, batcher: WindowBatcher) -> None:
    blocker = await hold_up(model, batcher)
    tasks = await queue(batcher, windows(1), windows(10, 20, 30), windows(100, 200))
    model.go_on.set()
    answers = [answer.tolist() for answer in await asyncio.gather(blocker, *tasks)]
    assert answers == [[-1], [1], [10, 21, 32], [100, 201]]


async def test_a_full_queue_makes_the_next_call_wait_for_room(model: CountingModel) -> None:
    batcher = WindowBatcher(model, max_batch=8, max_waiting=2)
    blocker = await hold_up(model, batcher)
    tasks = await queue(batcher, windows(1), windows(2))
    assert batcher.waiting == 3
    model.started.clear()
    model.go_on.set()
    model.started.wait()  # the event loop stands still, so nobody can be given room before the next batch
    assert model.batches == [[-1], [1]]
    await asyncio.gather(blocker, *tasks)
    assert model.batches[-1] == [2]
    assert batcher.waiting == 0
    await batcher.close()


async def test_a_cancelled_call_is_left_out_and_gives_its_room_back(
    model: CountingModel, batcher: WindowBatcher
) -> None:
    blocker = await hold_up(model, batcher)
    cancelled, kept = await queue(batcher, windows(1), windows(2))
    cancelled.cancel()
    await asyncio.wait([cancelled])
    assert batcher.waiting == 2
    model.go_on.set()
    await asyncio.gather(blocker, kept)
    assert model.batches == [[-1], [2]]


async def test_a_call_cancelled_in_mid_batch_does_not_harm_the_batch(
    model: CountingModel, batcher: WindowBatcher
) -> None:
    blocker = await hold_up(model, batcher)
    tasks = await queue(batcher, windows(1, 2), windows(3))
    blocker.cancel()
    await asyncio.wait([blocker])
    model.go_on.set()
    assert [answer.tolist() for answer in await asyncio.gather(*tasks)] == [[1, 3], [3]]
    assert model.batches == [[-1], [1, 3], [2]]


async def test_a_failing_model_fails_its_batch_and_nobody_else(model: CountingModel, batcher: WindowBatcher) -> None:
    model.failure = RuntimeError("no memory")
    with pytest.raises(VoiceActivityUnavailable, match="no memory"):
        await batcher.run(windows(1), fresh_state())
    model.failure = None
    assert (await batcher.run(windows(2), fresh_state())).tolist() == [2]


async def test_closing_fails_those_who_wait_and_those_who_come_later(model: CountingModel) -> None:
    batcher = WindowBatcher(model, max_batch=3, max_waiting=5)
    blocker = await hold_up(model, batcher)
    [waiting] = await queue(batcher, windows(1, 2))
    closing = asyncio.create_task(batcher.close())
    await let_begin([closing])
    model.go_on.set()
    await closing
    assert (await blocker).tolist() == [-1]
    with pytest.raises(VoiceActivityUnavailable, match="closed"):
        await waiting
    with pytest.raises(VoiceActivityUnavailable, match="closed"):
        await batcher.run(windows(3), fresh_state())
    assert model.batches == [[-1]]
    await batcher.close()


@pytest.mark.parametrize(("max_batch", "max_waiting"), [(0, 1), (1, 0)])
async def test_a_batcher_without_room_is_refused(model: CountingModel, max_batch: int, max_waiting: int) -> None:
    with pytest.raises(ValueError, match="room"):
        WindowBatcher(model, max_batch=max_batch, max_waiting=max_waiting)
