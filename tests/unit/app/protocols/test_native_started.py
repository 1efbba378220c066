"""What ``started`` says about wishes, besides what the golden dialogues show."""

import json
from dataclasses import replace
from typing import Any

import pytest

from asr_service.app.api.v1.websocket.protocols.native import NativeCodec
from asr_service.domain.value_objects.asr_config import Numbers, RecognitionOptions, SessionConfig
from tests.fixtures.dialogues import CAPABILITIES, event

WISHES: dict[str, tuple[dict[str, Any], str]] = {
    "hotwords": ({"hotwords": ("达摩院",)}, "hotwords"),
    "prompt": ({"prompt": "before"}, "prompt"),
    "word_times": ({"word_times": True}, "word_times"),
    "numbers": ({"numbers": Numbers.SPOKEN}, "spoken_numbers"),
}


@pytest.mark.parametrize("wish", WISHES)
def test_a_wish_is_unsupported_if_the_engine_cannot_fulfil_it(wish: str) -> None:
    options, capability = WISHES[wish]
    for can in (True, False):
        codec = NativeCodec(replace(CAPABILITIES, **{capability: can}), SessionConfig())
        wished = SessionConfig(options=RecognitionOptions(**{"word_times": False, **options}))
        (frame,) = codec.encode(event("SessionStarted", config=wished))
        started = json.loads(frame)
        assert started["unsupported"] == ([] if can else [wish])
        assert started["capabilities"][capability] is can
