"""OpenAI's own libraries, for Python and for Node, as their users install them: every promise of the REST interface."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import HTTPException

from asr_service.bootstrap import Engines, open_decoder
from asr_service.domain.ports.recognizer import RecognitionFailed, RecognitionRequest, RecognizerOverloaded
from asr_service.infrastructure.artifacts.recordings import Recording
from asr_service.infrastructure.config.settings import Settings
from asr_service.main import create_app
from tests.fakes.recognizer_directory import FakeRecognizerDirectory
from tests.fakes.recognizers import FakeRecognizer
from tests.fakes.voice_activity import EnergyVoiceActivity
from tests.fixtures.app import wav
from tests.fixtures.client_packages import OPENAI, OPENAI_FOR_NODE, run_client, run_node_client
from tests.fixtures.live_sessions import silence, utterances
from tests.fixtures.recordings import Clip, join_recordings, write_wav
from tests.fixtures.served_app import served
from tests.fixtures.server import RunningServer, eventually

pytestmark = pytest.mark.timeout(300)  # the first run installs

Call = dict[str, Any]
Ask = Callable[..., list[dict[str, Any]]]
"""``ask(base_url, call, …)``: what the user of a library gets for each call."""


def ask_in_python(url: str, *calls: Call) -> list[dict[str, Any]]:
    """With the package of PyPI."""
    answered: list[dict[str, Any]] = json.loads(run_client(OPENAI, "with_openai.py", url, json.dumps(calls)))
    return answered


def ask_in_node(url: str, *calls: Call) -> list[dict[str, Any]]:
    """With the package of npm."""
    answered: list[dict[str, Any]] = json.loads(
        run_node_client(OPENAI_FOR_NODE, "with_openai.mjs", url, json.dumps(calls))
    )
    return answered


@pytest.fixture(params=[ask_in_python, ask_in_node], ids=["python", "node"])
def ask(request: pytest.FixtureRequest) -> Ask:
    asked: Ask = request.param
    return asked


def base_url(server: RunningServer) -> str:
    return f"{server.http_url}/v1"


def transcribe(clip: Clip | Path, **arguments: Any) -> Call:
    """A call that any model name of OpenAI's would do for."""
    path = clip.path if isinstance(clip, Clip) else clip
    return {"method": "transcribe", "file": str(path), "model": "whisper-1", **arguments}


# --- R1


def test_r1_every_format_has_its_content_type_and_the_right_text(
    server: RunningServer, ask: Ask, english_clip: Clip
) -> None:
    formats = ("json", "text", "srt", "vtt", "verbose_json", "diarized_json")
    both = {"timestamp_granularities": ["word", "segment"]}
    calls = [
        transcribe(english_clip, language="en", response_format=one, **(both if one == "verbose_json" else {}))
        for one in formats
    ]
    *texts, verbose, diarized = ask(base_url(server), *calls)

    as_json, text, srt, vtt = texts
    assert [answer["content_type"] for answer in (*texts, verbose)] == [
        *("application/json", "text/plain; charset=utf-8", "text/plain; charset=utf-8", "text/vtt; charset=utf-8"),
        "application/json",
    ]
    assert as_json["value"].keys() == {"text", "usage"}
    assert english_clip.errors_in(as_json["value"]["text"]) <= 0.1
    assert text["value"] == f"{as_json['value']['text']}\n"
    for subtitles, beginning in ((srt, "1\n00:00:0"), (vtt, "WEBVTT\n\n00:00:0")):
        assert subtitles["value"].startswith(beginning)
        spoken = re.sub(r"^(WEBVTT|\d+|.* --> .*)$", "", subtitles["value"], flags=re.MULTILINE)
        assert english_clip.errors_in(spoken) <= 0.1, subtitles
    check_verbose(verbose["value"], english_clip)
    # Nobody here tells speakers apart, and the answer says so.
    assert (diarized["error"]["status"], diarized["error"]["code"]) == (400, "diarization_unavailable")


