"""Answers are remembered by key, for some time, and no more of them than fit."""

import pytest

from asr_service.app.services.idempotency import (
    IdempotencyInProgress,
    IdempotencyKeyReused,
    IdempotentAnswers,
    KeptAnswer,
)
from tests.fakes.clocks import FakeClock


def _answer(body: bytes = b"text", fingerprint: str = "f") -> KeptAnswer:
    return KeptAnswer(fingerprint, 200, (), body)


def _answers(clock: FakeClock | None = None) -> IdempotentAnswers:
    return IdempotentAnswers(clock or FakeClock(), ttl_s=60, max_answers=3, max_bytes=100, max_answer_bytes=50)


def _keep(answers: IdempotentAnswers, key: str, body: bytes = b"text") -> None:
    assert answers.begin(key) is None
    answers.keep(key, _answer(body))


def test_an_answer_is_given_again() -> None:
    answers = _answers()
    _keep(answers, "a")
    assert answers.begin("a") == answers.begin("a") == _answer()


def test_a_request_in_progress_is_not_begun_twice() -> None:
    answers = _answers()
    assert answers.begin("a") is None
    with pytest.raises(IdempotencyInProgress) as refusal:
        answers.begin("a")
    assert refusal.value.retry_after_s == 1
    assert answers.begin("b") is None


def test_a_request_that_is_abandoned_may_be_tried_again() -> None:
    answers = _answers()
    assert answers.begin("a") is None
    answers.abandon("a")
    _keep(answers, "a")
    answers.abandon("a")
    assert answers.begin("a") == _answer()


def test_an_answer_is_forgotten_after_its_time() -> None:
    clock = FakeClock()
    answers = _answers(clock)
    _keep(answers, "a")
    clock.advance(59)
    assert answers.begin("a") == _answer()
    clock.advance(1)
    assert answers.begin("a") is None


def test_the_oldest_make_room_by_number() -> None:
    answers = _answers()
    for key in "abcd":
        _keep(answers, key)
    assert answers.begin("a") is None
    assert answers.begin("b") == _answer()


def test_the_oldest_make_room_by_size() -> None:
    answers = _answers()
    for key in "abc":
        _keep(answers, key, bytes(50))
    assert answers.begin("a") is None
    assert answers.begin("b") == _answer(bytes(50))


def test_an_answer_that_is_too_large_is_not_remembered() -> None:
    answers = _answers()
    _keep(answers, "a", bytes(51))
    assert answers.begin("a") is None


def test_another_request_is_not_given_the_answer() -> None:
    _answer(fingerprint="f").expect("f")
    with pytest.raises(IdempotencyKeyReused):
        _answer(fingerprint="f").expect("g")
