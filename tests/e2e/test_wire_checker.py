"""The checker that every dialogue of these tests goes through accepts what is promised, and nothing else."""

from collections.abc import Callable
from typing import Any

import pytest

from asr_service.app.dto.native_examples import SERVER_EXAMPLES
from tests.fixtures.wire_checker import WireChecker, WireViolation, check_session

Messages = list[dict[str, Any]]
EXAMPLES = {example["type"]: example for example in SERVER_EXAMPLES}


def dialogue() -> Messages:
    """A session with one utterance, as the protocol's description has it."""
    word = {"text": "hello", "start_ms": 200, "end_ms": 700, "confidence": 0.9}
    span = {"utterance": 0, "start_ms": 100, "end_ms": 900}
    messages: Messages = [
        {"type": "started", "protocol": 1},
        {"type": "speech_started", "utterance": 0, "start_ms": 100},
        partial(1, stable="", volatile="hell"),
        {"type": "pong", "id": None},
        partial(2, stable="hello", volatile=" there"),
        {"type": "speech_ended", **span, "forced": False},
        {"type": "final", **span, "text": "hello", "timing": "aligned", "words": [word]},
        {"type": "ended", "reason": "completed", "received_ms": 1_500, "decoded_ms": 1_500, "final_ms": 1_500},
    ]
    return numbered(messages)


def partial(revision: int, *, stable: str, volatile: str) -> dict[str, Any]:
    """A partial that has listened the longer, the higher its revision."""
    listened_to = {"start_ms": 100, "end_ms": 100 + 300 * revision}
    text = {"text": stable + volatile, "stable": stable, "volatile": volatile}
    return {"type": "partial", "utterance": 0, "revision": revision, **listened_to, **text}


def numbered(messages: Messages) -> Messages:
    """With ``seq`` as it has to be, and the fields that do not matter here as in the published examples."""
    return [{**EXAMPLES[message["type"]], **message, "seq": number} for number, message in enumerate(messages, start=1)]


def test_what_is_promised_is_accepted() -> None:
    check_session(dialogue())


def changed(index: int, **fields: Any) -> Callable[[Messages], Messages]:
    return lambda messages: [
        message | fields if number == index else message for number, message in enumerate(messages)
    ]


def without(index: int) -> Callable[[Messages], Messages]:
    return lambda messages: numbered(messages[:index] + messages[index + 1 :])


def moved(index: int, to: int) -> Callable[[Messages], Messages]:
    def move(messages: Messages) -> Messages:
        rest = messages[:index] + messages[index + 1 :]
        return numbered([*rest[:to], messages[index], *rest[to:]])

    return move


WORD = {"text": "hello", "start_ms": 200, "end_ms": 700, "confidence": 0.9}


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(changed(3, mood="good"), id="a field that is not published"),
        pytest.param(changed(2, language=0), id="a field of another type"),
        pytest.param(changed(3, seq=9), id="a gap in seq"),
        pytest.param(changed(3, type="chatter"), id="an unknown type"),
        pytest.param(changed(0, protocol=2), id="another version"),
        pytest.param(without(0), id="no started"),
        pytest.param(without(7), id="no ended"),
        pytest.param(without(6), id="no final"),
        pytest.param(without(5), id="no speech_ended"),
        pytest.param(moved(7, 3), id="something after ended"),
        pytest.param(moved(4, 6), id="a partial after the final"),
        pytest.param(moved(4, 5), id="a partial after the endpoint"),
        pytest.param(moved(4, 2), id="revisions out of order"),
        pytest.param(changed(1, utterance=1), id="utterances not counted from 0"),
        pytest.param(changed(4, end_ms=300), id="time goes back"),
        pytest.param(changed(2, stable="hell!", volatile="", text="hell!"), id="stable text taken back"),
        pytest.param(changed(4, text="hello"), id="text that is not its parts"),
        pytest.param(changed(6, end_ms=950), id="a final with another span"),
        pytest.param(changed(6, words=[WORD | {"end_ms": 1_000}]), id="a word outside its utterance"),
        pytest.param(changed(6, words=[WORD, WORD]), id="words that overlap"),
        pytest.param(changed(6, timing="none"), id="invented word times"),
        pytest.param(changed(7, received_ms=1_400), id="more decoded than received"),
        pytest.param(changed(7, received_ms=1_600), id="completed without all audio"),
    ],
)
def test_a_broken_promise_is_found(broken: Callable[[Messages], Messages]) -> None:
    with pytest.raises(WireViolation):
        check_session(broken(dialogue()))


def test_a_second_answer_is_found() -> None:
    messages = dialogue()

    with pytest.raises(WireViolation, match="answered"):
        check_session(numbered([*messages[:7], messages[6], messages[7]]))


def test_the_flow_is_told_with_its_changes_only() -> None:
    messages = dialogue()
    waits: dict[str, Any] = {"type": "flow", "state": "input_waits"}
    flows: dict[str, Any] = {"type": "flow", "state": "normal"}

    check_session(numbered([*messages[:2], waits, flows, waits, *messages[2:]]))
    with pytest.raises(WireViolation, match="no change"):
        check_session(numbered([*messages[:2], waits, waits, *messages[2:]]))


def test_what_the_client_says_against_its_schema_has_to_be_refused() -> None:
    refusal: dict[str, Any] = {"type": "error", "code": "malformed_message"}
    for messages, refused in ((dialogue(), False), (numbered([refusal, *dialogue()]), True)):
        checker = WireChecker()
        checker.sent({"type": "start"})
        checker.sent({"type": "start", "wish": "unknown"})
        for message in messages:
            checker.check(message)
        if refused:
            checker.finish()
        else:
            with pytest.raises(WireViolation, match="not refused"):
                checker.finish()
