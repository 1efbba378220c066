"""Events on a byte stream: the same whatever the cuts, and never more than is allowed."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asr_service.app.api.v1.tcp.protocols.wyoming_framing import (
    MAX_DATA_BYTES,
    MAX_HEADER_BYTES,
    MAX_PAYLOAD_BYTES,
    PROTOCOL_VERSION,
    EventReader,
    event_bytes,
)
from asr_service.app.api.v1.websocket.protocols.codec import Frame

_names = st.text(max_size=8).filter(str.isprintable)
_data = st.dictionaries(_names, st.integers() | _names | st.none() | st.lists(st.integers(), max_size=3), max_size=3)


def encoded(
    kind: str, inline: dict[str, Any] | None = None, data: dict[str, Any] | None = None, payload: bytes = b""
) -> bytes:
    """An event as a client writes it, with its data in either place or in both."""
    header: dict[str, Any] = {"type": kind, "version": "1.0"}
    block = b"" if data is None else json.dumps(data, ensure_ascii=False).encode()
    if inline is not None:
        header["data"] = inline
    if block:
        header["data_length"] = len(block)
    if payload:
        header["payload_length"] = len(payload)
    return json.dumps(header).encode() + b"\n" + block + payload


_events = st.builds(encoded, _names, st.none() | _data, st.none() | _data, st.binary(max_size=20))
_broken = st.sampled_from([b"junk\n", b'{"type": 5}\n', b'{"type": "x", "data_length": 2}\n[]', b"\xff\n"])


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    """The stream in pieces."""
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


def read(pieces: list[bytes]) -> tuple[list[Frame], str | None]:
    """All frames, pieces of one payload joined, and why it ended."""
    reader, frames = EventReader(), list[Frame]()
    for piece in pieces:
        for frame in reader.feed(piece):
            if isinstance(frame, bytes) and frames and isinstance(frames[-1], bytes):
                frames[-1] += frame
            else:
                frames.append(frame)
    return frames, None if reader.failure is None else reader.failure.message


@given(
    stream=st.lists(_events | _broken, max_size=5).map(b"".join) | st.binary(max_size=60),
    places=st.lists(st.integers(0, 1_000), max_size=20),
)
@example(stream=encoded("audio-chunk", payload=bytes(5)) * 2 + b"\n", places=list(range(200)))
def test_events_do_not_depend_on_how_the_stream_is_cut(stream: bytes, places: list[int]) -> None:
    assert read(cut(stream, places)) == read([stream])


@given(kind=_names, inline=st.none() | _data, data=st.none() | _data, payload=st.binary(max_size=20))
def test_data_is_merged_over_what_stands_in_the_header(
    kind: str, inline: dict[str, Any] | None, data: dict[str, Any] | None, payload: bytes
) -> None:
    frames, failure = read([encoded(kind, inline, data, payload)])
    assert failure is None
    assert isinstance(frames[0], str)
    assert json.loads(frames[0]) == {"type": kind, "data": {**(inline or {}), **(data or {})}}
    assert frames[1:] == ([payload] if payload else [])


@given(kind=_names, data=_data)
def test_what_is_written_can_be_read(kind: str, data: dict[str, Any]) -> None:
    event = json.dumps({"type": kind, "data": data})
    (frame,), failure = read([event_bytes(event)])
    assert failure is None
    assert isinstance(frame, str)
    assert json.loads(frame) == {"type": kind, "data": data}


def test_data_is_written_into_a_block_of_its_own() -> None:
    header, block = event_bytes('{"type": "transcript", "data": {"text": "今天"}}').split(b"\n")
    assert json.loads(header) == {"type": "transcript", "version": PROTOCOL_VERSION, "data_length": len(block)}
    assert json.loads(block) == {"text": "今天"}


@pytest.mark.parametrize(
    ("stream", "complaint"),
    [
        (b"GET / HTTP/1.1\r\n", "The header of an event is no JSON in UTF-8."),
        (b"\x00\xff\xfe\n", "The header of an event is no JSON in UTF-8."),
        (b"\n", "The header of an event is no JSON in UTF-8."),
        (b"[1]\n", "The header of an event is no JSON object."),
        (b'{"data": {}}\n', "The header has no type."),
        (b'{"type": "x", "data": 5}\n', "The data of the header is no JSON object."),
        (b'{"type": "x", "data_length": 2}\n[]', "The data of an event is no JSON object."),
        (b'{"type": "x", "data_length": 2}\n{x', "The data of an event is no JSON in UTF-8."),
        (
            b'{"type": "x", "data_length": -1}\n',
            f"The data_length of the header is no number from 0 to {MAX_DATA_BYTES}.",
        ),
        (
            b'{"type": "x", "data_length": "9"}\n',
            f"The data_length of the header is no number from 0 to {MAX_DATA_BYTES}.",
        ),
        (
            b'{"type": "x", "data_length": 99999999999999}\n',
            f"The data_length of the header is no number from 0 to {MAX_DATA_BYTES}.",
        ),
        (
            b'{"type": "x", "payload_length": 1e3}\n',
            f"The payload_length of the header is no number from 0 to {MAX_PAYLOAD_BYTES}.",
        ),
        (
            b'{"type": "x", "payload_length": 99999999999999}\n',
            f"The payload_length of the header is no number from 0 to {MAX_PAYLOAD_BYTES}.",
        ),
        (b"x" * (MAX_HEADER_BYTES + 1), f"The header is longer than {MAX_HEADER_BYTES} bytes."),
        (b"x" * (MAX_HEADER_BYTES + 1) + b"\n", f"The header is longer than {MAX_HEADER_BYTES} bytes."),
    ],
)
def test_what_is_no_event_is_refused_after_what_came_before(stream: bytes, complaint: str) -> None:
    frames, failure = read([encoded("describe") + stream + encoded("describe")])
    assert frames == ['{"type": "describe", "data": {}}']
    assert failure == complaint


def test_nothing_is_kept_of_audio_that_can_go_on() -> None:
    reader = EventReader()
    event = encoded("audio-chunk", payload=bytes(1_000_000))
    header_bytes = len(event) - 1_000_000
    assert len(reader.feed(event[: header_bytes + 10])) == 2
    assert reader.feed(bytes(500_000)) == [bytes(500_000)]
    assert reader.inside_event


@pytest.mark.parametrize(
    ("stream", "inside"),
    [
        (b"", False),
        (encoded("describe"), False),
        (encoded("audio-chunk", payload=b"123"), False),
        (b'{"type"', True),
        (b'{"type": "x", "data_length": 2}\n', True),
        (b'{"type": "x", "payload_length": 2}\n1', True),
    ],
)
def test_a_stream_that_ends_within_an_event_is_noticed(stream: bytes, inside: bool) -> None:
    reader = EventReader()
    reader.feed(stream)
    assert reader.inside_event is inside