def check_verbose(answer: dict[str, Any], clip: Clip) -> None:
    assert (answer["task"], answer["language"]) == ("transcribe", "english")
    assert answer["duration"] == pytest.approx(clip.duration_ms / 1000, abs=0.001)
    assert clip.errors_in(" ".join(word["word"] for word in answer["words"])) <= 0.1
    assert clip.errors_in(" ".join(segment["text"] for segment in answer["segments"])) <= 0.1
    for timed in (answer["words"], answer["segments"]):
        times = [time for piece in timed for time in (piece["start"], piece["end"])]
        assert times == sorted(times)
        assert 0 <= times[0] <= times[-1] <= answer["duration"]


# --- R2


def test_r2_lists_and_objects_are_understood_as_libraries_and_as_people_write_them(
    server: RunningServer, ask: Ask, english_clip: Clip
) -> None:
    short_pauses = {"type": "server_vad", "silence_duration_ms": 300, "prefix_padding_ms": 200, "threshold": 0.5}
    fields = {"response_format": "verbose_json", "language": "en"}
    (in_brackets,) = ask(
        base_url(server),
        transcribe(english_clip, timestamp_granularities=["word"], chunking_strategy=short_pauses, **fields),
    )
    by_hand = httpx.post(
        f"{base_url(server)}/audio/transcriptions",
        files={"file": ("talk.wav", english_clip.path.read_bytes())},
        data={"timestamp_granularities": "word", "chunking_strategy": json.dumps(short_pauses), **fields},
        timeout=60,
    )

    assert by_hand.status_code == 200
    assert by_hand.json() == in_brackets["value"]
    assert "segments" not in by_hand.json()
    assert english_clip.errors_in(" ".join(word["word"] for word in by_hand.json()["words"])) <= 0.1


def test_r2_fields_beyond_the_schema_are_plain_form_fields(server: RunningServer, ask: Ask, english_clip: Clip) -> None:
    heard, refused = ask(
        base_url(server),
        transcribe(
            english_clip, extra_body={"hotwords": "rather, selfish", "keywords": ["amiable"], "unknown": "ignored"}
        ),
        transcribe(english_clip, extra_body={"spk": True}),
    )
    assert english_clip.errors_in(heard["value"]["text"]) <= 0.1
    assert (refused["error"]["status"], refused["error"]["param"]) == (400, "spk")


# --- R3


def test_r3_a_file_without_a_name_is_known_by_its_content(
    server: RunningServer, ask: Ask, short_english_clip: Clip
) -> None:
    (answer,) = ask(base_url(server), transcribe(short_english_clip, nameless=True))
    assert short_english_clip.errors_in(answer["value"]["text"]) == 0


# --- R4


def test_r4_the_parts_of_a_stream_are_the_whole_text(server: RunningServer, ask: Ask, english_clip: Clip) -> None:
    fields = {"chunking_strategy": {"type": "server_vad", "silence_duration_ms": 500}}
    streamed, whole = ask(
        base_url(server), transcribe(english_clip, stream=True, **fields), transcribe(english_clip, **fields)
    )

    assert streamed["content_type"] == "text/event-stream; charset=utf-8"
    *deltas, done = streamed["value"]
    assert {delta["type"] for delta in deltas} == {"transcript.text.delta"}
    assert len(deltas) == 2  # two sentences, with a pause between them
    assert done["type"] == "transcript.text.done"
    assert "".join(delta["delta"] for delta in deltas) == done["text"] == whole["value"]["text"]
    assert english_clip.errors_in(done["text"]) <= 0.1


# --- R5


