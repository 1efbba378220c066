"""Where utterances begin and end, from one speech probability per window.

The hysteresis is that of Silero's ``VADIterator`` (snakers4/silero-vad, ``utils_vad.py``): speech from ``threshold``,
silence below ``threshold - 0.15``, in between nothing changes. What differs: every transition is returned as an event
with its sample position, so that two of them inside one network packet are both seen; a pause is reported before it is
long enough to end the utterance, so that the final can be begun early; and long speech is cut where it is quietest.
"""

from dataclasses import dataclass
from typing import TypeAlias

from asr_service.domain.ports.voice_activity import WINDOW_SAMPLES
from asr_service.domain.value_objects.asr_config import EndpointingPolicy
from asr_service.domain.value_objects.audio_metadata import SampleSpan, samples_from_ms
from asr_service.domain.value_objects.session_checkpoint import SegmenterState

HYSTERESIS = 0.15
LOWEST_SILENCE = 0.01  # whatever the threshold, less than this is silence (as in Silero's get_speech_timestamps)
TAIL_MS = 200  # kept after the last speech window: final consonants fade below the threshold before they end
CANDIDATE_GAP_MS = 96  # silence that separates a click from what follows it
WEAK_GAP_MS = 200  # so does a longer stretch that is neither speech nor silence; weak speech has shorter ones


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """An utterance is open from ``start`` on."""

    start: int


@dataclass(frozen=True, slots=True)
class SpeechPaused:
    """If no speech follows, the utterance will have been this one."""

    span: SampleSpan


@dataclass(frozen=True, slots=True)
class SpeechResumed:
    """Speech did follow: the last pause ended nothing."""


@dataclass(frozen=True, slots=True)
class SpeechFinished:
    """The utterance is closed; after a ``forced`` one the speaker may still be speaking."""

    span: SampleSpan
    forced: bool


SegmenterEvent: TypeAlias = SpeechBegan | SpeechPaused | SpeechResumed | SpeechFinished


