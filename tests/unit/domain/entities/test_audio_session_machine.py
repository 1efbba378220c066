"""The session against the protocol, driven by Hypothesis through any legal and many an illegal sequence of inputs."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from asr_service.domain.entities.audio_session import AudioSession, IllegalTransition
from asr_service.domain.events.recognition_events import SpeechStarted
from asr_service.domain.ports.recognizer import RecognitionRequest
from asr_service.domain.ports.voice_activity import WINDOW_SAMPLES
from asr_service.domain.value_objects.asr_config import RecognitionOptions, SessionConfig
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.domain.value_objects.session_status import EndReason, SessionStatus
from tests.unit.domain.session_driver import SessionDriver
from tests.unit.domain.strategies import CONFIGS, PACKET_SAMPLES, PROBABILITIES

TEXTS = st.lists(st.sampled_from(["the", "The", "cat", "sat", "三", "只", ",", "."]), max_size=6).map(" ".join)
BASES = st.sampled_from([0.97, 0.97, 0.01, 0.4])
EXCEPTIONS = st.dictionaries(st.integers(0, 40), PROBABILITIES, max_size=6)
RARELY = st.integers(0, 19).map(lambda number: number == 13)
ABORT_REASONS = st.sampled_from([EndReason.DISCONNECTED, EndReason.FAILED, EndReason.SHUTDOWN])


def status_is(*statuses: SessionStatus) -> Callable[..., Any]:
    """Has a rule tried in these states only."""
    return precondition(lambda machine: machine.session.status in statuses)


class SessionMachine(RuleBasedStateMachine):
    """The driver checks every event and every request on the way; the rules only have to find the way."""

    driver: SessionDriver

    @property
    def session(self) -> AudioSession:
        return self.driver.session

    @initialize(config=CONFIGS, stays_shut=RARELY)
    def begin(self, config: SessionConfig, stays_shut: bool) -> None:
        self.driver = SessionDriver(config=config)
        if not stays_shut:
            self.driver.open()

    # --- the client

    @status_is(SessionStatus.LISTENING)
    @rule(samples=PACKET_SAMPLES)
    def audio(self, samples: int) -> None:
        self.driver.receive(samples)

    @status_is(SessionStatus.LISTENING)
    @rule()
    def forced_endpoint(self) -> None:
        self.driver.force_endpoint()

    @rule(language=st.sampled_from([None, "en", "zh"]))
    def other_options(self, language: str | None) -> None:
        self.session.options_changed(RecognitionOptions(language=language))

    @status_is(SessionStatus.LISTENING)
    @rule(patience_s=st.none() | st.floats(0, 20), rarely=RARELY)
    def end_of_input(self, patience_s: float | None, rarely: bool) -> None:
        if rarely:
            self.session.end_input(None if patience_s is None else self.driver.now_s + patience_s)

    @rule(reason=ABORT_REASONS, rarely=RARELY)
    def abort(self, reason: EndReason, rarely: bool) -> None:
        if rarely:
            self.session.abort(reason)

    @status_is(SessionStatus.OPENING, SessionStatus.DRAINING, SessionStatus.CLOSED)
    @rule()
    def input_out_of_place(self) -> None:
        for call in (
            lambda: self.session.audio_received(b"\0\0"),
            self.session.endpoint_forced,
            self.session.end_input,
        ):
            with pytest.raises(IllegalTransition):
                call()

    # --- voice activity: answers are due before the next windows are taken, but much can happen in between

    @precondition(lambda machine: not machine.driver.unheard_windows)
    @rule()
    def take_windows(self) -> None:
        self.driver.take_windows()

    @precondition(lambda machine: machine.driver.unheard_windows)
    @rule(base=BASES, exceptions=EXCEPTIONS)
    def observe_voice(self, base: float, exceptions: dict[int, float]) -> None:
        windows = self.driver.unheard_windows
        self.driver.observe([exceptions.get(index, base) for index in range(windows)])

    @precondition(lambda machine: not machine.driver.unheard_windows)
    @status_is(SessionStatus.LISTENING)
    @rule(windows=st.integers(1, 40), base=BASES, exceptions=EXCEPTIONS)
    def hear(self, windows: int, base: float, exceptions: dict[int, float]) -> None:
        self.driver.receive(windows * WINDOW_SAMPLES)
        self.driver.take_windows()
        self.observe_voice(base, exceptions)

    # --- the recognizer

    @precondition(lambda machine: machine.driver.waiting)
    @rule(data=st.data(), text=TEXTS)
    def answer(self, data: st.DataObject, text: str) -> None:
        self.driver.answer(data.draw(st.sampled_from(self.waiting)), Hypothesis(text=text))

    @precondition(lambda machine: machine.driver.waiting)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        self.driver.fail(data.draw(st.sampled_from(self.waiting)))

    @precondition(lambda machine: machine.driver.withdrawn)
    @rule(data=st.data(), text=TEXTS, failed=st.booleans())
    def answer_what_was_withdrawn(self, data: st.DataObject, text: str, failed: bool) -> None:
        request = data.draw(st.sampled_from(self.driver.withdrawn))
        events = len(self.driver.events)
        if failed:
            self.driver.fail(request)
        else:
            self.driver.answer(request, Hypothesis(text=text))
        assert len(self.driver.events) == events

    # --- time

    @rule(elapsed_s=st.floats(0, 10))
    def time_passes(self, elapsed_s: float) -> None:
        self.driver.tell_time(self.driver.now_s + elapsed_s)

    # --- what always holds

    @invariant()
    def outputs_are_in_order(self) -> None:
        self.driver.collect()

    @invariant()
    def owed_finals_are_waiting_or_nothing_is_owed(self) -> None:
        ended_without_outcome = {request.utterance for request in self.driver.finals_waiting}
        assert self.session.owed_finals <= len(ended_without_outcome)

    @property
    def waiting(self) -> list[RecognitionRequest]:
        return list(self.driver.waiting.values())

    def teardown(self) -> None:
        """However far the session came, it can be brought to its end."""
        if self.session.status is SessionStatus.OPENING:
            self.driver.open()
        if self.driver.unheard_windows:
            self.driver.observe([0.01] * self.driver.unheard_windows)
        if self.session.status is SessionStatus.LISTENING:
            self.session.end_input()
        if self.session.status is SessionStatus.DRAINING:
            self.driver.listen()
        self.driver.answer_all()
        self.driver.collect()
        assert self.session.status is SessionStatus.CLOSED
        if self.driver.ending.reason in (EndReason.COMPLETED, EndReason.TIMED_OUT):
            assert len(self.driver.outcomes) == len(self.driver.events_of(SpeechStarted))


SessionMachine.TestCase.settings = settings(stateful_step_count=40)
TestSessionMachine = SessionMachine.TestCase
