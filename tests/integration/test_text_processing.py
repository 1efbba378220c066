"""What clients are told of numbers, capitals and masks, over each of their protocols."""

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from asr_service.infrastructure.config.sections import TextSettings
from asr_service.infrastructure.text.masking import MaskingStep
from asr_service.infrastructure.text.text_chain import TextChain
from asr_service.recognizers import make_text_chain
from tests.fixtures.app import RunningApp, StartApp, wav
from tests.fixtures.live_sessions import silence, sound, utterances
from tests.fixtures.sockets import ScriptedSocket

pytestmark = pytest.mark.usefixtures("tidy")

NATIVE, FUNASR = "/api/v1/stream", "/"
SAID = "damn i paid twenty five dollars on March third"
TALK = wav(sound(500) + silence(2_000))


def says(text: str) -> Any:
    return lambda request: text


@pytest.fixture
def chain(tmp_path: Path) -> TextChain:
    """With a list of words to mask for everybody."""
    (tmp_path / "words.txt").write_text("damn\n", encoding="utf-8")
    return make_text_chain(TextSettings(masked_words=tmp_path / "words.txt"))


async def _stream(running: RunningApp, path: str, frames: Iterable[dict[str, Any] | bytes]) -> list[dict[str, Any]]:
    """The messages of one session; a connection that stays open after its last one is left then."""
    socket = ScriptedSocket(path)
    for frame in frames:
        socket.say(frame)
    serving = asyncio.create_task(socket.served_by(running.app))
    if path == FUNASR:
        await socket.hear_until(is_final=True)
        socket.leave()
    await serving
    return socket.messages


async def test_a_native_client_gets_text_as_it_asked_for_it(start_app: StartApp, chain: TextChain) -> None:
    start = {"type": "start", "language": "en", "numbers": "written", "casing": "sentence", "mask": False}
    async with start_app(answer=says(SAID), chain=chain) as running:
        messages = await _stream(running, NATIVE, [start, utterances(1), {"type": "end"}])
    started = messages[0]
    assert started["wishes"] == {
        "word_times": "applied",
        "casing": "applied",
        "mask": "unsupported",
        "numbers": "emulated",
    }
    assert started["unsupported"] == ["mask"]
    (final,) = [message for message in messages if message["type"] == "final"]
    assert final["text"] == "**** i paid $25 on March 3rd"
    assert [word["text"] for word in final["words"]] == ["****", "i", "paid", "$25", "on", "March", "3rd"]
    shown = [message["text"] for message in messages if message["type"] == "partial"]
    assert all("damn" not in text for text in shown)


async def test_text_is_by_default_as_it_was_recognized(start_app: StartApp) -> None:
    plain = TextChain.of(MaskingStep(optional=False))
    async with start_app(answer=says(SAID), chain=plain) as running:
        messages = await _stream(running, NATIVE, [{"type": "start"}, utterances(1), {"type": "end"}])
    (final,) = [message for message in messages if message["type"] == "final"]
    assert final["text"] == SAID
    assert messages[0]["wishes"] == {"word_times": "applied"}


async def test_the_server_may_be_set_to_write_numbers(start_app: StartApp, chain: TextChain) -> None:
    async with start_app(answer=says(SAID), chain=chain, text={"numbers": "written", "casing": "lower"}) as running:
        messages = await _stream(running, NATIVE, [{"type": "start"}, utterances(1), {"type": "end"}])
        recording = await running.transcribe(TALK)
    (final,) = [message for message in messages if message["type"] == "final"]
    assert final["text"] == recording.json()["text"] == "**** i paid $25 on march 3rd"


@pytest.mark.parametrize(
    ("itn", "said", "told"),
    [
        (True, "twenty five percent", "25%"),
        (False, "twenty five percent", "twenty five percent"),
        (False, "25% of them", "twenty five percent of them"),
    ],
)
async def test_funasrs_itn_decides_how_numbers_are_written(
    start_app: StartApp, chain: TextChain, itn: bool, said: str, told: str
) -> None:
    begin = {"mode": "offline", "itn": itn, "is_speaking": True}
    async with start_app(answer=says(said), chain=chain) as running:
        messages = await _stream(running, FUNASR, [begin, sound(500), {"is_speaking": False}])
    assert messages[-1]["text"] == told
    assert json.loads(messages[-1]["timestamp"])


async def test_a_form_may_say_how_text_is_to_be_written(start_app: StartApp, chain: TextChain) -> None:
    async with start_app(answer=says(SAID), chain=chain) as running:
        answer = await running.transcribe(TALK, numbers="written", casing="lower", mask="true", script="traditional")
        refusals = [
            (await running.transcribe(TALK, **fields)).json()["error"]
            for fields in ({"mask": "false"}, {"casing": "loud"})
        ]
    async with start_app() as running:
        refusals.append((await running.transcribe(TALK, numbers="written")).json()["error"])
    assert answer.json()["text"] == "**** i paid $25 on march 3rd"
    assert [(refusal["code"], refusal["param"]) for refusal in refusals] == [
        ("unsupported_option", "mask"),
        ("invalid_request", "casing"),
        ("unsupported_option", "numbers"),
    ]
