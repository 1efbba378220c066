"""One stretch of speech on its way to its final text."""

from dataclasses import dataclass, field, replace

from asr_service.domain.events.recognition_events import UtteranceFailed, UtteranceFinalized
from asr_service.domain.ports.recognizer import RecognitionRequest
from asr_service.domain.services.stabilizer import Agreement, Stabilizer
from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.hypothesis import Hypothesis


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an utterance stays without text."""

    code: str
    message: str


@dataclass(slots=True)
class Utterance:
    """Lives from the start of speech until its final has left the session.

    Attributes:
        index: Position among the utterances of the session, from 0.
        start: First sample.
        span: Set at the endpoint.
        endpoint_at_s: When the endpoint was found.
        partial_position: Where the audio of the last requested partial ended; at first, where the speech begins.
        shown_position: Where the audio of the last shown text ended.
        partial_request: The partial that is being recognized, if any.
        final_request: The final that is being recognized, if any; before the endpoint it is speculative.
        final_span: What the final was, or is being, made from.
        doubtful: The request for the final, with its audio, as long as it may have to be heard again in the language of
            the session: that is decided when it is the utterance's turn.
        outcome: The recognized text, or why there is none; speculative before the endpoint.
    """

    index: int
    start: int
    partial_position: int
    span: SampleSpan | None = None
    shown_position: int = 0
    endpoint_at_s: float = 0.0
    partial_request: str | None = None
    final_request: str | None = None
    final_span: SampleSpan | None = None
    doubtful: RecognitionRequest | None = None
    outcome: Hypothesis | Failure | None = None
    revision: int = 0
    _recognized: Stabilizer = field(default_factory=Stabilizer)
    _displayed: Stabilizer = field(default_factory=Stabilizer)
    _shown: Agreement | None = None

    @property
    def settled(self) -> bool:
        """Whether the endpoint is found, the outcome is known and no other is waited for, so that it can leave."""
        return self.span is not None and self.outcome is not None and self.final_request is None

    @property
    def owed(self) -> bool:
        """Whether it ended, and may still have to be heard, so that its audio is held."""
        return self.span is not None and (not self.settled or self.doubtful is not None)

    @property
    def settled_text(self) -> str:
        """The start of the text that is agreed on, in the engine's own words."""
        return self._recognized.stable

    def show(self, hypothesis: Hypothesis, end: int) -> Agreement | None:
        """Takes a hypothesis for the text up to ``end``; returns what to show, ``None`` if that is nothing new.

        A hypothesis that was overtaken by one of more audio is not looked at.
        """
        if end < self.shown_position:
            return None
        self.shown_position = end
        self._recognized.observe(hypothesis.recognized_text)
        agreement = self._displayed.observe(hypothesis.shown_text)
        if agreement == self._shown or not (agreement.stable or agreement.volatile):
            return None
        self._shown = agreement
        self.revision += 1
        return agreement

    def told(self, session_id: str, at_s: float) -> UtteranceFinalized | UtteranceFailed:
        """The event that the settled utterance leaves with."""
        assert self.span is not None
        assert self.outcome is not None
        if isinstance(self.outcome, Failure):
            return UtteranceFailed(
                session_id=session_id,
                at_s=at_s,
                utterance=self.index,
                span=self.span,
                code=self.outcome.code,
                message=self.outcome.message,
            )
        return UtteranceFinalized(
            session_id=session_id,
            at_s=at_s,
            utterance=self.index,
            span=self.span,
            hypothesis=replace(self.outcome, draft=None),  # which may have words that are masked in the text
            endpoint_at_s=self.endpoint_at_s,
        )

    def forget_speculation(self) -> str | None:
        """Drops a final that was begun in a pause that ended nothing; returns its request if that is on its way."""
        request, self.final_request = self.final_request, None
        self.final_span = self.doubtful = self.outcome = None
        return request
