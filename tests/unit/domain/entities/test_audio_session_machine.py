"""The session against the protocol, driven by Hypothesis through any legal and many an illegal sequence of inputs."""

from itertools import cycle, islice

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from asr_service.domain.entities.audio_session import AudioSession, IllegalTransition
from asr_service.domain.events.recognition_events import SpeechStarted
from asr_service.domain.events.session_events import AudioDiscarded
from asr_service.domain.ports.voice_activity import WINDOW_SAMPLES
from asr_service.domain.value_objects.asr_config import EndpointingPolicy, RecognitionOptions, SessionConfig
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.domain.value_objects.session_status import EndReason, SessionStatus
from tests.unit.domain.session_driver import SessionDriver
from tests.unit.domain.strategies import CONFIGS, LAST_WINDOW_SAMPLES

VOICES = st.lists(
    st.tuples(st.sampled_from([0.97, 0.97, 0.01, 0.01, 0.4, 0.6]), st.integers(1, 30)), min_size=1, max_size=3
)
TEXTS = st.lists(st.sampled_from(["the", "The", "cat", "sat", "三", "只", ",", "."]), max_size=6).map(" ".join)
LANGUAGES = st.sampled_from([(None, None), ("zh", 0.95), ("ja", 0.4)])  # and how sure that is

# What may come between any two other inputs, often what changes little. Few rules with many choices in them: Hypothesis
# leaves out some of the rules in every run, and a session without ears has nothing to tell.
INTERRUPTIONS = st.sampled_from(
    ["nothing"] * 20
    + ["endpoint", "options", "time", "illegal input", "discard", "policy"] * 3
    + ["end", "end by a deadline", "abort"]
)
SMALL_S = 1.0
DEADLINE_S = 2.5


class SessionMachine(RuleBasedStateMachine):
    """The driver checks every event and every request on the way; the rules only have to find the way."""

    driver: SessionDriver
    doubted: set[int]  # utterances that may have to be heard again

    @initialize(config=CONFIGS)
    def begin(self, config: SessionConfig) -> None:
        self.driver = SessionDriver(config=config).open()
        self.doubted: set[int] = set()

    @property
    def session(self) -> AudioSession:
        return self.driver.session

    @rule(voices=VOICES, rest=LAST_WINDOW_SAMPLES, meanwhile=INTERRUPTIONS)
    def hear(self, voices: list[tuple[float, int]], rest: int, meanwhile: str) -> None:
        """Audio comes and is listened to; while it is, something else may happen."""
        track = [probability for probability, windows in voices for _ in range(windows)]
        if self.session.status is SessionStatus.LISTENING:
            self.driver.receive(len(track) * WINDOW_SAMPLES + rest)
        windows = self.driver.take_windows()
        self.happen(meanwhile)
        self.driver.observe(islice(cycle(track), windows))

    @precondition(lambda machine: machine.driver.waiting)
    @rule(data=st.data(), text=TEXTS, language=LANGUAGES, fails=st.sampled_from([False, False, True]))
    def reply(self, data: st.DataObject, text: str, language: tuple[str | None, float | None], fails: bool) -> None:
        """The recognizer answers one of its requests."""
        request = data.draw(st.sampled_from(list(self.driver.waiting.values())))
        code, confidence = language
        if confidence == 0.4:
            self.doubted.add(request.utterance)
        if fails:
            self.driver.fail(request)
        else:
            self.driver.answer(request, Hypothesis(text=text, language=code, language_confidence=confidence))

    @precondition(lambda machine: machine.driver.withdrawn)
    @rule(data=st.data(), text=TEXTS, fails=st.booleans())
    def reply_too_late(self, data: st.DataObject, text: str, fails: bool) -> None:
        """The recognizer answers a request that was withdrawn, which changes nothing."""
        request = data.draw(st.sampled_from(self.driver.withdrawn))
        before = len(self.driver.events), dict(self.driver.waiting)
        if fails:
            self.driver.fail(request)
        else:
            self.driver.answer(request, Hypothesis(text=text))
        assert (len(self.driver.events), self.driver.waiting) == before

    @rule(interruption=INTERRUPTIONS)
    def interrupt(self, interruption: str) -> None:
        self.happen(interruption)

    def happen(self, interruption: str) -> None:
        listening = self.session.status is SessionStatus.LISTENING
        match interruption:
            case "endpoint" if listening:
                self.driver.force_endpoint()
            case "discard" if listening:
                self.driver.discard_audio()
            case "policy" if listening:
                self.change_policy()
            case "options":
                self.session.options_changed(RecognitionOptions(language="zh"))
            case "time":
                self.driver.tell_time(self.driver.now_s + SMALL_S)
            case "end" if listening:
                self.session.end_input()
            case "end by a deadline" if listening:
                self.session.end_input(self.driver.now_s + DEADLINE_S)
            case "end by a deadline":
                self.driver.tell_time(self.driver.now_s + DEADLINE_S)
            case "abort":
                self.session.abort(EndReason.DISCONNECTED)
            case "illegal input" if not listening:
                self.try_illegal_input()
        self.driver.collect()

    def change_policy(self) -> None:
        """The next policy of those that differ in what reaches back, ends, or cuts."""
        before = self.session.config.endpointing
        longer = EndpointingPolicy(max_utterance_ms=6_000, prefix_padding_ms=700, on_demand=not before.on_demand)
        shorter = EndpointingPolicy(silence_ms=100, max_utterance_ms=2_000, prefix_padding_ms=0, min_speech_ms=32)
        self.driver.change_endpointing(shorter if before.max_utterance_ms > 4_000 else longer)

    def try_illegal_input(self) -> None:
        session = self.session
        inputs = (session.endpoint_forced, session.audio_discarded, session.end_input)
        for call in (lambda: session.audio_received(b"\0\0"), *inputs):
            with pytest.raises(IllegalTransition):
                call()

    @invariant()
    def a_final_is_owed_only_while_it_is_asked_for(self) -> None:
        asked = {request.utterance for request in self.driver.finals_waiting}
        assert self.session.owed_finals <= len(asked | self.doubted)

    @invariant()
    def nothing_is_owed_when_nothing_is_asked_for(self) -> None:
        """Its owner, who stops hearing when too much is owed, can always wait for an answer."""
        assert self.driver.finals_waiting or self.session.owed_finals == 0

    def teardown(self) -> None:
        """However far the session came, it can be brought to its end."""
        if self.session.status is SessionStatus.LISTENING:
            self.driver.end_input()
        elif self.session.status is SessionStatus.DRAINING:
            self.driver.listen()
        self.driver.answer_all()
        self.driver.collect()
        assert self.session.status is SessionStatus.CLOSED
        if self.driver.ending.reason is not EndReason.DISCONNECTED:
            discarded = [event for event in self.driver.events_of(AudioDiscarded) if event.utterance is not None]
            assert len(self.driver.outcomes) == len(self.driver.events_of(SpeechStarted)) - len(discarded)


SessionMachine.TestCase.settings = settings(stateful_step_count=20)
TestSessionMachine = SessionMachine.TestCase
