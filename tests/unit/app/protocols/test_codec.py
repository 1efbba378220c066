"""Text frames that are taken for JSON."""

import json

import pytest

from asr_service.app.api.v1.websocket.protocols.codec import MAX_JSON_CHARACTERS, MalformedMessage, read_json


@pytest.mark.parametrize("value", [{}, [1, 2.5, None, True], "你好 😀", {"a": {"b": ["c"]}}, 10**300])
def test_json_is_read(value: object) -> None:
    assert read_json(json.dumps(value)) == value


@pytest.mark.parametrize(
    "text",
    ["", "{", "{'a': 1}", "NaN", "[Infinity]", "1e999", r'"\ud83d"', r'{"\udc00": 1}', "[" * 100_000, "9" * 5_000],
)
def test_what_could_not_be_sent_back_is_no_json(text: str) -> None:
    with pytest.raises(MalformedMessage, match="The text frame is no JSON"):
        read_json(text)


def test_a_text_that_would_hold_up_others_is_not_even_read() -> None:
    assert read_json('"' + "x" * (MAX_JSON_CHARACTERS - 2) + '"')
    with pytest.raises(MalformedMessage, match="longer than 1048576 characters"):
        read_json('"' + "x" * (MAX_JSON_CHARACTERS - 1) + '"')


def test_a_hint_is_passed_on() -> None:
    with pytest.raises(MalformedMessage) as refused:
        read_json("{", hint="Try this.")
    assert refused.value.hint == "Try this."
