"""What the workers' time is spent on, what a session needs of it, and what is left for partials."""

from itertools import count

import pytest

from asr_service.domain.ports.recognizer import RecognitionKind, RecognitionRequest
from asr_service.domain.value_objects.asr_config import PartialPolicy, RecognitionOptions
from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.infrastructure.asr.recognizer_load import LoadModel, RecognizerLoad
from tests.fakes.clocks import FakeClock

MODEL = LoadModel(final_cost_s=0.05, partial_cost_s=0.1, first_share=0.0, final_weight=1.0, partials_up_to=0.7)
POLICY = PartialPolicy(interval_ms=500, max_interval_ms=2_000)
HZ = 16_000
_ids = count()


def request(
    kind: RecognitionKind, end_s: float, *, start_s: float = 0.0, session: str = "ses_1", live: bool = True
) -> RecognitionRequest:
    span = SampleSpan(round(start_s * HZ), round(end_s * HZ))
    return RecognitionRequest(
        request_id=f"rec_{next(_ids)}",
        session_id=session,
        tenant="tenant_1",
        utterance=0,
        kind=kind,
        span=span,
        pcm=bytes(2 * len(span)),
        options=RecognitionOptions(),
        live=live,
    )


def final(end_s: float, **fields: object) -> RecognitionRequest:
    return request(RecognitionKind.FINAL, end_s, **fields)  # type: ignore[arg-type]


def partial(end_s: float, **fields: object) -> RecognitionRequest:
    return request(RecognitionKind.PARTIAL, end_s, **fields)  # type: ignore[arg-type]


class Workers:
    """Two workers that are watched, for 100 s already."""

    def __init__(self, policy: PartialPolicy = POLICY, model: LoadModel = MODEL) -> None:
        self.clock = FakeClock()
        self.load = RecognizerLoad(2, self.clock, policy, model)
        self.clock.advance(100.0)

    def work(self, seconds: float, *requests: RecognitionRequest, worker: str = "w1", answered: bool = True) -> None:
        """One batch, from its beginning to its end."""
        self.load.batch_begun(worker, requests)
        self.clock.advance(seconds)
        self.load.batch_ended(worker, answered=answered)

    def speak(self, seconds: int, *, busy_s: float, interval_s: float = 1.0) -> None:
        """A session that speaks on, whose partials take so many seconds each."""
        for second in range(seconds):
            self.load.batch_begun("w1", [partial(second + interval_s)])
            self.clock.advance(busy_s)
            self.load.batch_ended("w1", answered=True)
            self.clock.advance(interval_s - busy_s)


# --- what is used


def test_idle_workers_have_no_load() -> None:
    load = Workers().load
    assert (load.utilization, load.needed, load.of_partials) == (0.0, 0.0, 0.0)


def test_one_busy_worker_of_two_is_half_of_the_load() -> None:
    workers = Workers()
    workers.work(6.0, final(3.0))
    assert workers.load.utilization == pytest.approx(0.5)
    workers.clock.advance(6.0)
    assert workers.load.utilization == 0.0


def test_a_batch_counts_while_it_lasts() -> None:
    workers = Workers()
    for worker in ("w1", "w2"):
        workers.load.batch_begun(worker, [final(3.0, session=worker)])
    workers.clock.advance(3.0)
    assert workers.load.utilization == pytest.approx(0.5, rel=0.1)
    workers.clock.advance(60.0)  # both hang
    assert workers.load.utilization == pytest.approx(1.0)
    assert workers.load.needed == pytest.approx(1.0)


def test_time_is_shared_by_what_is_in_the_batch() -> None:
    workers = Workers()
    workers.work(6.0, final(3.0, session="a"), final(3.0, session="b", live=False))
    assert workers.load.utilization == pytest.approx(0.5)
    assert workers.load.needed == pytest.approx(0.25)


def test_a_final_has_a_larger_share_of_its_batch_than_a_partial() -> None:
    workers = Workers(model=LoadModel(first_share=0.0, final_weight=2.0))
    for _ in range(1_000):
        workers.work(0.3, final(3.0, session="a"), partial(3.0, session="b"))
    assert workers.load.partial_cost_s == pytest.approx(0.1, rel=0.05)


def test_long_audio_has_a_larger_share_of_its_batch() -> None:
    workers = Workers()
    workers.work(6.0, final(5.0, session="a"), final(20.0, session="b", live=False))
    assert workers.load.needed == pytest.approx(0.5 / 3)


# --- what is needed


def test_recordings_use_workers_but_need_nothing() -> None:
    workers = Workers()
    workers.work(6.0, final(20.0, live=False), final(20.0, session="other", live=False))
    assert workers.load.utilization == pytest.approx(0.5)
    assert workers.load.needed == 0.0
    assert workers.load.of_partials == 0.0


