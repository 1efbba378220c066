"""The sentences of one stream of ``funasr-realtime-server``'s dialect, which every result repeats."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from asr_service.domain.events.recognition_events import PartialRecognized, UtteranceFailed, UtteranceFinalized
from asr_service.domain.events.session_events import SessionEnded
from asr_service.domain.value_objects.audio_metadata import ms_from_samples

MAX_SENTENCES = 1_000  # about two hours of talk; each result repeats them, so an endless list would drown the client


@dataclass(frozen=True, slots=True)
class _Sentence:
    """Positions are samples from the start of the stream."""

    text: str
    start: int
    end: int


class Sentences:
    """What was said since ``START``, in one session after the other.

    Attributes:
        forgotten: Whether the client has begun anew, and wants to hear nothing of this any more.
    """

    def __init__(self) -> None:
        self.forgotten = False
        self._locked: deque[_Sentence] = deque(maxlen=MAX_SENTENCES)
        self._partial: _Sentence | None = None
        self._settled = 0  # utterances of the session that have their outcome
        self._before = 0  # samples of the sessions before
        self._heard = 0  # samples of this one

    def take_partial(self, event: PartialRecognized) -> bool:
        """Whether the partial is news: one that overtakes the final of the utterance before it waits for that."""
        if event.utterance != self._settled:
            return False
        self._heard = max(self._heard, event.span.end)
        self._partial = self._sentence(event.stable + event.volatile, event.span.start, event.span.end)
        return True

    def take_final(self, event: UtteranceFinalized) -> None:
        """Locks a sentence; one without text only takes the partial back."""
        words = event.hypothesis.words
        start, end = (words[0].span.start, words[-1].span.end) if words else (event.span.start, event.span.end)
        if event.hypothesis.text:
            self._locked.append(self._sentence(event.hypothesis.text, start, end))
        self._settle(event.span.end)

    def take_failure(self, event: UtteranceFailed) -> None:
        """Takes the partial back."""
        self._settle(event.span.end)

    def session_ended(self, event: SessionEnded) -> None:
        """What comes next belongs to another session, and follows in time."""
        self._before += event.received_samples
        self._heard = self._settled = 0
        self._partial = None

    def result(self, corrected: Callable[[str], str], *, is_final: bool) -> dict[str, Any]:
        """The message with all of it; ``corrected`` is applied to each text."""
        duration_ms = ms_from_samples(self._before + self._heard)
        partial = None if is_final else self._partial
        locked = [
            {"text": corrected(one.text), "start": ms_from_samples(one.start), "end": ms_from_samples(one.end)}
            for one in self._locked
        ]
        start_ms = 0 if is_final else duration_ms if partial is None else ms_from_samples(partial.start)
        return {
            "sentences": locked,
            "partial": "" if partial is None else corrected(partial.text),
            "partial_start_ms": start_ms,
            "duration_ms": duration_ms,
            "is_final": is_final,
        }

    def _sentence(self, text: str, start: int, end: int) -> _Sentence:
        return _Sentence(text, self._before + start, self._before + end)

    def _settle(self, end: int) -> None:
        self._settled += 1
        self._heard = max(self._heard, end)
        self._partial = None
