"""Reading of server-sent events (WHATWG HTML §9.2.6)."""

from collections.abc import Iterator
from dataclasses import dataclass

_MAX_CHARACTERS = 1 << 22  # of an event; the longest utterance with all of its words has less than a tenth of it


class NotAnEventStream(ValueError):
    """What came is no stream of events, or one of them is longer than any of this service."""


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event.

    Attributes:
        name: ``message`` if it has none.
    """

    name: str
    data: str


class EventReader:
    """Puts events together, however they were cut on their way.

    Lines end where the standard says, and nowhere else: JSON may hold characters at which ``str.splitlines`` cuts.
    """

    def __init__(self) -> None:
        self._text = ""  # of a line that is not over
        self._name = ""
        self._data: list[str] = []

    def feed(self, text: str) -> Iterator[ServerSentEvent]:
        """The events that end in a piece of the stream.

        Raises:
            NotAnEventStream: See there.
        """
        self._text += text
        if len(self._text) + sum(map(len, self._data)) > _MAX_CHARACTERS:
            raise NotAnEventStream("An event is too long.")
        held_back = "\r" if self._text.endswith("\r") else ""  # its \n may be yet to come
        whole = self._text.removesuffix(held_back) if held_back else self._text
        *lines, rest = whole.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._text = rest + held_back
        for line in lines:
            event = self._take(line)
            if event is not None:
                yield event

    def _take(self, line: str) -> ServerSentEvent | None:
        if not line:
            return self._finish()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
        return None  # a line without a field is a comment; ids and pauses are of no use here

    def _finish(self) -> ServerSentEvent | None:
        name, data = self._name, self._data
        self._name, self._data = "", []
        return ServerSentEvent(name or "message", "\n".join(data)) if data else None
