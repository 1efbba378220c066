"""When a pause has lasted so long that Deepgram's clients are told ``UtteranceEnd``.

No event of a session says that nobody speaks; so it is concluded from the audio that the client has sent. How far the
service has listened in it is known at every endpoint, and what had come beyond that then is taken to come beyond it still:
a client that sends a recording at once is not told of pauses in audio that nobody has listened to.
"""

from asr_service.domain.services.segmenter import TAIL_MS
from asr_service.domain.value_objects.audio_metadata import SampleSpan, samples_from_ms


class UtteranceGaps:
    """The pauses of one stream; positions are samples. Each method gives the end of the last word, if it is to be told now.

    Args:
        gap_ms: A pause that lasts so long after the last word is told, once.
        silence_ms: Silence at which an utterance ends.
    """

    def __init__(self, gap_ms: int, silence_ms: int) -> None:
        self._gap_samples = samples_from_ms(gap_ms)
        self._silence_after_tail_samples = samples_from_ms(max(0, silence_ms - TAIL_MS))
        self._starts: dict[int, int] = {}  # of the utterances that are not settled yet
        self._last_word_end: int | None = None
        self._received = 0
        self._unheard = 0

    def audio_received(self, position: int) -> int | None:
        """So much audio has come from the client."""
        self._received = position
        return self._pause_up_to(self._received - self._unheard) if not self._starts else None

    def speech_started(self, utterance: int, start: int) -> int | None:
        self._starts[utterance] = start
        told = self._pause_up_to(start)
        self._last_word_end = None
        return told

    def speech_ended(self, span: SampleSpan) -> None:
        """An endpoint in silence was found; not one that was forced, which says nothing of how far was listened."""
        self._unheard = max(0, self._received - span.end - self._silence_after_tail_samples)

    def settled(self, utterance: int, last_word_end: int | None) -> int | None:
        """The text of an utterance is known; ``None``: there is none."""
        self._starts.pop(utterance, None)
        self._last_word_end = last_word_end
        following = self._starts.get(utterance + 1)
        told = self._pause_up_to(self._received - self._unheard if following is None else following)
        if following is not None:
            self._last_word_end = None
        return told

    def ended(self, position: int) -> int | None:
        """The stream has ended there."""
        return self._pause_up_to(position)

    def _pause_up_to(self, position: int) -> int | None:
        end = self._last_word_end
        if end is None or position - end < self._gap_samples:
            return None
        self._last_word_end = None
        return end
