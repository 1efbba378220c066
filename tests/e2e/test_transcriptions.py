"""Recordings by HTTP, sent by the program that everybody has."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.fixtures.recordings import Clip
from tests.fixtures.server import RunningServer
from tests.fixtures.transcoding import FORMATS, transcoded

CUE_TIMES = re.compile(r"^(\d\d:\d\d:\d\d[.,]\d{3}) --> (\d\d:\d\d:\d\d[.,]\d{3})$", re.MULTILINE)


def curl(server: RunningServer, file: Path, *form: str) -> str:
    """What curl prints; it fails where the server answers with an error."""
    fields = [argument for field in form for argument in ("-F", field)]
    command = ["curl", "-sS", "--fail-with-body", "-F", f"file=@{file}", *fields]
    url = f"{server.http_url}/v1/audio/transcriptions"
    done = subprocess.run([*command, url], capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("extension", FORMATS)
def test_a_recording_of_any_common_format_is_transcribed(
    server: RunningServer, short_english_clip: Clip, extension: str, tmp_path: Path
) -> None:
    file = tmp_path / f"recording.{extension}"
    file.write_bytes(transcoded(short_english_clip.path, extension))

    answer = json.loads(curl(server, file))

    assert short_english_clip.errors_in(answer["text"]) == 0, answer
    assert answer["usage"] == {"type": "duration", "seconds": 4}


def test_the_file_name_does_not_matter(server: RunningServer, mandarin_clip: Clip, tmp_path: Path) -> None:
    file = tmp_path / "recording"
    file.write_bytes(transcoded(mandarin_clip.path, "ogg"))

    text = curl(server, file, "response_format=text", "language=zh", "model=whisper-1")

    assert mandarin_clip.errors_in(text) <= 0.1, text


def test_verbose_json_has_segments_and_words_in_their_places(server: RunningServer, english_clip: Clip) -> None:
    granularities = ("timestamp_granularities[]=word", "timestamp_granularities[]=segment")
    answer = json.loads(curl(server, english_clip.path, "response_format=verbose_json", *granularities))

    assert answer["language"] == "english"
    assert answer["duration"] == pytest.approx(english_clip.duration_ms / 1000, abs=0.001)
    assert english_clip.errors_in(answer["text"]) <= 0.1, answer["text"]
    assert english_clip.errors_in(" ".join(word["word"] for word in answer["words"])) <= 0.1
    assert english_clip.errors_in(" ".join(segment["text"] for segment in answer["segments"])) <= 0.1
    for timed in (answer["words"], answer["segments"]):
        times = [time for piece in timed for time in (piece["start"], piece["end"])]
        assert times == sorted(times)
        assert 0 <= times[0] <= times[-1] <= answer["duration"]


@pytest.mark.parametrize(("response_format", "first_line"), [("srt", "1"), ("vtt", "WEBVTT")])
def test_subtitles_have_the_text_between_their_times(
    server: RunningServer, english_clip: Clip, response_format: str, first_line: str
) -> None:
    subtitles = curl(server, english_clip.path, f"response_format={response_format}", "language=en")

    assert subtitles.splitlines()[0] == first_line
    times = [time for cue in CUE_TIMES.findall(subtitles) for time in cue]
    assert len(times) >= 4
    assert times == sorted(times)
    spoken = re.sub(r"^(WEBVTT|\d+)$", "", CUE_TIMES.sub("", subtitles), flags=re.MULTILINE)
    assert english_clip.errors_in(spoken) <= 0.1, subtitles


def test_the_models_are_listed_as_clients_of_openai_expect(server: RunningServer) -> None:
    models = server.get("/v1/models").json()

    assert models["object"] == "list"
    assert {"whisper-base", "whisper-1"} <= {model["id"] for model in models["data"]}


def test_the_description_of_the_interface_is_served_without_any_other_host(server: RunningServer) -> None:
    described = server.get("/openapi.json").json()["paths"]
    page = server.get("/docs").text

    assert {"/v1/audio/transcriptions", "/v1/models", "/api/v1/sessions", "/health/ready"} <= set(described)
    assert "://" not in re.sub(r"http://www\.w3\.org/\S*", "", page), page
