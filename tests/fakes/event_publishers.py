"""Stand-ins for the event publisher."""

from typing import TypeVar

from asr_service.domain.events.session_events import SessionEvent

EventT = TypeVar("EventT", bound=SessionEvent)


class RecordingEventPublisher:
    """Keeps what is published, in order."""

    def __init__(self) -> None:
        self.events: list[SessionEvent] = []

    def publish(self, event: SessionEvent) -> None:
        self.events.append(event)

    def of_type(self, kind: type[EventT]) -> list[EventT]:
        """The events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]