def test_of_partials_only_those_at_the_longest_interval_are_needed() -> None:
    workers = Workers()
    workers.speak(30, busy_s=0.1, interval_s=1.0)
    assert workers.load.utilization == pytest.approx(0.05, rel=0.1)
    assert workers.load.needed == pytest.approx(0.025, rel=0.1)


def test_without_partials_none_are_needed() -> None:
    workers = Workers()
    for end_s in range(5, 50, 5):
        workers.clock.advance(4.5)
        workers.work(0.5, final(end_s, start_s=end_s - 5))
    assert workers.load.needed == pytest.approx(workers.load.utilization)


# --- what a session costs


def test_a_newcomer_is_assumed_to_be_like_the_prior_at_first() -> None:
    workers = Workers()
    assert workers.load.final_cost_s == pytest.approx(0.05)
    assert workers.load.partial_cost_s == pytest.approx(0.1)
    assert workers.load.of_newcomer == pytest.approx(0.8 * (0.05 + 0.1 / 2) / 2)


def test_costs_are_learned() -> None:
    workers = Workers()
    for end_s in range(4, 2_400, 4):
        workers.clock.advance(3.0)
        workers.work(0.2, partial(end_s - 1, start_s=end_s - 4))
        workers.work(0.8, final(end_s, start_s=end_s - 4))
    assert workers.load.final_cost_s == pytest.approx(0.2, rel=0.05)
    assert workers.load.partial_cost_s == pytest.approx(0.2, rel=0.05)
    assert workers.load.of_newcomer == pytest.approx(0.8 * (0.2 + 0.2 / 2) / 2, rel=0.05)


def test_speech_that_is_asked_about_twice_counts_once() -> None:
    workers = Workers()
    for end_s in range(4, 2_400, 4):
        for end in (end_s - 2, end_s, end_s):  # a final in a pause, the same after it, and once more
            workers.work(0.1, final(end, start_s=end_s - 4))
    assert workers.load.final_cost_s == pytest.approx(0.3 / 4, rel=0.05)


def test_what_one_request_alone_takes_is_not_what_many_take_together() -> None:
    alone = Workers(model=LoadModel(first_share=0.6))
    for end_s in range(4, 2_400, 4):
        alone.work(0.4, final(end_s, start_s=end_s - 4))
    assert alone.load.final_cost_s == pytest.approx(0.1 * (0.6 + 0.4 * 4) / 4, rel=0.05)


def test_a_batch_that_failed_teaches_nothing() -> None:
    workers = Workers()
    workers.work(60.0, partial(1.0), answered=False)
    assert workers.load.partial_cost_s == pytest.approx(0.1)
    assert workers.load.utilization == pytest.approx(0.5)


def test_sessions_are_not_remembered_for_ever() -> None:
    workers = Workers()
    for number in range(5_000):
        workers.work(0.0, final(1.0, session=f"ses_{number}"))
    assert len(workers.load._asked._ends) == len(workers.load._asked_finally._ends) == 4_096


# --- how far partials are thinned


def partials_load_of(speakers: int, policy: PartialPolicy = POLICY, finals_s: float = 0.0) -> float:
    """How far partials are thinned while so many speak, each for a second per second, and finals take so many seconds
    of each second."""
    workers = Workers(policy)
    for second in range(20):
        for speaker in range(speakers):
            workers.work(0.0, partial(second + 1.0, session=f"ses_{speaker}"), answered=False)
        workers.work(finals_s, final(second + 1.0, session="ses_0"))
        workers.clock.advance(1.0 - finals_s)
    return workers.load.of_partials


def test_one_speaker_gets_all_partials() -> None:
    assert partials_load_of(1) == 0.0


def test_the_more_speak_the_more_partials_are_thinned() -> None:
    steps = [partials_load_of(speakers) for speakers in (2, 12, 20, 40, 80)]
    assert steps == sorted(steps)
    assert steps[0] == 0.0
    assert 0.0 < steps[1] < steps[2] < 1.0
    assert steps[-1] == 1.0


def test_what_finals_take_partials_cannot_have() -> None:
    assert partials_load_of(6, finals_s=0.0) == 0.0
    assert partials_load_of(6, finals_s=0.95) > 0.0


def test_when_finals_take_everything_partials_come_as_seldom_as_they_may() -> None:
    workers = Workers()
    for worker in ("w1", "w2"):
        workers.load.batch_begun(worker, [final(3.0, session=worker)])
    workers.clock.advance(10.0)
    assert workers.load.of_partials == 1.0


def test_with_one_interval_for_all_loads_there_is_nothing_to_thin() -> None:
    assert partials_load_of(12, PartialPolicy(interval_ms=500, max_interval_ms=500)) == 0.0
