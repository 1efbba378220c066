"""From what happens in sessions to numbers."""

from asr_service.domain.events.recognition_events import PartialRecognized, UtteranceFailed, UtteranceFinalized
from asr_service.domain.events.session_events import SessionEnded, SessionEvent, SessionResumed, SessionStarted
from asr_service.domain.value_objects.audio_metadata import SAMPLE_RATE_HZ
from asr_service.infrastructure.monitoring.metrics import Metrics


class MetricsRecorder:
    """Derives metrics from domain events: a subscriber of the event bus."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._counted_samples: dict[str, int] = {}  # of each live session, so as many as there are of those
        self._lineups: dict[str, str] = {}  # of the same sessions
        metrics.observe_sessions(lambda: len(self._counted_samples))

    async def handle(self, event: SessionEvent) -> None:
        """Counts one event; the events of a session come in their order."""
        match event:
            case SessionStarted():
                self._counted_samples[event.session_id] = 0
                self._metrics.session_started()
                self._note_lineup(event)
            case SessionResumed():
                self._counted_samples[event.session_id] = event.replay_from
                self._metrics.session_resumed()
                self._note_lineup(event)
            case PartialRecognized():
                self._metrics.partial_recognized()
            case UtteranceFinalized():
                self._count_audio(event.session_id, event.span.end)
                self._finalized(event)
            case UtteranceFailed():
                self._count_audio(event.session_id, event.span.end)
                self._metrics.utterance_failed(event.code)
                if lineup := self._lineups.get(event.session_id):
                    self._metrics.lineup_failed(lineup, event.code)
            case SessionEnded():
                self._count_audio(event.session_id, event.received_samples)
                self._counted_samples.pop(event.session_id, None)
                self._lineups.pop(event.session_id, None)
                self._metrics.session_ended(event.reason.value)

    def _note_lineup(self, event: SessionStarted | SessionResumed) -> None:
        if (lineup := event.config.lineup) is not None:
            self._lineups[event.session_id] = lineup
            self._metrics.lineup_session(lineup)

    def _finalized(self, event: UtteranceFinalized) -> None:
        latency_s = max(0.0, event.at_s - event.endpoint_at_s)
        self._metrics.utterance_finalized(latency_s)
        if lineup := self._lineups.get(event.session_id):
            self._metrics.lineup_finalized(lineup, latency_s)

    def _count_audio(self, session_id: str, position: int) -> None:
        """Counts the session's audio up to the position, as far as it is not counted yet."""
        counted = self._counted_samples.get(session_id, 0)
        if position > counted:
            self._metrics.audio_received((position - counted) / SAMPLE_RATE_HZ)
            if session_id in self._counted_samples:
                self._counted_samples[session_id] = position
