"""What ``started`` says about wishes, besides what the golden dialogues show."""

import json
from dataclasses import replace
from typing import Any

import pytest

from asr_service.app.api.v1.websocket.protocols.native import NativeCodec
from asr_service.domain.ports.recognizer import TextFeatures
from asr_service.domain.value_objects.asr_config import Casing, Numbers, RecognitionOptions, SessionConfig
from tests.fixtures.dialogues import CAPABILITIES, event

WISHES: dict[str, tuple[dict[str, Any], str]] = {
    "hotwords": ({"hotwords": ("达摩院",)}, "hotwords"),
    "prompt": ({"prompt": "before"}, "prompt"),
    "word_times": ({"word_times": True}, "word_times"),
    "numbers": ({"numbers": Numbers.SPOKEN}, "spoken_numbers"),
}
FEATURES = TextFeatures(
    scripts=True,
    written_numbers=frozenset({"zh", "en"}),
    spoken_numbers=frozenset({"en"}),
    punctuation=frozenset({"zh"}),
    casing=True,
    masking=True,
    unmasking=False,
)


@pytest.mark.parametrize("wish", WISHES)
def test_a_wish_is_unsupported_if_the_engine_cannot_fulfil_it(wish: str) -> None:
    options, capability = WISHES[wish]
    for can in (True, False):
        codec = NativeCodec(replace(CAPABILITIES, **{capability: can}), SessionConfig())
        wished = SessionConfig(options=RecognitionOptions(**{"word_times": False, **options}))
        (frame,) = codec.encode(event("SessionStarted", config=wished))
        started = json.loads(frame)
        assert started["unsupported"] == ([] if can else [wish])
        assert started["wishes"] == {wish: "applied" if can else "unsupported"}
        assert started["capabilities"][capability] is can


def test_what_is_made_of_texts_is_told() -> None:
    codec = NativeCodec(replace(CAPABILITIES, casing=False, text=FEATURES), SessionConfig())
    wished = SessionConfig(
        options=RecognitionOptions(numbers=Numbers.WRITTEN, casing=Casing.LOWER, mask=False, word_times=False)
    )
    (frame,) = codec.encode(event("SessionStarted", config=wished))
    started = json.loads(frame)
    assert started["capabilities"]["punctuation"] is True
    assert started["capabilities"]["casing"] is False
    assert started["capabilities"]["text"] == {
        "scripts": True,
        "written_numbers": ["en", "zh"],
        "spoken_numbers": ["en"],
        "punctuation": ["zh"],
        "casing": True,
        "masking": True,
        "unmasking": False,
    }
    assert started["wishes"] == {"casing": "applied", "mask": "unsupported", "numbers": "emulated"}
    assert started["unsupported"] == ["mask"]
    config = started["config"]
    assert (config["numbers"], config["casing"], config["mask"]) == ("written", "lower", False)
