"""``POST /v1/audio/transcriptions`` and ``GET /v1/models``, as the libraries of OpenAI's clients use them."""

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from asr_service.app.dto.model_names import ALIASES
from asr_service.domain.ports.recognizer import RecognitionFailed, RecognizerOverloaded
from tests.fakes.engines import CAPABILITIES
from tests.fixtures.app import RunningApp, StartApp, wav
from tests.fixtures.live_sessions import silence, sound
from tests.fixtures.uploads import upload_of

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
        **{"chunking_strategy": "auto", "stream": "false", "spk": "false", "languages[]": ["en", "zh"]},
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
        ({"stream": "perhaps"}, "stream", "'perhaps' is no stream"),
        ({"stream": "true", "response_format": "srt"}, "response_format", "srt cannot be streamed"),
        ({"languages": ["en", "fr"]}, "language", "does not know the language 'fr'"),
        ({"languages": ["zh"], "language": "en"}, "languages", "not among"),
        ({"languages": ["en"] * 21}, "languages", "more than 20"),
        ({"keywords": ["x" * 65]}, "keywords", "longer than 64"),
        ({"keywords[]": ["x"] * 201}, "keywords", "more than 200"),
        ({"include[]": "everything"}, "include", "'everything' is no include"),
        ({"chunking_strategy": "none"}, "chunking_strategy", "no chunking_strategy"),
        ({"chunking_strategy": "[1]"}, "chunking_strategy", "no chunking_strategy"),
        ({"chunking_strategy": '{"threshold": 0.5}'}, "chunking_strategy.type", "required"),
        ({"chunking_strategy[type]": "semantic_vad"}, "chunking_strategy.type", "server_vad"),
        (
            {"chunking_strategy[type]": "server_vad", "chunking_strategy[threshold]": "2"},
            *("chunking_strategy.threshold", "less than or equal to 0.95"),
        ),
        (
            {"chunking_strategy": '{"type": "server_vad", "silence_ms": 500}'},
            *("chunking_strategy.silence_ms", "Allowed fields: type, prefix_padding_ms"),
        ),
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


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"response_format": "diarized_json"}, "response_format", "diarization_unavailable"),
        ({"spk": "true"}, "spk", "diarization_unavailable"),
        ({"known_speaker_names[]": ["Ann"]}, "known_speaker_names", "diarization_unavailable"),
        ({"known_speaker_references": ["data:,"]}, "known_speaker_references", "diarization_unavailable"),
        ({"include[]": "logprobs"}, "include", "unsupported_option"),
        ({"include": "logprobs"}, "include", "unsupported_option"),
        ({"keywords[]": "word"}, "keywords", "unsupported_option"),
        ({"hotwords": "word"}, "hotwords", "unsupported_option"),
    ],
)
async def test_what_the_model_cannot_do_is_refused_and_not_forgotten(
    service: RunningApp, fields: dict[str, str], param: str, code: str
) -> None:
    answer = await service.transcribe(TALK, **fields)
    assert answer.status_code == 400
    assert (answer.json()["error"]["param"], answer.json()["error"]["code"]) == (param, code)
    assert service.recognizer.requests == []


# --- what is understood


HEARS_HOTWORDS = replace(CAPABILITIES, hotwords=True)


@pytest.mark.parametrize(
    ("fields", "hotwords"),
    [
        ({"keywords[]": ["阿里巴巴", " go "]}, ("阿里巴巴", "go")),
        ({"keywords": ["one", "two"], "hotwords": "two,three"}, ("one", "two", "three")),
        ({"hotwords": '{"low": 1, "high": 30}'}, ("high", "low")),
        ({"hotwords": "a b"}, ("a", "b")),
    ],
)
async def test_keywords_and_hotwords_are_the_same(
    start_app: StartApp, fields: dict[str, Any], hotwords: tuple[str, ...]
) -> None:
    async with start_app(capabilities=HEARS_HOTWORDS) as service:
        assert (await service.transcribe(TALK, **fields)).status_code == 200
    assert service.recognizer.requests[0].options.hotwords == hotwords


