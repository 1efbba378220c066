"""What is new counts, what is old does not, and the ring goes round."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_service.infrastructure.asr.sliding_sum import SlidingSum
from tests.fakes.clocks import FakeClock


class Counter:
    """A sum over at least 5.5 s and at most 6 s, in half seconds, and its clock."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.sum = SlidingSum(self.clock, span_s=6.0, buckets=12)

    def total(self) -> float:
        return self.sum.per_second() * (self.clock.monotonic_s() - self.sum.start_s)


def test_nothing_is_nothing() -> None:
    assert Counter().sum.per_second() == 0.0


def test_an_amount_counts_until_it_is_old() -> None:
    counter = Counter()
    counter.sum.add(3.0)
    counter.clock.advance(5.5)
    assert counter.sum.per_second() == pytest.approx(3.0 / 5.5)
    counter.clock.advance(0.5)
    assert counter.sum.per_second() == 0.0


def test_a_steady_stream_has_its_rate() -> None:
    counter = Counter()
    for _ in range(200):
        counter.clock.advance(0.1)
        counter.sum.add(0.2)
    assert counter.sum.per_second() == pytest.approx(2.0, rel=0.05)


def test_what_took_a_while_is_spread_over_it() -> None:
    counter = Counter()
    counter.clock.advance(10.0)
    counter.sum.add(8.0, begun_s=6.0)
    counter.clock.advance(3.5)  # the sum begins at 8.0 now
    assert counter.total() == pytest.approx(4.0)


def test_of_what_began_before_the_window_only_the_rest_counts() -> None:
    counter = Counter()
    counter.clock.advance(100.0)
    counter.sum.add(100.0, begun_s=0.0)
    assert counter.sum.per_second() == pytest.approx(1.0)


def test_long_after_everything_is_forgotten() -> None:
    counter = Counter()
    counter.sum.add(1.0)
    counter.clock.advance(1_000.25)
    assert counter.sum.per_second() == 0.0
    counter.sum.add(1.0, begun_s=1_000.25)
    assert counter.total() == pytest.approx(1.0)


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(0, 10), st.floats(0, 10)), max_size=30))
def test_the_sum_is_that_of_what_lies_in_the_window(additions: list[tuple[float, float, float]]) -> None:
    counter = Counter()
    spread: list[tuple[float, float, float]] = []
    for pause_s, amount, lasted_s in additions:
        counter.clock.advance(pause_s)
        now_s = counter.clock.monotonic_s()
        counter.sum.add(amount, begun_s=now_s - lasted_s)
        spread.append((now_s - lasted_s, now_s, amount))
    start_s = counter.sum.start_s
    expected = sum(
        amount * ((end_s - max(begun_s, start_s)) / (end_s - begun_s) if end_s > begun_s else 1.0)
        for begun_s, end_s, amount in spread
        if end_s >= start_s
    )
    assert counter.total() == pytest.approx(expected, abs=1e-6)
