"""Events outside of this process: what is promised of their form, and that everything in them comes back."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from asr_service.domain.events.recognition_events import UtteranceFinalized
from asr_service.domain.events.session_events import (
    AudioSafe,
    SessionEnded,
    SessionEvent,
    SessionRecovered,
    SessionResumed,
    SessionStarted,
)
from asr_service.infrastructure.messaging.integration_events import (
    EVENT_TYPES,
    VERSION,
    EventEnvelope,
    EventUnreadable,
    IntegrationEvents,
    envelope_of,
)
from tests.fakes.clocks import START, FakeClock
from tests.fixtures.integration_events import EVENTS, TOKEN
from tests.fixtures.journaled_sessions import ADA, CONFIG, final

GOLDEN = Path(__file__).resolve().parent / "golden_events"
HOUR_S = 3_600.0


@pytest.fixture
def clock() -> FakeClock:
    clock = FakeClock()
    clock.advance(HOUR_S)
    return clock


@pytest.fixture
def codec(clock: FakeClock) -> IntegrationEvents:
    return IntegrationEvents(clock)


def golden() -> dict[str, str]:
    """The line of each type."""
    lines = (GOLDEN / "v1.jsonl").read_text(encoding="utf-8").splitlines()
    return {json.loads(line)["type"]: line for line in lines}


def as_read(event: SessionEvent) -> SessionEvent:
    """The event without what stays in its process; times of outcomes are those of the event that they came in."""
    match event:
        case SessionStarted():
            return replace(event, resume=None)
        case SessionResumed():
            return replace(event, resume=None, outcomes=tuple(told_at(one, event.at_s) for one in event.outcomes))
        case SessionRecovered():
            assert event.ending is not None
            outcomes = tuple(told_at(one, event.at_s) for one in event.outcomes)
            return replace(event, outcomes=outcomes, ending=replace(event.ending, at_s=event.at_s))
        case UtteranceFinalized():
            return told_at(event, event.at_s)
    return event


def told_at(event: SessionEvent, at_s: float) -> SessionEvent:
    if isinstance(event, UtteranceFinalized):
        return replace(event, at_s=at_s, endpoint_at_s=at_s)
    return replace(event, at_s=at_s)


def test_there_is_an_example_of_every_type() -> None:
    assert {name: type(event) for name, event in EVENTS.items()} == dict(EVENT_TYPES)


def holds(written: Any, promised: Any) -> bool:
    """Whether everything that is promised is there; a field more is no new version."""
    if isinstance(promised, dict):
        return isinstance(written, dict) and all(
            name in written and holds(written[name], value) for name, value in promised.items()
        )
    if isinstance(promised, list):
        return len(written) == len(promised) and all(map(holds, written, promised))
    return bool(written == promised)


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_an_event_is_written_as_it_always_was(codec: IntegrationEvents, name: str) -> None:
    assert holds(json.loads(codec.to_json(EVENTS[name])), json.loads(golden()[name]))


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_an_event_is_read_as_it_was_published(codec: IntegrationEvents, name: str) -> None:
    read = codec.from_json(golden()[name])
    expected = as_read(EVENTS[name])
    assert read.at_s == pytest.approx(expected.at_s, abs=1e-5)
    assert codec.to_json(read) == codec.to_json(codec.from_json(codec.to_json(read)))
    assert replace(told_at(read, 0.0), **_nested(read)) == replace(told_at(expected, 0.0), **_nested(expected))


def _nested(event: SessionEvent) -> dict[str, Any]:
    """What of an event has times of its own, without them."""
    fields: dict[str, Any] = {}
    if isinstance(event, SessionResumed | SessionRecovered):
        fields["outcomes"] = tuple(told_at(one, 0.0) for one in event.outcomes)
    if isinstance(event, SessionRecovered) and event.ending is not None:
        fields["ending"] = replace(event.ending, at_s=0.0)
    return fields


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_what_is_written_fits_the_schema_of_the_envelope(codec: IntegrationEvents, name: str) -> None:
    schema = json.loads((GOLDEN / "envelope.schema.json").read_text(encoding="utf-8"))
    assert EventEnvelope.model_json_schema() == schema
    jsonschema_rs.validate(schema, json.loads(codec.to_json(EVENTS[name])))


def test_when_it_happened_is_told_by_the_wall_clock_and_found_again_elsewhere(clock: FakeClock) -> None:
    text = IntegrationEvents(clock).to_json(replace(final(0), at_s=HOUR_S - 90.0))
    assert envelope_of(text).occurred_at.timestamp() == START.timestamp() + HOUR_S - 90.0
    elsewhere = FakeClock()  # of the same time, and an hour old too
    elsewhere.advance(HOUR_S)
    assert IntegrationEvents(elsewhere).from_json(text).at_s == HOUR_S - 90.0


def test_the_id_is_the_same_whenever_and_by_whomever_it_is_told(codec: IntegrationEvents, clock: FakeClock) -> None:
    ids = [envelope_of(codec.to_json(event)).id for event in EVENTS.values()]
    clock.advance(5.0)
    assert [envelope_of(codec.to_json(event)).id for event in EVENTS.values()] == ids
    assert len(set(ids)) == len(ids)
    others = [final(1), replace(EVENTS["session.resumed"], epoch=3), replace(EVENTS["utterance.partial"], revision=3)]
    assert {envelope_of(codec.to_json(event)).id for event in others}.isdisjoint(ids)


def test_the_secret_of_the_client_stays_here(codec: IntegrationEvents) -> None:
    assert [name for name, event in EVENTS.items() if TOKEN in codec.to_json(event)] == []


def test_a_lone_surrogate_becomes_a_question_mark(codec: IntegrationEvents) -> None:
    event = SessionStarted(session_id="ses_1", at_s=0.0, caller=ADA, config=replace(CONFIG, name="a\ud800b"))
    read = codec.from_json(codec.to_json(event))
    assert isinstance(read, SessionStarted)
    assert read.config.name == "a?b"


def test_a_field_of_a_later_release_is_ignored(codec: IntegrationEvents) -> None:
    fields = json.loads(golden()["session.ended"])
    fields["payload"]["of_a_later_release"] = 1
    fields["of_a_later_release"] = 1
    assert isinstance(codec.from_json(json.dumps(fields)), SessionEnded)


@pytest.mark.parametrize("name", ["session.recovered", "session.resumed", "session.ended"])
@pytest.mark.parametrize(
    "change",
    [
        lambda fields: fields.update(version=VERSION + 1),
        lambda fields: fields.update(type="session.sung"),
        lambda fields: fields.update(occurred_at="2026-01-02T03:04:05"),
        lambda fields: fields.update(payload=[]),
        lambda fields: fields.pop("id"),
        lambda fields: fields["payload"].clear(),
        lambda fields: fields["payload"].update(outcomes=3, reason="?"),
        lambda fields: fields["payload"].update(outcomes=[{"type": "session.sung", "payload": {}}], reason="?"),
    ],
    ids=["later version", "other type", "no time zone", "no payload", "no id", "empty", "no outcomes", "other outcome"],
)
def test_what_is_no_event_of_this_version_is_refused_and_not_quoted(
    codec: IntegrationEvents, name: str, change: Callable[[dict[str, Any]], object]
) -> None:
    fields = json.loads(golden()[name])
    change(fields)
    with pytest.raises(EventUnreadable) as failure:
        codec.from_json(json.dumps(fields))
    assert "ada" not in str(failure.value)


def test_what_is_no_json_is_refused(codec: IntegrationEvents) -> None:
    with pytest.raises(EventUnreadable):
        codec.from_json("{")


def test_what_is_for_the_client_only_does_not_leave(codec: IntegrationEvents) -> None:
    with pytest.raises(KeyError):
        codec.to_json(AudioSafe(session_id="ses_1", at_s=0.0, replay_from=0, utterances=0))
