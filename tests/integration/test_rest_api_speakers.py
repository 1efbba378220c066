"""``response_format=diarized_json``: who said what, where speakers can be told apart."""

from dataclasses import replace
from typing import Any

import pytest

from asr_service.app.dto.model_names import ALIASES, DIARIZING_ALIAS
from tests.fakes.engines import CAPABILITIES
from tests.fakes.speakers import BrokenDiarizer, LoudnessDiarizer
from tests.fixtures.app import RunningApp, StartApp, wav
from tests.fixtures.live_sessions import silence, sound

pytestmark = pytest.mark.usefixtures("tidy")

LOW_VOICE = b"\x10\x20" * 8_000  # half a second, in another voice than ``sound``
DIALOGUE = wav(sound(500) + silence(2_000) + LOW_VOICE + silence(2_000) + sound(500) + silence(2_000))


def _says(text: str) -> Any:
    return lambda request: text


async def _diarized(service: RunningApp, recording: bytes = DIALOGUE, **fields: Any) -> dict[str, Any]:
    answer = await service.transcribe(recording, response_format="diarized_json", **fields)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_segments_say_who_speaks(start_app: StartApp) -> None:
    async with start_app(answer=_says("Go on."), diarizer=LoudnessDiarizer()) as service:
        answer = await _diarized(service)
    assert answer.keys() == {"task", "duration", "text", "segments", "usage"}
    assert (answer["task"], answer["duration"], answer["text"]) == ("transcribe", 7.5, "Go on. Go on. Go on.")
    assert answer["usage"] == {"type": "duration", "seconds": 8}
    assert [segment["speaker"] for segment in answer["segments"]] == ["A", "B", "A"]
    assert [segment["id"] for segment in answer["segments"]] == ["seg_001", "seg_002", "seg_003"]
    for segment in answer["segments"]:
        assert segment.keys() == {"type", "id", "start", "end", "text", "speaker"}
        assert (segment["type"], segment["text"]) == ("transcript.text.segment", "Go on.")
        assert 0 <= segment["start"] < segment["end"] <= 7.5


async def test_silence_has_no_segments(start_app: StartApp) -> None:
    async with start_app(diarizer=LoudnessDiarizer()) as service:
        answer = await _diarized(service, wav(silence(1_500)))
    assert (answer["text"], answer["segments"], answer["duration"]) == ("", [], 1.5)


async def test_other_formats_do_without(start_app: StartApp) -> None:
    async with start_app(answer=_says("Go on."), diarizer=BrokenDiarizer()) as service:
        assert (await service.transcribe(DIALOGUE)).json()["text"] == "Go on. Go on. Go on."


async def test_a_failure_is_an_error_and_no_text_without_speakers(start_app: StartApp) -> None:
    async with start_app(diarizer=BrokenDiarizer()) as service:
        answer = await service.transcribe(DIALOGUE, response_format="diarized_json")
    assert answer.status_code == 500
    assert (answer.json()["error"]["type"], answer.json()["error"]["code"]) == ("server_error", "diarization_failed")
    assert service.recognizer.requests == []


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"known_speaker_names[]": ["Ann"]}, "known_speaker_names", "diarization_unavailable"),
        ({"known_speaker_references": ["data:,"]}, "known_speaker_references", "diarization_unavailable"),
        ({"stream": "true"}, "response_format", "invalid_request"),
        ({"response_format": "srt", "spk": "true"}, "spk", "unsupported_option"),
        ({"response_format": "json", "spk": "true"}, "spk", "unsupported_option"),
    ],
)
async def test_what_cannot_be_had_of_speakers_is_refused(
    start_app: StartApp, fields: dict[str, Any], param: str, code: str
) -> None:
    async with start_app(diarizer=LoudnessDiarizer()) as service:
        answer = await service.transcribe(DIALOGUE, **{"response_format": "diarized_json", **fields})
    assert answer.status_code == 400
    assert (answer.json()["error"]["param"], answer.json()["error"]["code"]) == (param, code)
    assert service.recognizer.requests == []


async def test_spk_says_what_the_format_says_already(start_app: StartApp) -> None:
    async with start_app(answer=_says("Go on."), diarizer=LoudnessDiarizer()) as service:
        assert len((await _diarized(service, spk="true"))["segments"]) == 3


async def test_the_model_that_tells_speakers_apart_is_listed_where_they_can_be(start_app: StartApp) -> None:
    async with start_app(answer=_says("Go on."), diarizer=LoudnessDiarizer()) as service:
        listed = (await service.client.get("/v1/models")).json()["data"]
        assert [model["id"] for model in listed] == ["scripted", *ALIASES, DIARIZING_ALIAS, "default"]
        assert (await service.client.get(f"/v1/models/{DIARIZING_ALIAS}")).json() == listed[-2]
        assert len((await _diarized(service, model=DIARIZING_ALIAS))["segments"]) == 3


async def test_the_model_that_tells_speakers_apart_is_unknown_elsewhere(service: RunningApp) -> None:
    listed = (await service.client.get("/v1/models")).json()["data"]
    assert DIARIZING_ALIAS not in [model["id"] for model in listed]
    assert (await service.client.get(f"/v1/models/{DIARIZING_ALIAS}")).status_code == 404
    refused = await service.transcribe(DIALOGUE, model=DIARIZING_ALIAS)
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "model_not_found")


async def test_translations_have_no_speakers(start_app: StartApp) -> None:
    able = replace(CAPABILITIES, translation=True)
    async with start_app(capabilities=able, diarizer=LoudnessDiarizer()) as service:
        answer = await service.transcribe(DIALOGUE, path="/v1/audio/translations", response_format="diarized_json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "diarization_unavailable")
