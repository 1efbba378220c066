"""Between a session and its client: what is stored before it is told, and what a client that came back is told again."""

from collections.abc import Sequence
from dataclasses import replace

from asr_service.app.services.session_keeper import SessionKeeper
from asr_service.domain.events.recognition_events import UtteranceEvent, UtteranceFailed, UtteranceFinalized
from asr_service.domain.events.session_events import SessionEnded, SessionEvent, SessionResumed, SessionStarted
from asr_service.domain.repositories.session_journal import UtteranceOutcome
from asr_service.domain.value_objects.session_checkpoint import SessionCheckpoint
from asr_service.domain.value_objects.session_status import EndReason

_FINISHED = (EndReason.COMPLETED, EndReason.TIMED_OUT, EndReason.CANCELLED)


class Safekeeping:
    """Turns what a session says into what its client is told.

    Args:
        keeper: Writes it.
        told: The client has the outcomes of so many utterances; it is told nothing more about those.
    """

    def __init__(self, keeper: SessionKeeper, told: int = 0) -> None:
        self.keeper = keeper
        self._stored = keeper.session.outcomes
        self._told = told

    @property
    def checkpoint(self) -> SessionCheckpoint | None:
        """Where the session goes on; ``None``: it is a new one."""
        return None if self.keeper.new else self.keeper.session.checkpoint

    def published(self, event: SessionEvent) -> SessionEvent:
        """The event as it is for everybody but the client."""
        match event:
            case SessionResumed():
                return replace(event, outcomes=self._stored, epoch=self.keeper.session.epoch)
            case SessionEnded():
                return replace(event, epoch=self.keeper.session.epoch)
        return event

    async def keep(self, events: Sequence[SessionEvent], checkpoint: SessionCheckpoint | None) -> list[SessionEvent]:
        """Stores the outcomes among the events, and the checkpoint; returns what to tell.

        Outcomes wait for the store for a moment, nothing else does.
        """
        outcomes = [event for event in events if isinstance(event, UtteranceFinalized | UtteranceFailed)]
        ending = next(
            (event for event in events if isinstance(event, SessionEnded) and event.reason in _FINISHED), None
        )
        durable = False
        if outcomes or checkpoint or ending:
            self.keeper.put(outcomes, checkpoint, ending)
        if outcomes or ending:
            durable = await self.keeper.written()
        return [told for event in events for told in self._telling(event, durable)]

    def _telling(self, event: SessionEvent, durable: bool) -> list[SessionEvent]:
        match event:
            case SessionStarted():
                return [replace(event, resume=self.keeper.offer)]
            case SessionResumed():
                return [replace(event, resume=self.keeper.offer), *self.missed(event.utterances, event.at_s)]
            case UtteranceEvent() if event.utterance < self._told:
                return []
            case UtteranceFinalized() | UtteranceFailed() if event.utterance < len(self._stored):
                return [_again(self._stored[event.utterance], event.at_s)]
            case UtteranceFinalized() | UtteranceFailed():
                return [replace(event, durable=durable)]
        return [event]

    def missed(self, utterances: int, at_s: float) -> list[SessionEvent]:
        """The stored outcomes of the utterances before this one that the client does not have."""
        return [_again(outcome, at_s) for outcome in self._stored[self._told : utterances]]


def _again(outcome: UtteranceOutcome, at_s: float) -> UtteranceOutcome:
    """An outcome from the journal, which has times of another process."""
    if isinstance(outcome, UtteranceFinalized):
        return replace(outcome, at_s=at_s, endpoint_at_s=at_s, durable=True)
    return replace(outcome, at_s=at_s, durable=True)
