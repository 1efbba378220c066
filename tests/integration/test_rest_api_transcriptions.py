"""``POST /v1/audio/transcriptions`` and ``GET /v1/models``, as the libraries of OpenAI's clients use them."""

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp, Message
from structlog.testing import capture_logs

from asr_service.app.dto.model_names import ALIASES
from asr_service.domain.ports.recognizer import RecognitionFailed, RecognizerOverloaded
from tests.fixtures.app import RunningApp, StartApp, wav
from tests.fixtures.live_sessions import silence, sound

pytestmark = pytest.mark.usefixtures("tidy")

TALK = wav(sound(500) + silence(2_000) + sound(500) + silence(2_000))
ROUTE = "/v1/audio/transcriptions"


def _says(text: str) -> Any:
    return lambda request: text


# --- what comes back


async def test_json_is_the_text_and_what_was_used(start_app: StartApp) -> None:
    async with start_app(answer=_says("Go on.")) as service:
        answer = await service.transcribe(TALK)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"text": "Go on. Go on.", "usage": {"type": "duration", "seconds": 5}}


@pytest.mark.parametrize(
    ("response_format", "content_type", "beginning"),
    [
        ("text", "text/plain; charset=utf-8", "你好。你好。\n"),
        ("srt", "text/plain; charset=utf-8", "1\n00:00:00,000 --> 00:00:0"),
        ("vtt", "text/vtt; charset=utf-8", "WEBVTT\n\n00:00:00.000 --> 00:00:0"),
    ],
)
async def test_texts_are_texts(start_app: StartApp, response_format: str, content_type: str, beginning: str) -> None:
    async with start_app(answer=_says("你好。")) as service:
        answer = await service.transcribe(TALK, response_format=response_format)
    assert answer.headers["content-type"] == content_type
    assert answer.text.startswith(beginning)
    assert answer.text.count("你好。") == 2


async def test_verbose_json_has_every_field_that_typed_clients_need(start_app: StartApp) -> None:
    async with start_app(answer=_says("Go on.")) as service:
        answer = (await service.transcribe(TALK, response_format="verbose_json")).json()
    assert (answer["task"], answer["language"], answer["duration"]) == ("transcribe", "english", 5.0)
    assert "words" not in answer
    assert [segment["id"] for segment in answer["segments"]] == [0, 1]
    for segment in answer["segments"]:
        assert segment.keys() == {
            *("id", "seek", "start", "end", "text", "tokens", "temperature"),
            *("avg_logprob", "compression_ratio", "no_speech_prob"),
        }
        assert 0 <= segment["start"] < segment["end"] <= 5.0


@pytest.mark.parametrize("name", ["timestamp_granularities[]", "timestamp_granularities"])
@pytest.mark.parametrize(
    ("wanted", "given"),
    [(["word"], {"words"}), (["segment"], {"segments"}), (["word", "segment"], {"words", "segments"})],
)
async def test_times_come_for_what_was_asked_in_both_spellings(
    service: RunningApp, name: str, wanted: list[str], given: set[str]
) -> None:
    answer = (await service.transcribe(TALK, response_format="verbose_json", **{name: wanted})).json()
    assert answer.keys() & {"words", "segments"} == given
    for word in answer.get("words", ()):
        assert word.keys() == {"word", "start", "end"}


@pytest.mark.parametrize(
    ("response_format", "body"),
    [("text", "\n"), ("srt", ""), ("vtt", "WEBVTT\n"), ("json", None), ("verbose_json", None)],
)
async def test_silence_has_the_same_form_and_no_text(
    service: RunningApp, response_format: str, body: str | None
) -> None:
    answer = await service.transcribe(
        wav(silence(1_500)), response_format=response_format, **{"timestamp_granularities[]": ["word", "segment"]}
    )
    assert answer.status_code == 200
    if body is not None:
        assert answer.text == body
    else:
        assert answer.json()["text"] == ""
        assert answer.json()["usage"] == {"type": "duration", "seconds": 2}
    if response_format == "verbose_json":
        assert {"language": "", "segments": [], "words": [], "duration": 1.5}.items() <= answer.json().items()


async def test_the_content_counts_and_not_the_name(service: RunningApp) -> None:
    # OpenAI's library calls a nameless stream ``upload``.
    for name in ("upload", "talk.mp3", "文件.wav", "x" * 200):
        assert (await service.transcribe(TALK, filename=name)).status_code == 200


async def test_wishes_reach_the_recognizer(service: RunningApp) -> None:
    await service.transcribe(
        TALK,
        model="whisper-1",
        language="zh-CN",
        prompt=" 人工智能 ",
        temperature="0.4",
        response_format="srt",
        unknown="ignored",
        **{"include[]": ["logprobs"], "chunking_strategy[type]": "server_vad", "stream": "false"},
    )
    options = service.recognizer.requests[0].options
    assert (options.language, options.prompt, options.temperature, options.word_times) == ("zh", "人工智能", 0.4, True)


async def test_word_times_are_made_only_where_they_are_shown(service: RunningApp) -> None:
    await service.transcribe(TALK, response_format="text")
    assert not service.recognizer.requests[0].options.word_times


