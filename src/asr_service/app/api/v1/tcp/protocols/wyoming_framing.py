"""How Wyoming puts events on a stream of bytes.

An event is a line of JSON, ``{"type", "data"?, "data_length"?, "payload_length"?}``, then so many bytes of JSON, which are
merged over ``data``, then so many bytes of payload. Here it becomes a text frame ``{"type", "data"}``, and its payload
binary frames that follow it, cut as they arrive: nothing is kept of audio that could go on already.
"""

import json
from typing import Any

from asr_service.app.api.v1.websocket.protocols.codec import Frame, MalformedMessage, read_json

PROTOCOL_VERSION = "1.10.2"  # of the reference implementation that this was read from
MAX_HEADER_BYTES = 1 << 16  # clients of old put the data there
MAX_DATA_BYTES = 1 << 18  # room for the names of every device in a house
MAX_PAYLOAD_BYTES = 1 << 24  # as the largest WebSocket message: some clients send a whole utterance in one event

_HEADER_HINT = 'An event begins with one line of JSON, for example {"type": "describe"}.'


class EventReader:
    """Takes a stream apart; what comes of it depends on how it is cut only in where payloads are.

    Attributes:
        failure: Why nothing more can be read of the stream; ``None`` while all is well.
    """

    def __init__(self) -> None:
        self.failure: MalformedMessage | None = None
        self._waiting = bytearray()
        self._searched = 0  # no end of line before
        self._header: dict[str, Any] | None = None
        self._payload_left = 0

    @property
    def inside_event(self) -> bool:
        """Whether bytes are missing of what has begun."""
        return bool(self._waiting) or self._header is not None or self._payload_left > 0

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are complete with these bytes; none any more after a failure."""
        frames: list[Frame] = []
        self._waiting += data
        try:
            while self.failure is None and (frame := self._next()) is not None:
                frames.append(frame)
        except MalformedMessage as failure:
            self.failure = failure
            self._waiting.clear()
        return frames

    def _next(self) -> Frame | None:
        if self._payload_left:
            return self._next_payload()
        if self._header is None and (line := self._take_line()) is not None:
            self._header = _read_header(line)
        if self._header is None:
            return None
        data_length = _length(self._header, "data_length", MAX_DATA_BYTES)
        if len(self._waiting) < data_length:
            return None
        return self._finish_event(self._header, self._take(data_length))

    def _finish_event(self, header: dict[str, Any], block: bytes) -> Frame:
        self._header = None
        self._payload_left = _length(header, "payload_length", MAX_PAYLOAD_BYTES)
        data = {**(header.get("data") or {}), **(_read_object(block, "data") if block else {})}
        return json.dumps({"type": header["type"], "data": data}, ensure_ascii=False)

    def _next_payload(self) -> bytes | None:
        piece = self._take(min(self._payload_left, len(self._waiting)))
        self._payload_left -= len(piece)
        return piece or None

    def _take_line(self) -> bytes | None:
        end = self._waiting.find(b"\n", self._searched)
        self._searched = len(self._waiting) if end < 0 else 0
        if max(end, self._searched) > MAX_HEADER_BYTES:
            raise MalformedMessage(f"The header is longer than {MAX_HEADER_BYTES} bytes.", hint=_HEADER_HINT)
        return None if end < 0 else self._take(end + 1)

    def _take(self, length: int) -> bytes:
        taken = bytes(self._waiting[:length])
        del self._waiting[:length]
        return taken


def event_bytes(frame: Frame) -> bytes:
    """The event of a text frame as it is sent: with its data in a block of its own, as the reference does it."""
    event = json.loads(frame)
    header = {"type": event["type"], "version": PROTOCOL_VERSION}
    block = json.dumps(event["data"], ensure_ascii=False).encode() if event["data"] else b""
    if block:
        header["data_length"] = len(block)
    return json.dumps(header).encode() + b"\n" + block


def _read_header(line: bytes) -> dict[str, Any]:
    header = _read_object(line, "header")
    if not isinstance(header.get("type"), str):
        raise MalformedMessage("The header has no type.", field="type", hint=_HEADER_HINT)
    if not isinstance(header.get("data"), dict | None):
        raise MalformedMessage("The data of the header is no JSON object.", field="data")
    for name, most in (("data_length", MAX_DATA_BYTES), ("payload_length", MAX_PAYLOAD_BYTES)):
        _length(header, name, most)
    return header


def _length(header: dict[str, Any], name: str, most: int) -> int:
    length = header.get(name) or 0
    if type(length) is not int or not 0 <= length <= most:
        raise MalformedMessage(f"The {name} of the header is no number from 0 to {most}.", field=name)
    return length


def _read_object(encoded: bytes, what: str) -> dict[str, Any]:
    try:
        value = read_json(encoded.decode())
    except (MalformedMessage, UnicodeDecodeError) as error:
        raise MalformedMessage(f"The {what} of an event is no JSON in UTF-8.", hint=_HEADER_HINT) from error
    if not isinstance(value, dict):
        raise MalformedMessage(f"The {what} of an event is no JSON object.", hint=_HEADER_HINT)
    return value
