"""So many and no more; no more than the recognizer can serve; and every place comes back."""

from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from asr_service.app.services.admission import Admission, LoadLimit, ServiceOverloaded
from asr_service.domain.value_objects.caller import LOCAL_CALLER
from tests.fakes.clocks import FakeClock


@dataclass
class Reading:
    """A load as a test wants it."""

    needed: float = 0.0
    of_newcomer: float = 0.1


class House:
    """Where the recognizer may be loaded up to 0.85."""

    def __init__(self, reading: Reading | None = None, max_sessions: int = 100) -> None:
        self.clock = FakeClock()
        self.reading = reading or Reading()
        self.refusals: list[str] = []
        self.admission = Admission(
            max_sessions, load=LoadLimit(self.reading, self.clock, 0.85), on_refused=self.refusals.append
        )
        self.inside = ExitStack()

    def enter(self) -> None:
        """Lets a live session in, that stays."""
        self.inside.enter_context(self.admission.admit_live(LOCAL_CALLER))

    def fill(self) -> int:
        """Lets in as many as get in; says how many."""
        guests = 0
        while True:
            try:
                self.enter()
            except ServiceOverloaded:
                return guests
            guests += 1

    def refusal(self) -> ServiceOverloaded:
        with pytest.raises(ServiceOverloaded) as refused:
            self.enter()
        return refused.value


# --- places


def test_places_are_counted() -> None:
    admission = Admission(2)
    with admission.admit(LOCAL_CALLER):
        with admission.admit_live(LOCAL_CALLER):
            assert admission.active == 2
        assert admission.active == 1
    assert admission.active == 0


def test_a_full_house_says_when_to_come_again() -> None:
    admission = Admission(1, retry_after_s=7.0)
    with admission.admit(LOCAL_CALLER):
        with pytest.raises(ServiceOverloaded) as refused, admission.admit(LOCAL_CALLER):
            raise AssertionError("nobody should get in")
        assert refused.value.retry_after_s == 7.0
        assert admission.active == 1
    with admission.admit(LOCAL_CALLER):
        assert admission.active == 1


def test_a_failure_gives_its_place_back() -> None:
    house = House(max_sessions=1)
    for admit in (house.admission.admit, house.admission.admit_live):
        with pytest.raises(ValueError, match="broken"), admit(LOCAL_CALLER):
            raise ValueError("broken")
    assert house.admission.active == 0


# --- load


def test_of_many_who_come_at_once_as_many_get_in_as_can_be_served() -> None:
    house = House()
    assert house.fill() == 8
    assert house.admission.active == 8


def test_with_what_others_need_fewer_get_in() -> None:
    assert House(Reading(needed=0.5)).fill() == 3


def test_where_sessions_seem_to_cost_nothing_the_measured_load_still_counts() -> None:
    house = House(Reading(needed=0.9, of_newcomer=0.0))
    assert house.fill() == 1
    house.reading.needed = 0.5
    house.enter()


def test_those_who_turn_out_to_need_nothing_take_no_room_after_ten_seconds() -> None:
    house = House()
    house.fill()
    house.clock.advance(5.0)
    assert house.fill() == 4
    house.clock.advance(10.0)
    assert house.fill() == 8


def test_those_who_speak_are_in_the_measurement_when_they_are_no_assumption_any_more() -> None:
    house = House()
    house.fill()
    house.clock.advance(10.0)
    house.reading.needed = 0.8
    assert house.fill() == 0


def test_who_leaves_makes_room() -> None:
    house = House()
    with house.admission.admit_live(LOCAL_CALLER):
        assert house.fill() == 7
    assert house.fill() == 1


def test_a_lone_session_is_always_let_in() -> None:
    house = House(Reading(needed=0.99, of_newcomer=5.0))
    assert house.fill() == 1


def test_recordings_are_not_measured_by_the_load() -> None:
    house = House(Reading(needed=1.0), max_sessions=20)
    house.enter()
    assert house.fill() == 0
    with house.admission.admit(LOCAL_CALLER):
        assert house.admission.active == 2


def test_recordings_and_live_sessions_share_the_places() -> None:
    house = House(max_sessions=2)
    with house.admission.admit(LOCAL_CALLER):
        assert house.fill() == 1
    assert house.refusals == ["places"]


def test_a_refusal_is_counted_by_its_reason_and_takes_no_place() -> None:
    house = House()
    house.fill()
    assert house.refusals == ["load"]
    assert house.admission.active == 8


# --- when to come again


def test_the_hint_is_when_those_who_came_lately_are_no_assumption_any_more() -> None:
    house = House(Reading(of_newcomer=0.25))
    house.fill()
    hint_s = house.refusal().retry_after_s
    assert hint_s is not None
    house.clock.advance(hint_s - 0.01)
    house.refusal()
    house.clock.advance(0.02)
    house.enter()


def test_the_hint_knows_that_the_oldest_count_least() -> None:
    house = House(Reading(of_newcomer=0.2))
    for _ in range(3):
        house.enter()
        house.clock.advance(3.0)
    house.fill()
    hint_s = house.refusal().retry_after_s
    assert hint_s is not None
    assert 1.0 < hint_s < 10.0
    house.clock.advance(hint_s + 0.01)
    house.enter()


@pytest.mark.parametrize(("needed", "hint_s"), [(0.8, 5.0), (1.5, 5.0), (0.749995, 1.0)])
def test_the_hint_stays_within_bounds(needed: float, hint_s: float) -> None:
    house = House()
    house.enter()
    house.clock.advance(9.999)
    house.reading.needed = needed
    assert house.refusal().retry_after_s == hint_s


def test_the_longest_hint_is_the_time_after_which_all_are_measured() -> None:
    house = House(Reading(needed=0.3, of_newcomer=0.55))
    house.enter()
    hint_s = house.refusal().retry_after_s
    assert hint_s == pytest.approx(10.0)
    house.clock.advance(10.0)
    house.enter()
