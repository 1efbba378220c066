"""Events as they leave this process: JSON with a type and a version, described in docs/api/events.md.

The payload of each type is made of the domain's own dataclass. Raise ``VERSION`` when an event of the last release would
be misread, and read both; a field that is added is no new version, since readers ignore what they do not know.

What holds in one process only is left out: ``at_s`` becomes ``occurred_at`` and back, and secrets for the client stay here.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from pydantic import AwareDatetime, BaseModel, TypeAdapter, ValidationError

from asr_service.domain.events.recognition_events import (
    PartialRecognized,
    SpeechEnded,
    SpeechStarted,
    UtteranceEvent,
    UtteranceFailed,
    UtteranceFinalized,
)
from asr_service.domain.events.session_events import (
    SessionEnded,
    SessionEvent,
    SessionRecovered,
    SessionResumed,
    SessionStarted,
)
from asr_service.shared.clock import Clock

VERSION: Final = 1

EVENT_TYPES: Final[Mapping[str, type[SessionEvent]]] = {
    "session.started": SessionStarted,
    "session.resumed": SessionResumed,
    "session.recovered": SessionRecovered,
    "session.ended": SessionEnded,
    "utterance.started": SpeechStarted,
    "utterance.partial": PartialRecognized,
    "utterance.ended": SpeechEnded,
    "utterance.finalized": UtteranceFinalized,
    "utterance.failed": UtteranceFailed,
}
"""Every event that leaves, by its name outside; a name is never given to another event."""

_NAMES: Final = {kind: name for name, kind in EVENT_TYPES.items()}
_ADAPTERS: Final[Mapping[str, TypeAdapter[Any]]] = {name: TypeAdapter(kind) for name, kind in EVENT_TYPES.items()}
_OF_THIS_PROCESS: Final = {"session_id", "at_s", "endpoint_at_s", "durable", "resume", "outcomes", "ending"}


class EventUnreadable(Exception):
    """It is no event, or one of another version. The message quotes nothing of it."""


class EventEnvelope(BaseModel):
    """What all events have in common.

    Attributes:
        id: The same for each telling of one event.
    """

    type: str
    version: int
    id: str
    occurred_at: AwareDatetime
    session_id: str
    payload: dict[str, Any]


class IntegrationEvents:
    """Translates between events of this process and their JSON."""

    def __init__(self, clock: Clock) -> None:
        """Takes the clock by which ``at_s`` is told."""
        self._clock = clock

    def to_json(self, event: SessionEvent) -> str:
        """The event as it leaves; a lone surrogate, which no encoding takes, becomes a question mark."""
        age_s = self._clock.monotonic_s() - event.at_s
        envelope = {
            "type": _NAMES[type(event)],
            "version": VERSION,
            "id": _id_of(event),
            "occurred_at": (self._clock.now() - timedelta(seconds=age_s)).isoformat(),
            "session_id": event.session_id,
            "payload": _payload(event),
        }
        text = json.dumps(envelope, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "replace").decode("utf-8")

    def from_json(self, text: str) -> SessionEvent:
        """The event in a text; its ``at_s`` is what it would be, had it happened here.

        Raises:
            EventUnreadable: There is none.
        """
        envelope = envelope_of(text)
        if envelope.version != VERSION:
            raise EventUnreadable(f"version {envelope.version}")
        at_s = self._clock.monotonic_s() - _seconds(self._clock.now() - envelope.occurred_at)
        return _event(envelope.type, envelope.session_id, at_s, envelope.payload)


def envelope_of(text: str) -> EventEnvelope:
    """What all events have in common; the payload is not looked at.

    Raises:
        EventUnreadable: It is no event.
    """
    try:
        return EventEnvelope.model_validate_json(text)
    except ValidationError as error:
        raise EventUnreadable(f"envelope: {_first_problem(error)}") from None


def _id_of(event: SessionEvent) -> str:
    """The same whoever tells it, and however often: so that who has seen it knows."""
    match event:
        case PartialRecognized():
            place = f"{event.utterance}.{event.revision}"
        case UtteranceEvent():
            place = str(event.utterance)
        case SessionRecovered():
            place = f"{event.epoch}.{len(event.outcomes)}"
        case SessionResumed() | SessionEnded():
            place = str(event.epoch)
        case _:
            place = "1"
    return f"{event.session_id}/{_NAMES[type(event)]}/{place}"


def _payload(event: SessionEvent) -> dict[str, Any]:
    adapter = _ADAPTERS[_NAMES[type(event)]]
    payload: dict[str, Any] = adapter.dump_python(event, mode="json", exclude=_OF_THIS_PROCESS)
    if isinstance(event, SessionResumed | SessionRecovered):
        payload["outcomes"] = [
            {"type": _NAMES[type(outcome)], "payload": _payload(outcome)} for outcome in event.outcomes
        ]
    if isinstance(event, SessionRecovered):
        payload["ending"] = None if event.ending is None else _payload(event.ending)
    return payload


def _event(name: str, session_id: str, at_s: float, payload: Mapping[str, Any]) -> SessionEvent:
    if name not in _ADAPTERS:
        raise EventUnreadable("unknown type")
    fields: dict[str, Any] = {**payload, "session_id": session_id, "at_s": at_s}
    try:
        if name == "utterance.finalized":
            fields["endpoint_at_s"] = at_s
        if name in ("session.resumed", "session.recovered"):
            fields["outcomes"] = tuple(
                _event(item["type"], session_id, at_s, item["payload"]) for item in payload["outcomes"]
            )
        if name == "session.recovered" and payload["ending"] is not None:
            fields["ending"] = _event("session.ended", session_id, at_s, payload["ending"])
        event: SessionEvent = _ADAPTERS[name].validate_python(fields)
    except ValidationError as error:
        raise EventUnreadable(f"{name}: {_first_problem(error)}") from None
    except (KeyError, TypeError) as error:  # what is nested is not as it should be
        raise EventUnreadable(f"{name}: {type(error).__name__}") from None
    return event


def _seconds(age: timedelta) -> float:
    return age / timedelta(seconds=1)


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['type']}"
