"""Owns an ``AudioSession`` in a test as its task would, with a scripted ear and a recognizer of checksums."""

import zlib
from collections.abc import Iterable, Sequence
from itertools import count, islice
from typing import TypeAlias, TypeVar

import numpy as np

from asr_service.domain.entities.audio_session import AudioSession
from asr_service.domain.events.recognition_events import PartialRecognized, UtteranceFailed, UtteranceFinalized
from asr_service.domain.events.session_events import SessionEnded, SessionEvent
from asr_service.domain.ports.recognizer import RecognitionKind, RecognitionRequest
from asr_service.domain.ports.voice_activity import WINDOW_BYTES, WINDOW_SAMPLES
from asr_service.domain.value_objects.asr_config import EndpointingPolicy, SessionConfig
from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.caller import Caller
from asr_service.domain.value_objects.hypothesis import Hypothesis, Timing, Word
from asr_service.domain.value_objects.session_checkpoint import SessionCheckpoint
from asr_service.domain.value_objects.session_status import SessionStatus
from tests.fixtures.event_checker import SessionEventChecker

CALLER = Caller(tenant="acme", key_id="key_1")
WORD_SAMPLES = 1600
VOICE_STATE = b"ear"

Event = TypeVar("Event", bound=SessionEvent)
Outcome: TypeAlias = tuple[int, SampleSpan, str]


def stream_pcm(start: int, end: int) -> bytes:
    """The test stream from one position to another; every sample tells its position (Knuth's multiplicative hash)."""
    return ((np.arange(start, end, dtype=np.uint32) * np.uint32(2654435761)) >> 16).astype("<u2").tobytes()


def hear(pcm: bytes) -> Hypothesis:
    """One "word" for every 100 ms of audio, the checksum of that audio: equal texts prove equal audio."""
    samples = len(pcm) // 2
    spans = [SampleSpan(start, start + WORD_SAMPLES) for start in range(0, samples - WORD_SAMPLES + 1, WORD_SAMPLES)]
    words = tuple(Word(f"w{zlib.crc32(pcm[2 * span.start : 2 * span.end]):08x}", span) for span in spans)
    return Hypothesis(text=" ".join(word.text for word in words), words=words, timing=Timing.ALIGNED, language="en")