async def test_a_recording_is_not_kept_as_a_session(service: RunningApp) -> None:
    await service.transcribe(TALK)
    assert (await service.client.get("/api/v1/sessions")).json()["items"] == []


# --- what is refused


@pytest.mark.parametrize(
    ("fields", "param", "part"),
    [
        ({"response_format": "xml"}, "response_format", "'xml' is no response_format"),
        ({"temperature": "2"}, "temperature", "'2' is no temperature"),
        ({"temperature": "warm"}, "temperature", "'warm' is no temperature"),
        ({"temperature": "nan"}, "temperature", "'nan' is no temperature"),
        ({"language": "klingon"}, "language", "'klingon' is no language code"),
        ({"language": "fr"}, "language", "does not know the language 'fr'"),
        ({"prompt": "x" * 2_001}, "prompt", "longer than 2000"),
        ({"timestamp_granularities[]": "page"}, "timestamp_granularities", "'page' is no timestamp_granularities"),
    ],
)
async def test_a_wrong_field_is_named(service: RunningApp, fields: dict[str, str], param: str, part: str) -> None:
    answer = await service.transcribe(TALK, **fields)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert part in error["message"]


@pytest.mark.parametrize(
    ("content", "code"), [(b"", "empty_audio"), (b"no recording " * 40, "audio_not_decodable"), (TALK[:30], None)]
)
async def test_what_is_no_recording_is_refused(service: RunningApp, content: bytes, code: str | None) -> None:
    answer = await service.transcribe(content)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] in (code, "empty_audio", "audio_not_decodable")
    assert code is None or answer.json()["error"]["code"] == code


async def test_a_form_without_a_file_is_refused(service: RunningApp) -> None:
    for request in (
        {"data": {"model": "whisper-1"}},
        {"json": {"file": "x"}},
        {"data": {"file": "a text"}},
        {"content": b""},
    ):
        answer = await service.client.post(ROUTE, **request)
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == "file"


async def test_a_file_where_a_text_belongs_is_refused(service: RunningApp) -> None:
    answer = await service.client.post(ROUTE, files={"file": ("a", TALK)}, data={"language": "en"})
    assert answer.status_code == 200
    answer = await service.client.post(ROUTE, files={"language": ("a", b"en")})
    assert answer.json()["error"]["param"] == "file"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"no parts at all", "multipart/form-data; boundary=x"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (b"--x--\r\n", "multipart/form-data"),
    ],
)
async def test_a_form_that_is_none_is_refused(service: RunningApp, body: bytes, content_type: str) -> None:
    answer = await service.client.post(ROUTE, content=body, headers={"content-type": content_type})
    assert answer.status_code == 400
    assert answer.json()["error"].keys() == {"message", "type", "param", "code"}


async def test_one_recording_at_a_time(service: RunningApp) -> None:
    answer = await service.client.post(ROUTE, files=[("file", ("a", TALK)), ("file", ("b", TALK))])
    assert answer.status_code == 400
    assert "Too many files" in answer.json()["error"]["message"]


async def test_a_recording_that_says_it_is_too_large_is_refused_before_it_is_sent(start_app: StartApp) -> None:
    async with start_app(server={"max_upload_mb": 1}) as service:
        answer = await service.transcribe(wav(bytes(1 << 20)))
    assert answer.status_code == 413
    error = answer.json()["error"]
    assert error["code"] == "audio_too_long"
    assert re.match(r"Maximum content size limit \(1048576\) exceeded \(\d{7} bytes read\)", error["message"])
    assert answer.headers["x-request-id"]


async def test_a_recording_that_turns_out_too_large_is_refused_while_it_is_sent(start_app: StartApp) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        while True:
            yield bytes(1 << 16)

    async with start_app(server={"max_upload_mb": 1}) as service:
        answer = await service.client.post(
            ROUTE, content=endless(), headers={"content-type": "multipart/form-data; boundary=x"}
        )
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "audio_too_long"


async def test_a_recording_that_is_too_long_is_refused(start_app: StartApp) -> None:
    async with start_app(audio={"max_file_hours": 0.001}) as service:
        answer = await service.transcribe(wav(silence(4_000)))
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "audio_too_long"


# --- what can go wrong on this side


async def test_a_full_house_says_when_to_come_again(start_app: StartApp) -> None:
    async with start_app(server={"max_sessions": 1}) as service:
        service.recognizer.hold()
        first = asyncio.create_task(service.transcribe(TALK))
        await service.recognizer.wait_for_requests(1)
        second = await service.transcribe(TALK)
        await service.recognizer.release()
        assert (await first).status_code == 200
    assert second.status_code == 503
    assert second.headers["retry-after"] == "5"
    assert (second.json()["error"]["type"], second.json()["error"]["code"]) == ("server_error", "overloaded")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RecognitionFailed("The engine died twice."), 500, "recognition_failed"),
        (RecognizerOverloaded("The queue is full."), 503, "overloaded"),
    ],
)
async def test_a_hole_in_the_text_is_an_error(start_app: StartApp, error: Exception, status: int, code: str) -> None:
    async with start_app(answer=lambda request: error) as service:
        answer = await service.transcribe(TALK)
    assert answer.status_code == status
    assert (answer.json()["error"]["type"], answer.json()["error"]["code"]) == ("server_error", code)


