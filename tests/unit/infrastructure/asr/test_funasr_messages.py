"""FunASR's protocol from the client's side: every dialect of the end of an exchange."""

import json
from dataclasses import replace
from typing import Any

import pytest

from asr_service.domain.ports.recognizer import RecognizerUnavailable
from asr_service.domain.value_objects.asr_config import Numbers
from asr_service.infrastructure.asr.remote.funasr_messages import (
    Completeness,
    OfflineAnswer,
    opening,
    read_frame,
)
from tests.fixtures.recognition_requests import recognition_request

OPEN, LIKELY, COMPLETE = Completeness.OPEN, Completeness.LIKELY, Completeness.COMPLETE


def opened(**options: Any) -> dict[str, Any]:
    """The first frame of an exchange with such options."""
    request = recognition_request(request_id="rec_1")
    message: dict[str, Any] = json.loads(
        opening(replace(request, options=replace(request.options, **options)), "offline")
    )
    return message


def answer(*frames: dict[str, Any]) -> tuple[OfflineAnswer, list[Completeness]]:
    """What such frames come to, and how complete it was after each."""
    collected = OfflineAnswer()
    seen = []
    for frame in frames:
        collected.take(read_frame(json.dumps(frame)))
        seen.append(collected.completeness)
    return collected, seen


def test_the_first_frame_says_everything_that_a_server_may_want_to_know() -> None:
    assert opened() == {
        "mode": "offline",
        "wav_name": "rec_1",
        "wav_format": "pcm",
        "audio_fs": 16_000,
        "chunk_size": [5, 10, 5],
        "chunk_interval": 10,
        "encoder_chunk_look_back": 4,
        "decoder_chunk_look_back": 1,
        "hotwords": "",
        "itn": True,
        "svs_itn": True,
        "svs_lang": "auto",
        "is_speaking": True,
    }


def test_hotwords_are_an_object_written_as_text() -> None:
    assert opened(hotwords=("阿里巴巴", "two words"))["hotwords"] == '{"阿里巴巴": 20, "two words": 20}'


def test_numbers_as_they_are_spoken_are_asked_of_every_model() -> None:
    message = opened(numbers=Numbers.SPOKEN)
    assert (message["itn"], message["svs_itn"]) == (False, False)


@pytest.mark.parametrize(("language", "told"), [("zh", "zh"), ("yue", "yue"), (None, "auto"), ("de", "auto")])
def test_a_language_is_told_if_the_protocol_has_a_word_for_it(language: str | None, told: str) -> None:
    assert opened(language=language)["svs_lang"] == told


@pytest.mark.parametrize("frame", ["", "START", "[1]", "3", "null", "{}", '{"event": "started"}', b"\xff\xfe", b"\x00"])
def test_what_is_not_of_this_protocol_is_told(frame: str | bytes) -> None:
    with pytest.raises(RecognizerUnavailable, match="does not speak FunASR") as told:
        read_frame(frame)
    assert told.value.hint == "Check remote.url."


def test_a_frame_is_read_however_wrong_its_types_are() -> None:
    frame = read_frame('{"text": 5, "mode": null, "is_final": "true", "error": {"message": "no"}}')
    assert (frame.text, frame.label, frame.is_final) == (None, "", False)
    assert "no" in frame.error


def test_cpp_two_pass_ends_with_the_frame_that_is_final() -> None:
    said = {"mode": "2pass-offline", "is_final": False}
    collected, seen = answer({**said, "text": "一。"}, {**said, "text": "二。"}, {"text": "", "is_final": True})
    assert (collected.text, seen) == ("一。二。", [OPEN, OPEN, COMPLETE])
    collected, seen = answer({**said, "text": "One."}, {**said, "text": "Two.", "is_final": True})
    assert (collected.text, seen) == ("One. Two.", [OPEN, COMPLETE])


def test_cpp_offline_has_one_frame_that_is_never_final() -> None:
    assert answer({"mode": "offline", "text": "一。", "is_final": False})[1] == [COMPLETE]


def test_the_classic_python_server_turns_final_round() -> None:
    collected, seen = answer(
        {"mode": "offline", "text": "一。", "is_final": True}, {"mode": "offline", "text": "二。", "is_final": False}
    )
    assert (collected.text, seen) == ("一。二。", [LIKELY, COMPLETE])


def test_the_new_python_server_ends_with_an_acknowledgement() -> None:
    said = {"mode": "offline", "is_final": True}
    collected, seen = answer({**said, "text": "一。"}, {**said, "text": "二。"}, {**said, "is_end": True})
    assert (collected.text, collected.error, seen) == ("一。二。", "", [LIKELY, LIKELY, COMPLETE])


def test_an_error_is_remembered() -> None:
    collected, seen = answer({"mode": "offline", "is_final": False, "is_end": True, "error": "inference failed"})
    assert (collected.text, collected.error, seen) == ("", "inference failed", [COMPLETE])


def test_increments_are_no_part_of_a_final() -> None:
    collected, seen = answer(
        {"mode": "2pass-online", "text": "一", "is_final": False},
        {"mode": "2pass-offline", "text": "一。", "is_final": True},
    )
    assert (collected.text, seen) == ("一。", [OPEN, COMPLETE])