class SessionDriver:
    """Feeds a session the test stream and keeps what comes out; checks every event and every request on the way.

    Attributes:
        events: All events so far.
        waiting: Requests without an answer, by id, oldest first.
        withdrawn: Requests that were taken back after they had been handed out.
        track: Speech probabilities by window; beyond its end nobody speaks.
        load: Of the recognizer.
        checkpoint: The newest that the session has given.
        now_s: The time that the next ``tell_time`` moves on from.
    """

    def __init__(
        self,
        track: Sequence[float] = (),
        config: SessionConfig | None = None,
        checkpoint: SessionCheckpoint | None = None,
    ) -> None:
        ids = count()
        self.load = 0.0
        self.session = AudioSession(
            "ses_test",
            CALLER,
            config or SessionConfig(),
            new_request_id=lambda: f"rec_{next(ids)}",
            load=lambda: self.load,
            checkpoint=checkpoint,
        )
        self.checkpoint = checkpoint
        self.track = track
        self.events: list[SessionEvent] = []
        self.waiting: dict[str, RecognitionRequest] = {}
        self.withdrawn: list[RecognitionRequest] = []
        self.now_s = 0.0
        self.received = 0 if checkpoint is None else checkpoint.replay_from
        self.unheard_windows = 0  # handed out by the session, probabilities still due
        self._given = 0 if checkpoint is None else checkpoint.position
        self._seen_ids: set[str] = set()
        self._checker = SessionEventChecker()

    # --- inputs

    def open(self) -> "SessionDriver":
        self.session.open(self.now_s)
        self.collect()
        return self

    def receive(self, samples: int) -> None:
        """Hands over audio without listening to it."""
        self.session.audio_received(stream_pcm(self.received, self.received + samples))
        self.received += samples
        self.collect()

    def take_windows(self) -> int:
        """Takes the windows that wait to be listened to; returns how many, after a look at their audio."""
        windows = self.session.take_windows()
        end = self._given + len(windows) // 2
        expected = stream_pcm(self._given, min(end, self.received))
        if self.session.status is SessionStatus.DRAINING:
            expected += bytes(-len(expected) % WINDOW_BYTES)
        assert windows == expected
        self._given = end
        self.unheard_windows += len(windows) // WINDOW_BYTES
        return len(windows) // WINDOW_BYTES

    def observe(self, probabilities: Iterable[float]) -> None:
        """Gives the probabilities that are due."""
        due = tuple(probabilities)
        assert len(due) == self.unheard_windows
        self.unheard_windows = 0
        self.session.voice_observed(due)
        if self.session.at_safe_place:
            self.session.note_safe_place(VOICE_STATE)
        self.collect()

    def listen(self) -> None:
        """Takes the windows that wait and answers from the track."""
        first = self._given // WINDOW_SAMPLES
        windows = self.take_windows()
        if windows:
            self.observe(islice((*self.track[first:], *([0.0] * windows)), windows))

    def push(self, samples: int) -> None:
        """Hands over audio and listens to it."""
        self.receive(samples)
        self.listen()

    def push_windows(self, *runs: tuple[float, int]) -> None:
        """Speaks: extends the track by runs of windows of one probability each, and pushes them in one packet."""
        run = [probability for probability, windows in runs for _ in range(windows)]
        self.track = [*self.track, *run]
        self.push(len(run) * WINDOW_SAMPLES)

    def answer(self, request: RecognitionRequest, hypothesis: Hypothesis | None = None) -> None:
        """Answers a request, unless told otherwise with what ``hear`` makes of its audio."""
        self.waiting.pop(request.request_id, None)
        self.session.recognized(request.request_id, hear(request.pcm) if hypothesis is None else hypothesis)
        self.collect()

    def say(self, text: str) -> None:
        """Answers the oldest request with a text."""
        self.answer(next(iter(self.waiting.values())), Hypothesis(text=text))

    def fail(self, request: RecognitionRequest) -> None:
        self.waiting.pop(request.request_id, None)
        self.session.recognition_failed(request.request_id, "recognition_failed", "The engine died on it.")
        self.collect()

    def answer_all(self) -> None:
        """Answers until nothing waits any more."""
        while self.waiting:
            self.answer(next(iter(self.waiting.values())))

    def force_endpoint(self) -> None:
        self.session.endpoint_forced()
        self.collect()

    def discard_audio(self) -> None:
        self.session.audio_discarded()
        self.collect()

    def change_endpointing(self, policy: EndpointingPolicy) -> None:
        self.session.endpointing_changed(policy)
        self.collect()

    def end_input(self, deadline_s: float | None = None) -> None:
        """Ends the input and listens to the rest."""
        self.session.end_input(deadline_s)
        self.collect()
        self.listen()

    def tell_time(self, now_s: float) -> None:
        self.now_s = now_s
        self.session.time_passed(now_s)
        self.collect()

    # --- outputs

    def collect(self) -> None:
        """Takes the session's outputs and checks them."""
        withdrawn = self.session.take_withdrawn()
        for request_id in withdrawn:
            self.withdrawn.append(self.waiting.pop(request_id))
        for request in self.session.take_requests():
            self._check_request(request)
            self.waiting[request.request_id] = request
        assert len(self.partials_waiting) <= 1
        for event in self.session.take_events():
            self._checker.observe(event)
            self.events.append(event)
        self.checkpoint = self.session.take_checkpoint() or self.checkpoint
        if self.session.status is SessionStatus.CLOSED:
            self._checker.finish()
            assert not self.waiting, "a closed session waits for nothing"

    def _check_request(self, request: RecognitionRequest) -> None:
        assert request.request_id not in self._seen_ids, "request ids are unique"
        self._seen_ids.add(request.request_id)
        assert (request.session_id, request.tenant) == ("ses_test", CALLER.tenant)
        assert len(request.pcm) == 2 * len(request.span)
        assert request.span.end <= self.received
        assert request.pcm == stream_pcm(request.span.start, request.span.end)

    def events_of(self, kind: type[Event]) -> list[Event]:
        """The events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def partials_waiting(self) -> list[RecognitionRequest]:
        return [request for request in self.waiting.values() if request.kind is RecognitionKind.PARTIAL]

    @property
    def finals_waiting(self) -> list[RecognitionRequest]:
        return [request for request in self.waiting.values() if request.kind is RecognitionKind.FINAL]

    @property
    def partials(self) -> list[tuple[str, str]]:
        """The stable and the volatile part of every partial so far."""
        return [(event.stable, event.volatile) for event in self.events if isinstance(event, PartialRecognized)]

    @property
    def outcomes(self) -> list[Outcome]:
        """Index, span, and text or error code of every utterance that has an outcome."""
        outcomes: list[Outcome] = []
        for event in self.events:
            if isinstance(event, UtteranceFinalized):
                outcomes.append((event.utterance, event.span, event.hypothesis.text))
            elif isinstance(event, UtteranceFailed):
                outcomes.append((event.utterance, event.span, f"failed: {event.code}"))
        return outcomes

    @property
    def ending(self) -> SessionEnded:
        """The end of the session."""
        (ending,) = (event for event in self.events if isinstance(event, SessionEnded))
        return ending