def _answer(request: RecognitionRequest) -> str | RecognitionFailed | RecognizerOverloaded:
    match request.options.prompt:
        case "break":
            return RecognitionFailed("The engine died twice.")
        case "overload":
            return RecognizerOverloaded("The queue is full.")
    return "word"


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A small service that can be made to refuse in every way."""
    folder = tmp_path_factory.mktemp("refusing")
    settings = Settings(database={"url": f"sqlite:///{folder}/asr.db"}, server={"max_upload_mb": 1})  # type: ignore[arg-type]
    engines = Engines(open_decoder(settings), EnergyVoiceActivity(), FakeRecognizerDirectory(FakeRecognizer(_answer)))
    app = create_app(settings, engines=engines)

    @app.post("/v1/refused/{status}/audio/transcriptions")
    async def refuse(status: int) -> None:
        raise HTTPException(status, "Refused", {"retry-after": "7"})

    @app.post("/v1/crashed/audio/transcriptions")
    async def crash() -> None:
        raise ZeroDivisionError("secret detail")

    with served(app) as url:
        yield f"{url}/v1"


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("talk") / "talk.wav"
    path.write_bytes(wav(utterances(1)))
    return path


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "large.wav"
    path.write_bytes(wav(silence(40_000)))
    return path


REFUSALS = [  # below the base URL, fields, kind of error, status, type, code, param
    ("", {"temperature": 2}, "BadRequestError", 400, "invalid_request_error", "invalid_request", "temperature"),
    ("/refused/401", {}, "AuthenticationError", 401, "invalid_request_error", "invalid_api_key", None),
    ("", {"model": "whisper-9"}, "NotFoundError", 404, "invalid_request_error", "model_not_found", None),
    ("/nowhere", {}, "NotFoundError", 404, "invalid_request_error", "not_found", None),
    ("/refused/429", {}, "RateLimitError", 429, "invalid_request_error", "rate_limit_exceeded", None),
    ("", {"prompt": "break"}, "InternalServerError", 500, "server_error", "recognition_failed", None),
    ("/crashed", {}, "InternalServerError", 500, "server_error", "internal_error", None),
    ("", {"prompt": "overload"}, "InternalServerError", 503, "server_error", "overloaded", None),
]


def test_r5_every_refusal_is_an_error_that_libraries_understand(
    refusing: str, ask: Ask, talk: Path, large: Path
) -> None:
    for below in {below for below, *_ in REFUSALS}:
        rows = [row for row in REFUSALS if row[0] == below]
        outcomes = ask(refusing + below, *(transcribe(talk, **fields) for _, fields, *_ in rows))
        for outcome, (_, _, kind, *expected) in zip(outcomes, rows, strict=True):
            check_error(outcome["error"], kind, *expected)

    key = {"extra_headers": {"Idempotency-Key": f"r5 {ask.__name__}".replace(" ", "-")}}
    first, again, other, too_large = ask(
        refusing,
        transcribe(talk, **key),
        transcribe(talk, **key),
        transcribe(talk, prompt="something else", **key),
        transcribe(large),
    )
    assert first["value"] == again["value"]
    assert first["value"]["text"] == "word"
    check_error(
        *(other["error"], "UnprocessableEntityError", 422),
        *("invalid_request_error", "idempotency_key_reused", "Idempotency-Key"),
    )
    check_error(too_large["error"], None, 413, "invalid_request_error", "audio_too_long", None)


def check_error(error: dict[str, Any], kind: str | None, status: int, openai_type: str, code: str, param: Any) -> None:
    """What a library tells its user of an error; the class of some statuses depends on the library."""
    assert kind in (None, error["kind"]), error
    assert (error["status"], error["type"], error["code"], error["param"]) == (status, openai_type, code, param), error
    assert error["body"].keys() == {"message", "type", "param", "code"}
    assert "secret" not in error["body"]["message"]
    assert error["request_id"].startswith("req_")


def test_r5_a_method_that_is_not_allowed_and_a_time_to_come_again_are_told(refusing: str, talk: Path) -> None:
    not_allowed = httpx.get(f"{refusing}/audio/transcriptions")
    busy = httpx.post(
        f"{refusing}/audio/transcriptions", files={"file": talk.read_bytes()}, data={"prompt": "overload"}
    )
    limited = httpx.post(f"{refusing}/refused/429/audio/transcriptions", files={"file": talk.read_bytes()})

    assert (not_allowed.status_code, not_allowed.headers["allow"]) == (405, "POST")
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "5")
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "7")
    for answer in (not_allowed, busy, limited):
        assert answer.json()["error"].keys() == {"message", "type", "param", "code"}
        assert answer.headers["x-request-id"].startswith("req_")


# --- R6, R7, R8


def test_r6_the_names_that_tools_are_set_to_are_understood(
    server: RunningServer, ask: Ask, short_english_clip: Clip
) -> None:
    names = ("whisper-base", "whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe")
    answers = ask(base_url(server), *(transcribe(short_english_clip, model=name) for name in names))
    assert [short_english_clip.errors_in(answer["value"]["text"]) for answer in answers] == [0] * len(names)


def test_r7_silence_has_the_same_form_and_no_text(server: RunningServer, ask: Ask, tmp_path: Path) -> None:
    quiet = tmp_path / "quiet.wav"
    write_wav(quiet, silence(1_500))
    fields = {"timestamp_granularities": ["word", "segment"]}
    as_json, text, srt, vtt, verbose, streamed = (
        answer["value"]
        for answer in ask(
            base_url(server),
            *(transcribe(quiet, response_format=one) for one in ("json", "text", "srt", "vtt")),
            transcribe(quiet, response_format="verbose_json", **fields),
            transcribe(quiet, stream=True),
        )
    )
    assert as_json == {"text": "", "usage": {"type": "duration", "seconds": 2}}
    assert (text.strip(), srt, vtt.strip()) == ("", "", "WEBVTT")
    assert {"text": "", "segments": [], "words": [], "duration": 1.5}.items() <= verbose.items()
    assert streamed == [{"type": "transcript.text.done", "text": ""}]


def test_r8_models_are_listed_and_an_unknown_one_is_not_found(server: RunningServer, ask: Ask) -> None:
    listed, known, unknown = ask(
        base_url(server),
        {"method": "models"},
        {"method": "model", "model": "whisper-1"},
        {"method": "model", "model": "whisper-9"},
    )
    models = {model["id"]: model for model in listed["value"]["data"]}
    assert {"whisper-base", "whisper-1"} <= models.keys()
    for model in models.values():
        assert {"id", "object", "created", "owned_by"} <= model.keys()
        assert (model["object"], type(model["created"])) == ("model", int)
    assert known["value"] == models["whisper-1"]
    check_error(unknown["error"], "NotFoundError", 404, "invalid_request_error", "model_not_found", None)
    assert known["request_id"].startswith("req_")


# --- translations


def test_speech_is_translated_into_english(server: RunningServer, ask: Ask, mandarin_hello: Path) -> None:
    call = {"method": "translate", "file": str(mandarin_hello), "model": "whisper-1"}
    as_json, verbose, srt = (
        answer["value"]
        for answer in ask(
            base_url(server), *({**call, "response_format": one} for one in ("json", "verbose_json", "srt"))
        )
    )
    assert re.sub(r"\W+", " ", as_json["text"].lower()).strip() == "hello world"
    assert (verbose["language"], verbose["text"]) == ("english", as_json["text"])
    assert as_json["text"] in srt


@pytest.fixture(scope="session")
def mandarin_hello(recordings: list[Recording], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """你好世界, with silence around it."""
    (hello,) = [recording for recording in recordings if recording.path.stem == "nihao_shijie"]
    return join_recordings([hello], tmp_path_factory.mktemp("mandarin") / "hello.wav", silence_ms=1_000).path


# --- who leaves


def test_r4_a_listener_who_hangs_up_frees_the_work(tmp_path: Path) -> None:
    settings = Settings(database={"url": f"sqlite:///{tmp_path}/asr.db"})  # type: ignore[arg-type]
    recognizer = FakeRecognizer(lambda request: "word")
    recognizer.hold(lambda request: request.utterance == 1)
    engines = Engines(open_decoder(settings), EnergyVoiceActivity(), FakeRecognizerDirectory(recognizer))
    form = {"files": {"file": wav(utterances(1) + silence(1_000) + utterances(2))}, "data": {"stream": "true"}}
    with served(create_app(settings, engines=engines)) as url:
        with httpx.stream("POST", f"{url}/v1/audio/transcriptions", **form) as answer:
            lines = (
                answer.iter_lines()
            )  # without a name, it would be closed after its first line, and the connection with it
            assert "transcript.text.delta" in next(lines)
            eventually(lambda: len(recognizer.requests) == 2, "the second utterance is asked for")
        eventually(lambda: recognizer.withdrawn, "the work is broken off")
    assert recognizer.withdrawn == [recognizer.requests[1].request_id]
