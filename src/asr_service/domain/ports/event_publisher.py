"""Where domain events go after the client has them: storage, metrics, other parties."""

from typing import Protocol

from asr_service.domain.events.session_events import SessionEvent


class EventPublisher(Protocol):
    """Takes facts; what is done with them cannot hurt whoever publishes."""

    def publish(self, event: SessionEvent) -> None:
        """Hands the event to every subscriber's bounded queue, at once; events of one session keep their order."""
        ...