class Segmenter:
    """Follows one stream, window by window; from its beginning, or on from a state."""

    def __init__(self, policy: EndpointingPolicy, state: SegmenterState | None = None) -> None:
        state = state or SegmenterState()
        self._follow(policy)
        self._max_samples = samples_from_ms(policy.max_utterance_ms)
        self._position = state.position  # end of the last window
        self._floor = state.floor  # end of the last utterance; the next one cannot begin before it
        self._candidate = state.candidate  # start of speech that is still too short to believe
        self._candidate_speech = state.candidate_speech
        self._candidate_end = state.candidate_end  # end of its last speech window
        self._start = state.start  # start of the open utterance
        self._spoken_from = state.spoken_from
        self._silence_start = state.silence_start
        self._paused = False
        self._sentence_complete = False  # in this pause
        # Of the windows since the utterance was opened, the last one ending at _position.
        self._probabilities = list(state.probabilities)

    @property
    def state(self) -> SegmenterState:
        """What another segmenter of the same policy goes on from; not in a pause that has been reported."""
        assert not self._paused
        return SegmenterState(
            position=self._position,
            floor=self._floor,
            candidate=self._candidate,
            candidate_speech=self._candidate_speech,
            candidate_end=self._candidate_end,
            start=self._start,
            spoken_from=self._spoken_from,
            silence_start=self._silence_start,
            probabilities=tuple(self._probabilities) if self.speaking else (),
        )

    def _follow(self, policy: EndpointingPolicy) -> None:
        self.policy = policy
        self._silence_below = max(policy.threshold - HYSTERESIS, LOWEST_SILENCE)
        self._silence_samples = samples_from_ms(policy.silence_ms)
        self._sentence_silence_samples = samples_from_ms(policy.sentence_silence_ms or policy.silence_ms)
        self._tail_samples = min(samples_from_ms(TAIL_MS), self._silence_samples)

    @property
    def position(self) -> int:
        """Samples observed so far."""
        return self._position

    @property
    def settled_until(self) -> int:
        """What lies before it belongs to utterances that have ended, or to none; it may lie inside the next window."""
        return self._floor

    @property
    def speaking(self) -> bool:
        """Whether an utterance is open."""
        return self._start is not None

    @property
    def paused(self) -> bool:
        """Whether the open utterance is in a pause that has been reported."""
        return self._paused

    @property
    def spoken_from(self) -> int:
        """Where speech begins in the utterance that was opened last, after its padding."""
        return self._spoken_from

    @property
    def silent(self) -> bool:
        """Whether the last windows of the open utterance were silence, however few."""
        return self.speaking and self._silence_start is not None

    @property
    def retained_from(self) -> int:
        """The first sample that the open utterance, or any later one, can still need."""
        if self._start is not None:
            return self._start
        begin = self._position if self._candidate is None else self._candidate
        padded = begin - samples_from_ms(self.policy.prefix_padding_ms)
        # However long a hesitant beginning takes, it leaves half of the utterance to what follows.
        return max(self._floor, padded, self._position - self._max_samples // 2)

    def observe(self, probability: float) -> list[SegmenterEvent]:
        """Takes the speech probability of the next window; returns what it decides, in order."""
        window_start = self._position
        self._position += WINDOW_SAMPLES
        if self._start is None:
            return self._listen_for_speech(window_start, probability)
        self._probabilities.append(probability)
        return self._listen_for_silence(self._start, window_start, probability)

    def sentence_complete(self) -> list[SegmenterEvent]:
        """Takes the news that the text up to the reported pause is a complete sentence: less silence ends the utterance.

        Valid until speech resumes, and nothing without a pause. The utterance may end here and now.
        """
        if self._start is None or self._silence_start is None or not self._paused:
            return []
        self._sentence_complete = True
        return self._judge_silence(self._start, self._silence_start)

    def change_policy(self, policy: EndpointingPolicy) -> None:
        """Goes on by another policy; of the open utterance only the greatest length stays as it was.

        A longer padding reaches back no farther than what was needed until now.
        """
        if self._start is None:
            self._floor = self.retained_from
            self._max_samples = samples_from_ms(policy.max_utterance_ms)
        self._follow(policy)

    def force_endpoint(self, end: int) -> list[SegmenterEvent]:
        """Closes the open utterance, if there is one, at ``end``: the end of the audio, perhaps inside the next window."""
        if self._start is None:
            return []
        return [self._close(self._end_before(min(end, self._start + self._max_samples)), forced=True)]

    def discard(self, end: int) -> None:
        """Forgets the open utterance, or the speech that may have begun one, and all that lies before ``end``."""
        if self._start is not None:
            self._close(end, forced=True)
        self._floor = end
        self._candidate = self._silence_start = None

    def finish(self, end: int) -> list[SegmenterEvent]:
        """Closes the open utterance at the end of the stream; ``end`` may lie inside the last, padded window."""
        return [] if self._start is None else [self._close(self._end_before(end), forced=False)]

    def _listen_for_speech(self, window_start: int, probability: float) -> list[SegmenterEvent]:
        if window_start < self._floor:
            return []  # it may be the utterance before that is heard here
        if probability >= self.policy.threshold:
            self._silence_start = None
            if self._candidate is None:
                self._candidate, self._candidate_speech = window_start, 0
            self._candidate_speech += WINDOW_SAMPLES
            self._candidate_end = self._position
            if self._candidate_speech >= samples_from_ms(self.policy.min_speech_ms):
                return [self._open(self.retained_from)]
        elif self._candidate is not None:
            if self._silence_start is None and probability < self._silence_below:
                self._silence_start = window_start
            if self._candidate_is_over():
                self._candidate = self._silence_start = None
        return []

    def _candidate_is_over(self) -> bool:
        silence = 0 if self._silence_start is None else self._position - self._silence_start
        without_speech = self._position - self._candidate_end
        return silence >= samples_from_ms(CANDIDATE_GAP_MS) or without_speech >= samples_from_ms(WEAK_GAP_MS)

    def _listen_for_silence(self, start: int, window_start: int, probability: float) -> list[SegmenterEvent]:
        events: list[SegmenterEvent] = []
        if probability >= self.policy.threshold:
            self._silence_start = None
            if self._paused:
                self._paused = self._sentence_complete = False
                events.append(SpeechResumed())
        elif self._silence_start is None and probability < self._silence_below:
            self._silence_start = window_start
        if self._silence_start is not None:
            events += self._judge_silence(start, self._silence_start)
        if self._start is not None and self._position + WINDOW_SAMPLES - start > self._max_samples:
            events += self._cut(start)
        return events

    def _judge_silence(self, start: int, silence_start: int) -> list[SegmenterEvent]:
        silence = self._position - silence_start
        enough = self._sentence_silence_samples if self._sentence_complete else self._silence_samples
        if silence >= enough and not self.policy.on_demand:
            return [self._close(silence_start + self._tail_samples, forced=False)]
        if silence >= self._tail_samples and not self._paused:
            self._paused = True
            return [SpeechPaused(SampleSpan(start, silence_start + self._tail_samples))]
        return []

    def _cut(self, start: int) -> list[SegmenterEvent]:
        """Ends an utterance that is too long: in the silence that has begun, or else at its quietest place."""
        if self._silence_start is not None:
            return [self._close(self._end_before(self._position), forced=True)]
        cut, longest = self._quietest(start), self._max_samples
        events: list[SegmenterEvent] = [self._close(cut, forced=True), self._open(cut)]
        self._max_samples = longest  # what was not cut by a policy of greater length may be too long for this one
        return events

    def _quietest(self, start: int) -> int:
        """A sample in the second half of the utterance, in the middle of its least speech-like 100 ms."""
        count = len(self._probabilities)
        earliest = max(1, count - (self._position - start) // WINDOW_SAMPLES // 2)

        def loudness(i: int) -> float:
            """Weighs a window with its neighbours, so that one lucky window in loud speech does not win."""
            before, here, after = self._probabilities[i - 1 : i + 2]
            return before + 2 * here + after

        quietest = min(range(earliest, count - 1), key=lambda i: (loudness(i), -i))
        return self._position - (count - quietest) * WINDOW_SAMPLES + WINDOW_SAMPLES // 2

    def _end_before(self, end: int) -> int:
        return end if self._silence_start is None else min(end, self._silence_start + self._tail_samples)

    def _open(self, start: int) -> SpeechBegan:
        self._spoken_from = start if self._candidate is None else self._candidate
        self._start, self._candidate = start, None
        self._probabilities = []
        return SpeechBegan(start)

    def _close(self, end: int, *, forced: bool) -> SpeechFinished:
        assert self._start is not None
        finished = SpeechFinished(SampleSpan(self._start, end), forced)
        self._floor = end
        self._start = self._silence_start = None
        self._paused = self._sentence_complete = False
        self._max_samples = samples_from_ms(self.policy.max_utterance_ms)
        return finished
