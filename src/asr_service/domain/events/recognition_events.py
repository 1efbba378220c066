"""What happens to the utterances of a session. Positions are samples from the start of the stream."""

from dataclasses import dataclass

from asr_service.domain.events.session_events import SessionEvent
from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.hypothesis import Hypothesis


@dataclass(frozen=True, slots=True, kw_only=True)
class UtteranceEvent(SessionEvent):
    """A fact about one utterance; ``utterance`` is its index in the session, from 0."""

    utterance: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechStarted(UtteranceEvent):
    """Somebody began to speak; ``start`` includes the prefix padding."""

    start: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialRecognized(UtteranceEvent):
    """The text so far; the next partial or the final replaces it.

    Attributes:
        revision: Counts the partials of the utterance, from 1.
        span: The audio that was listened to.
        stable: Start of the text that two hypotheses in a row agreed on; later partials only extend it.
        volatile: The rest, which may still change. Concatenated, the two are the whole text.
        language: Code of the language, if known.
    """

    revision: int
    span: SampleSpan
    stable: str
    volatile: str
    language: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechEnded(UtteranceEvent):
    """The endpoint of an utterance was found; its final follows. ``forced``: cut for its length, or on demand."""

    span: SampleSpan
    forced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UtteranceFinalized(UtteranceEvent):
    """The one final of an utterance; finals leave in the order of the utterances.

    Attributes:
        span: The audio of the utterance, padding included.
        hypothesis: The text, with positions in the stream; empty text means that no word was heard.
        endpoint_at_s: When the endpoint was found, for the latency of the final.
        durable: Whether it is stored, so that a resumed session will not say it anew; told to the client only.
    """

    span: SampleSpan
    hypothesis: Hypothesis
    endpoint_at_s: float
    durable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UtteranceFailed(UtteranceEvent):
    """The utterance stays without text; ``code`` and ``message`` say why. It stands in the place of the final.

    ``durable`` as of a final.
    """

    span: SampleSpan
    code: str
    message: str
    durable: bool = False
