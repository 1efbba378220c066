"""Transcriptions that are sent while they are made, and translations."""

import asyncio
import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from asr_service.app.api.openai import event_stream
from asr_service.domain.ports.recognizer import RecognitionFailed, RecognitionRequest
from asr_service.domain.value_objects.asr_config import Task
from tests.fakes.engines import CAPABILITIES
from tests.fixtures.app import RunningApp, StartApp, wav
from tests.fixtures.live_sessions import silence, sound
from tests.fixtures.uploads import Upload, upload_of

pytestmark = pytest.mark.usefixtures("tidy")

TALK = wav((sound(500) + silence(2_000)) * 2)
TRANSLATIONS = "/v1/audio/translations"


def _first_then(text: str) -> Callable[[RecognitionRequest], str]:
    return lambda request: "你好。" if request.utterance == 0 else text


def _second_fails(request: RecognitionRequest) -> str | RecognitionFailed:
    return RecognitionFailed("The engine died twice.") if request.utterance == 1 else "word"


def _frames(text: str) -> list[Any]:
    """The events of a stream; the one named error is its data in a list of its own."""
    frames = text.split("\n\n")
    assert frames.pop() == ""
    named = [frame.removeprefix("event: error\n") for frame in frames]
    return [
        json.loads(data.removeprefix("data: ")) if data == frame else [json.loads(data.removeprefix("data: "))]
        for data, frame in zip(named, frames, strict=True)
        if not data.startswith(":")
    ]


# --- streams


@pytest.mark.parametrize("text", ["再见。", "Go on.", ""])
@pytest.mark.parametrize("response_format", ["json", "text"])
async def test_the_parts_are_the_whole(start_app: StartApp, text: str, response_format: str) -> None:
    async with start_app(answer=_first_then(text)) as service:
        whole = await service.transcribe(TALK)
        answer = await service.transcribe(TALK, stream="true", response_format=response_format)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-request-id"].startswith("req_")
    *deltas, done = _frames(answer.text)
    assert [delta["type"] for delta in deltas] == ["transcript.text.delta"] * (2 if text else 1)
    assert done == {"type": "transcript.text.done", "text": whole.json()["text"]}
    assert "".join(delta["delta"] for delta in deltas) == done["text"]


async def test_silence_is_a_stream_without_parts(service: RunningApp) -> None:
    answer = await service.transcribe(wav(silence(500)), stream="1")
    assert _frames(answer.text) == [{"type": "transcript.text.done", "text": ""}]


async def test_what_goes_wrong_before_the_first_part_has_its_own_status(start_app: StartApp) -> None:
    async with start_app(answer=lambda request: RecognitionFailed("The engine died twice.")) as service:
        no_audio = await service.transcribe(b"no recording " * 40, stream="true")
        no_text = await service.transcribe(TALK, stream="true")
    assert (no_audio.status_code, no_audio.json()["error"]["code"]) == (400, "audio_not_decodable")
    assert (no_text.status_code, no_text.json()["error"]["code"]) == (500, "recognition_failed")


async def test_what_goes_wrong_later_is_an_event_and_the_last_one(start_app: StartApp) -> None:
    async with start_app(answer=_second_fails) as service:
        with capture_logs() as lines:
            answer = await service.transcribe(TALK, stream="true")
    delta, (failure,) = _frames(answer.text)
    assert delta == {"type": "transcript.text.delta", "delta": "word"}
    error = failure["error"]
    assert (error["type"], error["code"], error["param"]) == ("server_error", "recognition_failed", None)
    (warning,) = [line for line in lines if line["log_level"] == "warning"]
    assert (warning["event"], warning["code"]) == ("event_stream_failed", "recognition_failed")


def _sent_text(upload: Upload) -> str:
    return b"".join(message.get("body", b"") for message in upload.sent).decode()


async def _streaming_upload(service: RunningApp) -> Upload:
    upload = await upload_of(service, TALK, stream="true")
    upload.send_up_to(1 << 30)
    return upload


