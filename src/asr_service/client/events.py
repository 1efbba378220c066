"""What streams and followers are told: the messages of the native protocol as values, ``Session`` and ``Reconnecting``.

Times are milliseconds from the start of the audio.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a final; ``confidence`` is 0–1, or unknown."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Started:
    """The session takes audio.

    Attributes:
        capabilities: What the recognizer can do.
        unsupported: The wishes that it cannot fulfil.
        config: What is in force.
    """

    session_id: str
    engine: str
    model: str
    capabilities: Mapping[str, Any]
    unsupported: list[str]
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Resumed:
    """The session goes on after a loss of the connection; partials begin anew, finals go on."""

    session_id: str
    utterances: int
    audio_from_ms: int


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """The connection is lost, and will be made again: then ``Resumed`` follows, or ``Started`` of a new session.

    Of this package, and no message of the protocol; told once per loss, also if the first connection cannot be made.

    Attributes:
        reason: Why, in a sentence.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Session:
    """What is known of a session; a follower is told it at first, after each loss, and when the status has changed.

    Attributes:
        language: As asked for; ``None`` means detection.
        status: ``opening``, ``listening``, ``draining``, ``closed``, or ``interrupted``: its server is gone.
        resumable_until: One that was broken off can be resumed until then; ``None``: it cannot.
    """

    session_id: str
    name: str | None
    language: str | None
    status: str
    started_at: datetime
    ended_at: datetime | None
    end_reason: str | None
    resumable_until: datetime | None
    received_ms: int
    decoded_ms: int
    final_ms: int

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be said."""
        return self.status in ("closed", "interrupted") and self.resumable_until is None


@dataclass(frozen=True, slots=True)
class Safe:
    """The finals of so many utterances are stored, and the audio before will not be needed again."""

    utterances: int
    audio_ms: int


@dataclass(frozen=True, slots=True)
class GoingAway:
    """The server is about to stop; a stream that is resumable goes on at another one by itself."""

    deadline_s: float
    resumable: bool


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """An utterance begins."""

    utterance: int
    start_ms: int


@dataclass(frozen=True, slots=True)
class Partial:
    """The text of an utterance so far; the next one replaces it, and only extends ``stable``."""

    utterance: int
    revision: int
    start_ms: int
    end_ms: int
    text: str
    stable: str
    volatile: str
    language: str | None


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """An utterance has ended; its final follows."""

    utterance: int
    start_ms: int
    end_ms: int
    forced: bool


@dataclass(frozen=True, slots=True)
class Final:
    """The one text of an utterance; empty if no word was heard. ``durable``: it is stored."""

    utterance: int
    start_ms: int
    end_ms: int
    text: str
    language: str | None
    timing: str
    words: list[Word]
    durable: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """The utterance stays without text; in the place of its final."""

    utterance: int
    start_ms: int
    end_ms: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The last event of a stream."""

    reason: str
    received_ms: int
    decoded_ms: int
    final_ms: int


Event: TypeAlias = (
    Started | Resumed | Reconnecting | Safe | GoingAway | SpeechStarted | Partial | SpeechEnded | Final | Failed | Ended
)

FollowedEvent: TypeAlias = Session | Reconnecting | SpeechStarted | Partial | SpeechEnded | Final | Failed

_KINDS: dict[str, type[Event]] = {
    "started": Started,
    "resumed": Resumed,
    "safe": Safe,
    "going_away": GoingAway,
    "speech_started": SpeechStarted,
    "partial": Partial,
    "speech_ended": SpeechEnded,
    "final": Final,
    "failed": Failed,
    "ended": Ended,
}


def read_event(message: Mapping[str, Any]) -> Event | None:
    """The event that a message tells; ``None`` if it tells none, or of a kind that a newer server has.

    Fields that are not known here are left out.
    """
    kind = _KINDS.get(message["type"])
    if kind is None:
        return None
    values = {field.name: message[field.name] for field in fields(kind)}
    if kind is Final:
        values["words"] = [Word(**word) for word in message["words"]]
    return kind(**values)


def read_followed_event(
    name: str, message: Mapping[str, Any]
) -> Session | SpeechStarted | Partial | SpeechEnded | Final | Failed | None:
    """The event that a follower is told under a name; ``None`` if it is of a kind that a newer server has."""
    if name == "session":
        return read_session(message)
    event = read_event({**message, "type": name})
    return event if isinstance(event, SpeechStarted | Partial | SpeechEnded | Final | Failed) else None


def read_session(message: Mapping[str, Any]) -> Session:
    """The session as a route tells it."""
    values = {field.name: message[field.name] for field in fields(Session) if field.name != "session_id"}
    moments = {
        name: datetime.fromisoformat(values[name])
        for name in ("started_at", "ended_at", "resumable_until")
        if values[name] is not None
    }
    return Session(session_id=message["id"], **values | moments)
