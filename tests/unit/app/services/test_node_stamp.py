"""Which server has a session is said where it begins or goes on, and nowhere else."""

from dataclasses import replace

from asr_service.app.services.node_stamp import NodeStamp
from asr_service.domain.events.session_events import SessionResumed, SessionStarted
from tests.fakes.event_publishers import RecordingEventPublisher
from tests.fixtures.integration_events import EVENTS


def test_beginnings_name_the_node_and_all_else_passes_as_it_is() -> None:
    publisher = RecordingEventPublisher()
    stamp = NodeStamp(publisher, "nod_7")
    for event in EVENTS.values():
        stamp.publish(event)
    assert publisher.events == [
        replace(event, node_id="nod_7") if isinstance(event, SessionStarted | SessionResumed) else event
        for event in EVENTS.values()
    ]
