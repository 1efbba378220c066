"""Server-sent events, however they are cut on their way."""

import pytest

from asr_service.client.server_sent_events import EventReader, NotAnEventStream, ServerSentEvent

STREAM = (
    ": ping\n\nevent: session\r\ndata: {}\r\n\r\nevent:final\rdata: Go on.\u2028\x0bYes.\rid: 0\r\r"
    "data: one\ndata:two\n\nevent: nothing\n\nretry\ndata\n\ndata: unfinished"
)
EVENTS = [
    ServerSentEvent("session", "{}"),
    ServerSentEvent("final", "Go on.\u2028\x0bYes."),
    ServerSentEvent("message", "one\ntwo"),
    ServerSentEvent("message", ""),
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, len(STREAM)])
def test_events_do_not_depend_on_how_the_stream_is_cut(size: int) -> None:
    reader = EventReader()
    pieces = [STREAM[start : start + size] for start in range(0, len(STREAM), size)]
    assert [event for piece in pieces for event in reader.feed(piece)] == EVENTS


def test_an_event_without_end_is_refused() -> None:
    reader = EventReader()
    line = "data: " + (1 << 21) * "x" + "\n"
    assert list(reader.feed(line)) == []
    with pytest.raises(NotAnEventStream):
        list(reader.feed(line))
