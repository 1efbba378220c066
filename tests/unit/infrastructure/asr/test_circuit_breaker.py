"""A server that fails is left alone, and tried again by one request at a time."""

from contextlib import ExitStack

import pytest
from structlog.testing import capture_logs

from asr_service.domain.ports.recognizer import RecognitionFailed, RecognizerOverloaded, RecognizerUnavailable
from asr_service.infrastructure.asr.remote.circuit_breaker import CircuitBreaker
from asr_service.shared.errors import AsrError
from tests.fakes.clocks import FakeClock

RETRY_S = 5.0


class Circuit:
    """A breaker, the clock that it looks at, and what it has told."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.told: list[bool] = []
        self.breaker = CircuitBreaker("old", self.clock, retry_s=RETRY_S, on_change=self.told.append)

    def ends_with(self, error: Exception | None = None, *, conclusive: bool = True) -> None:
        """Lets a request through that ends so."""
        with self.breaker.attempt() as attempt:
            attempt.is_conclusive = conclusive
            if error is not None:
                raise error

    def fails(self, times: int = 1, error: AsrError | None = None) -> None:
        for _ in range(times):
            failure = error or RecognizerUnavailable("It is gone.")
            with pytest.raises(type(failure)):
                self.ends_with(failure)


@pytest.fixture
def circuit() -> Circuit:
    return Circuit()


def test_two_failures_and_an_answer_are_no_reason_to_give_up(circuit: Circuit) -> None:
    for _ in range(3):
        circuit.fails(2)
        circuit.ends_with()
    assert (circuit.breaker.is_closed, circuit.breaker.is_ready, circuit.told) == (True, True, [])


def test_after_three_failures_in_a_row_requests_are_refused_at_once(circuit: Circuit) -> None:
    circuit.fails(3)
    assert (circuit.breaker.is_closed, circuit.breaker.is_ready, circuit.told) == (False, False, [False])
    circuit.clock.advance(RETRY_S - 0.5)
    with pytest.raises(RecognizerUnavailable, match="old does not answer") as refused:
        circuit.breaker.check()
    assert refused.value.retry_after_s == 1.0
    with pytest.raises(RecognizerUnavailable, match="old does not answer"):
        circuit.ends_with()


@pytest.mark.parametrize("error", [RecognitionFailed("Odd audio."), RecognizerOverloaded("Busy."), KeyError("slip")])
def test_only_a_server_that_is_unavailable_has_failed(circuit: Circuit, error: Exception) -> None:
    for _ in range(5):
        with pytest.raises(type(error)):
            circuit.ends_with(error)
    assert circuit.breaker.is_closed


def test_a_server_that_fails_on_a_piece_of_audio_has_answered(circuit: Circuit) -> None:
    circuit.fails(2)
    circuit.fails(error=RecognitionFailed("Odd audio."))
    circuit.fails(2)
    assert circuit.breaker.is_closed


def test_a_probe_that_is_answered_closes_the_circuit(circuit: Circuit) -> None:
    circuit.fails(3)
    circuit.clock.advance(RETRY_S)
    assert circuit.breaker.is_ready
    with capture_logs() as logs:
        circuit.ends_with()
    assert (circuit.breaker.is_closed, circuit.told) == (True, [False, True])
    assert [(line["event"], line["server"]) for line in logs] == [("remote_available_again", "old")]


def test_a_probe_that_fails_keeps_it_open_for_as_long_again(circuit: Circuit) -> None:
    circuit.fails(3)
    circuit.clock.advance(RETRY_S)
    circuit.fails()
    circuit.clock.advance(RETRY_S - 0.1)
    assert not circuit.breaker.is_ready
    circuit.clock.advance(0.1)
    assert circuit.breaker.is_ready
    assert circuit.told == [False]


def test_while_a_probe_is_under_way_there_is_no_other(circuit: Circuit) -> None:
    circuit.fails(3)
    circuit.clock.advance(RETRY_S)
    with circuit.breaker.attempt():
        assert not circuit.breaker.is_ready
        with pytest.raises(RecognizerUnavailable):
            circuit.ends_with()
    assert circuit.breaker.is_closed


def test_a_probe_that_proves_nothing_leaves_room_for_the_next(circuit: Circuit) -> None:
    circuit.fails(3)
    circuit.clock.advance(RETRY_S)
    circuit.ends_with(conclusive=False)
    assert (circuit.breaker.is_closed, circuit.breaker.is_ready) == (False, True)
    circuit.ends_with()
    assert circuit.breaker.is_closed


def test_a_request_from_before_the_failures_does_not_count_as_the_probe(circuit: Circuit) -> None:
    early = ExitStack()
    early.enter_context(circuit.breaker.attempt()).is_conclusive = False
    circuit.fails(3)
    circuit.clock.advance(RETRY_S)
    with circuit.breaker.attempt():
        early.close()
        assert not circuit.breaker.is_ready
    assert circuit.breaker.is_closed


def test_giving_up_is_logged_once(circuit: Circuit) -> None:
    with capture_logs() as logs:
        circuit.fails(3)
        circuit.clock.advance(RETRY_S)
        circuit.fails()
    assert logs == [{"event": "remote_unavailable", "log_level": "warning", "server": "old", "reason": "It is gone."}]
