"""Which requests wait, which are refused, and which are recognized together."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_service.domain.ports.recognizer import (
    RecognitionKind,
    RecognitionRequest,
    RecognitionSuperseded,
    RecognizerOverloaded,
    RecognizerUnavailable,
)
from asr_service.infrastructure.asr.fair_queue import PendingRequest
from asr_service.infrastructure.asr.micro_batcher import BatchingPolicy, MicroBatcher
from tests.fixtures.recognition_requests import recognition_request

POLICY = BatchingPolicy(
    max_waiting=100,
    max_waiting_per_session=100,
    max_batch=4,
    max_batch_audio_s=80.0,
    max_partials=4,
    max_partials_beside_finals=2,
    context_floor_s=10.0,
    min_similarity=0.5,
)


class Queue:
    """A batcher, and requests that are put into it."""

    def __init__(self, policy: BatchingPolicy = POLICY) -> None:
        self.batcher = MicroBatcher(policy)
        self._loop = asyncio.new_event_loop()
        self._loop.close()
        self._arrivals = 0

    def final(
        self, session: str = "s", *, tenant: str = "t", utterance: int = 0, seconds: float = 1.0
    ) -> PendingRequest:
        return self.submit(RecognitionKind.FINAL, session, tenant, utterance, seconds)

    def partial(
        self, session: str = "s", *, tenant: str = "t", utterance: int = 0, seconds: float = 1.0
    ) -> PendingRequest:
        return self.submit(RecognitionKind.PARTIAL, session, tenant, utterance, seconds)

    def recording(self, session: str = "file", *, seconds: float = 1.0) -> PendingRequest:
        return self.submit(RecognitionKind.FINAL, session, "t", 0, seconds, live=False)

    def submit(
        self, kind: RecognitionKind, session: str, tenant: str, utterance: int, seconds: float, live: bool = True
    ) -> PendingRequest:
        request = recognition_request(
            session_id=session, tenant=tenant, utterance=utterance, kind=kind, pcm=bytes(round(seconds * 32_000))
        )
        request = replace(request, live=live)
        pending = self.pending(request)
        self.batcher.submit(pending)
        return pending

    def pending(self, request: RecognitionRequest) -> PendingRequest:
        self._arrivals += 1
        return PendingRequest(request, asyncio.Future(loop=self._loop), queued_at_s=float(self._arrivals))

    def take(self, idle_workers: int = 1, now_s: float = 0.0) -> list[PendingRequest]:
        return self.batcher.take(idle_workers, now_s)


def error_of(pending: PendingRequest) -> BaseException | None:
    return pending.answer.exception() if pending.answer.done() else None


# --- what waits


def test_nothing_waits_at_first() -> None:
    queue = Queue()
    assert queue.take() == []
    assert (queue.batcher.waiting_finals, queue.batcher.waiting_partials) == (0, 0)


def test_only_the_newest_partial_of_a_session_waits() -> None:
    queue = Queue()
    older, newer = queue.partial(), queue.partial()
    assert isinstance(error_of(older), RecognitionSuperseded)
    assert queue.take() == [newer]


def test_a_newer_partial_does_not_lose_its_sessions_turn() -> None:
    queue = Queue(replace(POLICY, max_batch=1))
    queue.partial("first")
    other = queue.partial("other")
    newer = queue.partial("first")
    assert [*queue.take(), *queue.take()] == [newer, other]


def test_a_final_supersedes_the_waiting_partial_of_its_utterance() -> None:
    queue = Queue()
    partial, final = queue.partial(utterance=3), queue.final(utterance=3)
    assert isinstance(error_of(partial), RecognitionSuperseded)
    assert queue.take() == [final]


def test_a_final_leaves_the_partial_of_the_next_utterance_alone() -> None:
    queue = Queue()
    partial, final = queue.partial(utterance=4), queue.final(utterance=3)
    assert queue.take() == [final, partial]


def test_a_withdrawn_request_is_forgotten() -> None:
    queue = Queue()
    gone, stays = queue.final(), queue.final()
    queue.batcher.withdraw(gone)
    queue.batcher.withdraw(gone)
    assert queue.take() == [stays]


def test_all_that_waits_can_be_answered_with_an_error() -> None:
    queue = Queue()
    waiting = [queue.final(), queue.final("b"), queue.partial("c")]
    queue.batcher.fail_all(RecognizerUnavailable("It is over."))
    assert all(isinstance(error_of(pending), RecognizerUnavailable) for pending in waiting)
    assert queue.take() == []


# --- what is refused


def test_a_full_queue_refuses_a_partial() -> None:
    queue = Queue(replace(POLICY, max_waiting=2))
    queue.final("a")
    queue.partial("b")
    with pytest.raises(RecognizerOverloaded) as refusal:
        queue.partial("c")
    assert refusal.value.retry_after_s is not None


def test_a_full_queue_still_takes_a_newer_partial_of_a_session_that_waits() -> None:
    queue = Queue(replace(POLICY, max_waiting=2))
    queue.partial("a")
    other = queue.partial("b")
    newer = queue.partial("a")
    assert queue.take() == [newer, other]


def test_a_final_takes_the_place_of_the_oldest_partial() -> None:
    queue = Queue(replace(POLICY, max_waiting=3))
    oldest, newer, older_final = queue.partial("a"), queue.partial("b"), queue.final("c")
    final = queue.final("d")
    assert isinstance(error_of(oldest), RecognizerOverloaded)
    assert queue.take() == [older_final, final, newer]


def test_a_final_is_refused_only_when_finals_alone_fill_the_queue() -> None:
    queue = Queue(replace(POLICY, max_waiting=3))
    finals = [queue.final(f"s{number}") for number in range(3)]
    with pytest.raises(RecognizerOverloaded):
        queue.final("late")
    assert queue.take() == finals


def test_one_session_cannot_fill_the_queue_with_finals() -> None:
    queue = Queue(replace(POLICY, max_waiting_per_session=2))
    queue.final("greedy")
    queue.final("greedy")
    with pytest.raises(RecognizerOverloaded):
        queue.final("greedy")
    queue.final("modest")
    assert queue.batcher.waiting_finals == 3


# --- what goes together


def test_finals_come_before_partials() -> None:
    queue = Queue(replace(POLICY, max_batch=1))
    partial = queue.partial("a")
    final = queue.final("b")
    assert [*queue.take(), *queue.take()] == [final, partial]


def test_partials_fill_up_a_batch_of_finals_a_little() -> None:
    queue = Queue(replace(POLICY, max_batch=8))
    partials = [queue.partial(f"p{number}") for number in range(5)]
    final = queue.final("f")
    assert queue.take() == [final, *partials[:2]]
    assert queue.take() == partials[2:]


def test_a_batch_is_no_larger_than_allowed() -> None:
    queue = Queue()
    finals = [queue.final(f"s{number}") for number in range(6)]
    assert queue.take() == finals[:4]
    assert queue.take() == finals[4:]


def test_a_greedy_session_with_a_hundred_finals_does_not_keep_another_waiting() -> None:
    queue = Queue(replace(POLICY, max_waiting=200))
    for number in range(100):
        queue.final("greedy", utterance=number)
    modest, foreign = queue.final("modest"), queue.final("any", tenant="other")
    batch = queue.take()
    assert modest in batch
    assert foreign in batch


def test_idle_workers_share_what_waits() -> None:
    queue = Queue()
    finals = [queue.final(f"s{number}") for number in range(5)]
    assert queue.take(idle_workers=2) == finals[:3]
    assert queue.take(idle_workers=1) == finals[3:]


def test_company_of_another_length_waits_for_the_next_batch() -> None:
    queue = Queue()
    long, short, also_long = queue.final("a", seconds=25), queue.final("b", seconds=5), queue.final("c", seconds=24)
    assert queue.take() == [long, also_long]
    assert queue.take() == [short]


def test_lengths_below_the_context_floor_are_alike() -> None:
    queue = Queue()
    finals = [queue.final(f"s{number}", seconds=seconds) for number, seconds in enumerate((0.1, 9.0, 3.0))]
    assert queue.take() == finals


def test_padding_counts_towards_the_bound_on_audio() -> None:
    queue = Queue(replace(POLICY, max_batch_audio_s=60.0))
    finals = [queue.final(f"s{number}", seconds=seconds) for number, seconds in enumerate((13.0, 25.0, 24.0))]
    assert queue.take() == finals[:2]
    assert queue.take() == finals[2:]


def test_a_request_beyond_the_bound_on_audio_goes_alone() -> None:
    queue = Queue(replace(POLICY, max_batch_audio_s=20.0))
    finals = [queue.final("a", seconds=28), queue.final("b", seconds=28)]
    assert [queue.take(), queue.take()] == [finals[:1], finals[1:]]


def test_a_later_final_of_a_session_does_not_overtake_an_earlier_one_that_does_not_fit() -> None:
    queue = Queue()
    leader = queue.final("a", seconds=28)
    short, fitting = queue.final("b", seconds=1), queue.final("b", seconds=28)
    assert [queue.take(), queue.take(), queue.take()] == [[leader], [short], [fitting]]


def test_a_batch_of_partials_is_bounded_on_its_own() -> None:
    queue = Queue(replace(POLICY, max_partials=2))
    partials = [queue.partial(f"ses_{number}") for number in range(3)]
    assert queue.take() == partials[:2]
    assert queue.take() == partials[2:]


def test_unless_told_otherwise_partials_do_not_delay_finals() -> None:
    queue = Queue(BatchingPolicy())
    partial, final = queue.partial("a"), queue.final("b")
    assert queue.take() == [final]
    assert queue.take() == [partial]


def test_finals_are_apart_until_many_wait() -> None:
    queue = Queue(replace(POLICY, finals_apart_below=3))
    finals = [queue.final(f"s{number}") for number in range(7)]
    sizes = []
    while batch := queue.take():
        sizes.append(len(batch))
        assert batch == finals[: len(batch)]
        del finals[: len(batch)]
    assert sizes == [3, 2, 1, 1]


def test_finals_that_are_apart_have_no_partials_beside_them_beyond_the_bound() -> None:
    queue = Queue(replace(POLICY, finals_apart_below=3, max_partials_beside_finals=0))
    final, partial = queue.final("a"), queue.partial("b")
    assert queue.take() == [final]
    assert queue.take() == [partial]


# --- recordings


def test_recordings_give_way_to_everything_that_is_live() -> None:
    queue = Queue(replace(POLICY, max_batch=2))
    recording, partial, final = queue.recording(), queue.partial("a"), queue.final("b")
    assert queue.take() == [final, partial]
    assert queue.take() == [recording]


def test_recordings_do_not_fill_up_a_batch_that_is_live() -> None:
    queue = Queue()
    queue.recording()
    final = queue.final()
    assert queue.take() == [final]
    assert (queue.batcher.waiting_finals, queue.batcher.waiting_partials) == (1, 0)


def test_while_live_sessions_ask_batches_of_recordings_are_small() -> None:
    queue = Queue()
    live = queue.final()
    recordings = [queue.recording(f"file_{number}") for number in range(7)]
    assert queue.take(now_s=live.queued_at_s) == [live]
    assert queue.take(now_s=live.queued_at_s + 1.9) == recordings[:2]
    assert queue.take(now_s=live.queued_at_s + 2.0) == recordings[2:6]


def test_recordings_have_their_turn_however_much_is_live() -> None:
    queue = Queue(replace(POLICY, max_batch=1))
    live = [queue.final(f"ses_{number}") for number in range(8)]
    assert queue.take(now_s=8.5) == [live[0]]
    first, second = queue.recording("file_1"), queue.recording("file_2")
    taken = [queue.take(now_s=second_s) for second_s in (10.0, 13.9, 14.0, 15.0, 18.9, 19.0, 20.0)]
    assert taken == [[live[1]], [live[2]], [first], [live[3]], [live[4]], [second], [live[5]]]


def test_idle_workers_share_recordings() -> None:
    queue = Queue()
    recordings = [queue.recording(f"file_{number}") for number in range(4)]
    assert queue.take(idle_workers=2) == recordings[:2]
    assert queue.take(idle_workers=1) == recordings[2:]


def test_recordings_are_recognized_with_those_of_about_their_length() -> None:
    queue = Queue(replace(POLICY, max_batch=3))
    recordings = [queue.recording(seconds=seconds) for seconds in (20, 9, 17, 24, 19, 12)]
    taken = [[recordings.index(pending) for pending in queue.take()] for _ in range(4)]
    assert taken == [[0, 4, 2], [1, 5], [3], []]


def test_recordings_of_one_session_are_bounded_too() -> None:
    queue = Queue(replace(POLICY, max_waiting_per_session=2))
    queue.recording()
    queue.recording()
    with pytest.raises(RecognizerOverloaded):
        queue.recording()


# --- what is tried again


def test_a_request_put_back_is_next_and_alone() -> None:
    queue = Queue()
    first, second = queue.final("a"), queue.final("b")
    assert queue.take() == [first, second]
    third = queue.final("c")
    queue.batcher.put_back(second)
    queue.batcher.put_back(first)
    assert [queue.take(), queue.take(), queue.take()] == [[first], [second], [third]]


def test_a_partial_put_back_yields_to_a_newer_one() -> None:
    queue = Queue()
    older = queue.partial()
    assert queue.take() == [older]
    newer = queue.partial()
    queue.batcher.put_back(older)
    assert isinstance(error_of(older), RecognitionSuperseded)
    assert queue.take() == [newer]


def test_a_final_put_back_finds_room_in_a_full_queue() -> None:
    queue = Queue(replace(POLICY, max_waiting=1))
    first = queue.final("a")
    assert queue.take() == [first]
    queue.final("b")
    queue.batcher.put_back(first)
    assert queue.take() == [first]


async def test_waiting_for_work_ends_with_the_first_request_and_begins_anew_when_all_is_taken() -> None:
    queue = Queue()
    waiter = asyncio.create_task(queue.batcher.wait_for_work())
    queue.final()
    await waiter
    queue.take()
    again = asyncio.create_task(queue.batcher.wait_for_work())
    pending = queue.final()
    queue.batcher.withdraw(pending)
    assert not again.done()
    queue.final()
    await again


# --- whatever comes

_arrivals = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(RecognitionKind),
            st.sampled_from(["a", "b", "c", "d"]),
            st.sampled_from(["t", "u"]),
            st.integers(0, 3),
            st.sampled_from([0.5, 8.0, 14.0, 29.0]),
            st.booleans(),
        ),
        st.sampled_from(["take", "withdraw", "put back"]),
    ),
    max_size=60,
)


@given(_arrivals)
def test_every_request_is_taken_or_answered_and_nothing_else_happens(arrivals: list[object]) -> None:
    policy = replace(POLICY, max_waiting=6, max_waiting_per_session=4, max_batch_audio_s=45.0)
    queue = Queue(policy)
    waiting: list[PendingRequest] = []
    last_batch: list[PendingRequest] = []
    for now_s, arrival in enumerate(arrivals):
        if isinstance(arrival, tuple):
            try:
                waiting.append(queue.submit(*arrival))
            except RecognizerOverloaded:
                assert len(waiting) >= 4
        elif arrival == "withdraw" and waiting:
            queue.batcher.withdraw(waiting.pop(0))
        elif arrival == "put back":
            for pending in reversed(last_batch):
                queue.batcher.put_back(pending)
            waiting = [*last_batch, *waiting]
            last_batch = []
        elif arrival == "take":
            last_batch = queue.take(now_s=float(now_s))
            assert_good_batch(last_batch, policy)
            assert set(last_batch) <= set(waiting)
            waiting = [pending for pending in waiting if pending not in last_batch]
        waiting = [pending for pending in waiting if not pending.answer.done()]
        assert queue.batcher.waiting_finals + queue.batcher.waiting_partials == queue.batcher.waiting == len(waiting)
        assert bool(queue.batcher.waiting) == queue.batcher._work.is_set()
    while batch := queue.take():
        assert_good_batch(batch, policy)
        waiting = [pending for pending in waiting if pending not in batch]
    assert waiting == []


def assert_good_batch(batch: list[PendingRequest], policy: BatchingPolicy) -> None:
    assert len(batch) <= policy.max_batch
    assert not any(pending.answer.done() for pending in batch)
    if len(batch) > 1:
        assert len(batch) * max(pending.audio_s for pending in batch) <= policy.max_batch_audio_s
        assert not any(pending.alone for pending in batch)
    kinds = [pending.request.kind for pending in batch]
    assert kinds == sorted(kinds, key=lambda kind: kind is RecognitionKind.PARTIAL)
