"""Says of each session which server has it."""

from dataclasses import replace

from asr_service.domain.events.session_events import SessionEvent, SessionResumed, SessionStarted
from asr_service.domain.ports.event_publisher import EventPublisher


class NodeStamp:
    """Implements ``EventPublisher``: passes every event on, and names the node where a session begins or goes on."""

    def __init__(self, publisher: EventPublisher, node_id: str) -> None:
        self._publisher = publisher
        self._node_id = node_id

    def publish(self, event: SessionEvent) -> None:
        if isinstance(event, SessionStarted | SessionResumed):
            event = replace(event, node_id=self._node_id)
        self._publisher.publish(event)