@pytest.mark.parametrize(
    ("languages", "language", "likely"),
    [(["zh"], "zh", ()), (["zh-CN", "en", "Chinese"], None, ("zh", "en")), (["auto"], None, ())],
)
async def test_languages_say_which_may_be_spoken(
    service: RunningApp, languages: list[str], language: str | None, likely: tuple[str, ...]
) -> None:
    await service.transcribe(TALK, **{"languages[]": languages})
    options = service.recognizer.requests[0].options
    assert (options.language, options.likely_languages) == (language, likely)


# Of the two sounds, the pause between them is one of 700 ms.
CLOSE_TALK = wav(sound(500) + silence(700) + sound(500) + silence(2_000))


@pytest.mark.parametrize(
    ("fields", "finals"),
    [
        ({}, 1),
        ({"chunking_strategy": "auto"}, 1),
        ({"chunking_strategy": '"auto"'}, 1),
        ({"chunking_strategy": '{"type": "server_vad"}'}, 2),  # 200 ms are the default of OpenAI's schema
        ({"chunking_strategy": '{"type": "server_vad", "silence_duration_ms": 900}'}, 1),
        ({"chunking_strategy[type]": "server_vad", "chunking_strategy[silence_duration_ms]": "300"}, 2),
    ],
)
async def test_the_chunking_strategy_says_where_utterances_end(
    service: RunningApp, fields: dict[str, str], finals: int
) -> None:
    answer = await service.transcribe(CLOSE_TALK, **fields)
    assert answer.status_code == 200, answer.text
    assert len(service.recognizer.requests) == finals


async def test_prefix_padding_is_that_of_the_chunking_strategy(service: RunningApp) -> None:
    for padding_ms in (0, 800):
        strategy = f'{{"type": "server_vad", "prefix_padding_ms": {padding_ms}}}'
        await service.transcribe(wav(silence(1_000) + sound(500) + silence(1_000)), chunking_strategy=strategy)
    without, padded = (request.span for request in service.recognizer.requests)
    assert without.start - padded.start == 12_800


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

    def open_stream(self, state: bytes | None = None) -> "DefectiveDetector":
        return self

    def state(self) -> bytes:
        return b""

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


async def test_nobody_works_for_a_client_that_has_gone(service: RunningApp) -> None:
    upload = await upload_of(service, TALK)
    service.recognizer.hold()
    serving = asyncio.create_task(upload.served_by(service.app))
    upload.send_up_to(1 << 30)
    await service.recognizer.wait_for_requests(1)
    upload.leave()
    await serving
    assert len(service.recognizer.withdrawn) == len(service.recognizer.requests)
    assert upload.sent[0]["status"] == 408


async def test_a_client_that_leaves_in_mid_upload_is_no_crash(service: RunningApp) -> None:
    upload = await upload_of(service, TALK)
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


async def test_the_model_and_its_aliases_are_listed(service: RunningApp) -> None:
    answer = (await service.client.get("/v1/models")).json()
    assert answer["object"] == "list"
    assert [model["id"] for model in answer["data"]] == ["scripted", *ALIASES, "default"]
    for model in answer["data"]:
        assert model.keys() == {"id", "object", "created", "owned_by"}
        assert model["object"] == "model"
        assert isinstance(model["created"], int)
        assert (await service.client.get(f"/v1/models/{model['id']}")).json() == model


async def test_a_model_that_is_not_loaded_is_not_found(service: RunningApp) -> None:
    for answer in (
        await service.client.get("/v1/models/gpt-4o-transcribe-diarize"),
        await service.transcribe(TALK, model="gpt-4o-transcribe-diarize"),
    ):
        assert answer.status_code == 404
        error = answer.json()["error"]
        assert error["code"] == "model_not_found"
        assert "Use whisper-1, or a name of /v1/models." in error["message"]


async def test_recordings_at_the_same_time_do_not_mix(start_app: StartApp) -> None:
    def loudness_as_text(request: Any) -> str:
        return "loud" if b"\x10\x27" in request.pcm else "soft"

    soft = wav(b"\xe8\x03" * 8_000 + silence(2_000))
    async with start_app(answer=loudness_as_text) as service:
        answers = await asyncio.gather(*(service.transcribe(one) for one in (TALK, soft, TALK, soft)))
    assert [answer.json()["text"] for answer in answers] == ["loud loud", "soft", "loud loud", "soft"]