class DefectiveDetector:
    """Has a defect that nobody has foreseen."""

    def open_stream(self) -> "DefectiveDetector":
        return self

    async def observe(self, pcm: bytes) -> tuple[float, ...]:
        raise ZeroDivisionError("secret detail")


async def test_a_defect_is_answered_without_its_details(start_app: StartApp) -> None:
    async with start_app(detector=DefectiveDetector()) as service:
        with capture_logs() as lines:
            answer = await service.transcribe(TALK)
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["request_crashed"]
    assert answer.status_code == 500
    assert answer.json()["error"].keys() == {"message", "type", "param", "code"}
    assert answer.json()["error"]["code"] == "internal_error"
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"].startswith("req_")


class Upload:
    """An upload message by message; the client may leave at any of them."""

    def __init__(self, body: bytes, content_type: str) -> None:
        self.sent: list[Message] = []
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._scope = {
            "type": "http",
            "method": "POST",
            "path": ROUTE,
            "raw_path": ROUTE.encode(),
            "query_string": b"",
            "headers": [(b"content-type", content_type.encode())],
        }
        self._body = body

    def send_up_to(self, end: int) -> None:
        more = end < len(self._body)
        self._messages.put_nowait({"type": "http.request", "body": self._body[:end], "more_body": more})

    def leave(self) -> None:
        self._messages.put_nowait({"type": "http.disconnect"})

    async def served_by(self, app: ASGIApp) -> None:
        async def send(message: Message) -> None:
            self.sent.append(message)

        await app(self._scope, self._messages.get, send)


async def _upload(service: RunningApp) -> Upload:
    request = service.client.build_request("POST", ROUTE, files={"file": ("talk.wav", TALK)})
    return Upload(await request.aread(), request.headers["content-type"])


async def test_nobody_works_for_a_client_that_has_gone(service: RunningApp) -> None:
    upload = await _upload(service)
    service.recognizer.hold()
    serving = asyncio.create_task(upload.served_by(service.app))
    upload.send_up_to(1 << 30)
    await service.recognizer.wait_for_requests(1)
    upload.leave()
    await serving
    assert len(service.recognizer.withdrawn) == len(service.recognizer.requests)
    assert upload.sent[0]["status"] == 408


async def test_a_client_that_leaves_in_mid_upload_is_no_crash(service: RunningApp) -> None:
    upload = await _upload(service)
    upload.send_up_to(50)
    upload.leave()
    with capture_logs() as lines:
        await upload.served_by(service.app)
    assert upload.sent[0]["status"] == 408
    assert [line["event"] for line in lines if line["log_level"] in ("warning", "error")] == []


@pytest.mark.parametrize("seconds", [1, 40])  # kept in memory, or on disk, while it is received
async def test_a_disk_without_room_is_told(
    service: RunningApp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seconds: int
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    answer = await service.transcribe(wav(silence(1_000 * seconds)))
    assert answer.status_code == 507
    error = answer.json()["error"]
    assert (error["type"], error["code"]) == ("server_error", "no_room_for_audio")
    assert str(tmp_path) not in error["message"]


def _files_in(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


async def test_nothing_of_an_upload_stays_on_the_disk(
    service: RunningApp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = _files_in(tmp_path)
    for recording in (TALK, b"no recording" * 100):
        await service.transcribe(recording)
    assert _files_in(tmp_path) == before


# --- models


async def test_the_model_and_its_alias_are_listed(service: RunningApp) -> None:
    answer = (await service.client.get("/v1/models")).json()
    assert answer["object"] == "list"
    assert [model["id"] for model in answer["data"]] == ["scripted", *ALIASES]
    for model in answer["data"]:
        assert model.keys() == {"id", "object", "created", "owned_by"}
        assert model["object"] == "model"
        assert isinstance(model["created"], int)
        assert (await service.client.get(f"/v1/models/{model['id']}")).json() == model


async def test_a_model_that_is_not_loaded_is_not_found(service: RunningApp) -> None:
    for answer in (
        await service.client.get("/v1/models/gpt-9"),
        await service.transcribe(TALK, model="gpt-9"),
    ):
        assert answer.status_code == 404
        error = answer.json()["error"]
        assert error["code"] == "model_not_found"
        assert "Use scripted or whisper-1." in error["message"]


async def test_recordings_at_the_same_time_do_not_mix(start_app: StartApp) -> None:
    def loudness_as_text(request: Any) -> str:
        return "loud" if b"\x10\x27" in request.pcm else "soft"

    soft = wav(b"\xe8\x03" * 8_000 + silence(2_000))
    async with start_app(answer=loudness_as_text) as service:
        answers = await asyncio.gather(*(service.transcribe(one) for one in (TALK, soft, TALK, soft)))
    assert [answer.json()["text"] for answer in answers] == ["loud loud", "soft", "loud loud", "soft"]
