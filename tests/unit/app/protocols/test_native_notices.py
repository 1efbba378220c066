"""What a client of the native protocol is told besides what was said."""

import json
from typing import Any

import pytest

from asr_service.app.api.v1.websocket.protocols.native import NativeCodec
from asr_service.domain.events.session_events import (
    AudioSafe,
    FlowChanged,
    FlowState,
    HandoverAnnounced,
    ResumeOffer,
    SessionEvent,
    SessionResumed,
)
from asr_service.domain.value_objects.asr_config import SessionConfig
from asr_service.domain.value_objects.caller import LOCAL_CALLER
from tests.fixtures.dialogues import CAPABILITIES
from tests.fixtures.wire_schemas import schema_violation

ABOUT: dict[str, Any] = {"session_id": "ses_1", "at_s": 0.0}


def told(event: SessionEvent) -> dict[str, Any]:
    (frame,) = NativeCodec(CAPABILITIES, SessionConfig()).encode(event)
    message: dict[str, Any] = json.loads(str(frame))
    assert schema_violation("server", message) is None
    return message


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (AudioSafe(**ABOUT, replay_from=32_000, utterances=2), {"type": "safe", "utterances": 2, "audio_ms": 1_880}),
        (
            HandoverAnnounced(**ABOUT, deadline_s=30.0, resumable=False),
            {"type": "going_away", "deadline_s": 30.0, "resumable": False},
        ),
        (
            FlowChanged(**ABOUT, state=FlowState.INPUT_WAITS, waiting_ms=250),
            {"type": "flow", "state": "input_waits", "waiting_ms": 250},
        ),
    ],
)
def test_notices_are_told(event: SessionEvent, message: dict[str, Any]) -> None:
    assert told(event) == {"seq": 1, **message}


def test_a_resumed_session_says_where_it_goes_on() -> None:
    offer = ResumeOffer(token="secret", expires_s=600.0)
    message = told(
        SessionResumed(
            **ABOUT, caller=LOCAL_CALLER, config=SessionConfig(), utterances=3, replay_from=32_000, resume=offer
        )
    )
    assert (message["type"], message["utterances"], message["audio_from_ms"]) == ("resumed", 3, 1_880)
    assert message["resume"] == {"token": "secret", "expires_s": 600.0}