async def test_parts_are_sent_as_soon_as_they_are_final(service: RunningApp) -> None:
    upload = await _streaming_upload(service)
    service.recognizer.hold(lambda request: request.utterance == 1)
    serving = asyncio.create_task(upload.served_by(service.app))
    await upload.wait_until(lambda: '"delta"' in _sent_text(upload))
    assert '"transcript.text.done"' not in _sent_text(upload)
    await service.recognizer.release()
    await serving
    assert _frames(_sent_text(upload))[-1]["type"] == "transcript.text.done"
    assert upload.sent[-1]["more_body"] is False


async def test_a_long_silence_is_filled_with_comments(service: RunningApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "PING_INTERVAL_S", 0.001)
    upload = await _streaming_upload(service)
    service.recognizer.hold()
    serving = asyncio.create_task(upload.served_by(service.app))
    await upload.wait_until(lambda: _sent_text(upload).count(": ping\n\n") >= 3)
    await service.recognizer.release()
    await serving
    assert [event["type"] for event in _frames(_sent_text(upload))][-1] == "transcript.text.done"


@pytest.mark.parametrize("begun", [False, True])
async def test_nobody_works_for_a_listener_who_has_gone(
    service: RunningApp, begun: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    upload = await _streaming_upload(service)
    service.recognizer.hold(lambda request: request.utterance == 1 or not begun)
    serving = asyncio.create_task(upload.served_by(service.app))
    await service.recognizer.wait_for_requests(2)
    if begun:
        await upload.wait_until(lambda: '"delta"' in _sent_text(upload))
    upload.leave()
    await serving
    assert len(service.recognizer.withdrawn) == (1 if begun else 2)
    assert upload.sent[0]["status"] == (200 if begun else 408)
    assert list(tmp_path.glob("asr-upload-*")) == []  # noqa: ASYNC240 - a folder of this test


# --- translations

TRANSLATOR = replace(CAPABILITIES, translation=True)


@pytest.mark.parametrize(
    ("response_format", "content_type", "body"),
    [
        ("json", "application/json", {"text": "Hello. Hello."}),
        ("text", "text/plain; charset=utf-8", "Hello. Hello.\n"),
        ("srt", "text/plain; charset=utf-8", None),
        ("vtt", "text/vtt; charset=utf-8", None),
    ],
)
async def test_a_translation_has_the_same_formats(
    start_app: StartApp, response_format: str, content_type: str, body: Any
) -> None:
    async with start_app(capabilities=TRANSLATOR, answer=lambda request: "Hello.") as service:
        answer = await service.transcribe(TALK, path=TRANSLATIONS, response_format=response_format, prompt="Hi.")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == content_type
    assert answer.text.count("Hello.") == 2
    if body is not None:
        assert (answer.json() if isinstance(body, dict) else answer.text) == body
    options = service.recognizer.requests[0].options
    assert (options.task, options.word_times, options.prompt) == (Task.TRANSLATE, False, "Hi.")


async def test_a_translation_is_english_whatever_was_spoken(start_app: StartApp) -> None:
    async with start_app(capabilities=TRANSLATOR) as service:
        answer = await service.transcribe(TALK, path=TRANSLATIONS, response_format="verbose_json", language="zh")
    document = answer.json()
    assert document.keys() == {"task", "language", "duration", "text", "segments"}
    assert (document["task"], document["language"]) == ("translate", "english")
    assert service.recognizer.requests[0].options.language == "zh"


async def test_a_model_that_cannot_translate_says_so(service: RunningApp) -> None:
    answer = await service.transcribe(TALK, path=TRANSLATIONS)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", "model", "unsupported_model")


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"model": "whisper-9"}, 404, None),
        ({"response_format": "diarized_json"}, 400, "response_format"),
        ({"temperature": "7"}, 400, "temperature"),
    ],
)
async def test_a_wrong_wish_for_a_translation_is_named(
    start_app: StartApp, fields: dict[str, str], status: int, param: str | None
) -> None:
    async with start_app(capabilities=TRANSLATOR) as service:
        answer = await service.transcribe(TALK, path=TRANSLATIONS, **fields)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)
