"""``asr-service transcribe``, with fakes for ear and recognizer in place of the models."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from asr_service.app.services.admission import Admission
from asr_service.app.services.transcription_service import TranscriptionService
from asr_service.bootstrap import Transcriber, open_decoder
from asr_service.cli import transcribe
from asr_service.domain.value_objects.asr_config import SessionConfig
from asr_service.infrastructure.config.settings import Settings
from tests.fakes.recognizers import FakeRecognizer
from tests.fixtures.app import wav
from tests.fixtures.command_line import Run
from tests.fixtures.live_sessions import Studio, silence, utterances


@pytest.fixture
def recognizer(monkeypatch: pytest.MonkeyPatch) -> FakeRecognizer:
    """The recognizer that the command will have."""
    fake = FakeRecognizer(lambda request: "你好。")

    @asynccontextmanager
    async def open_fakes(settings: Settings) -> AsyncIterator[Transcriber]:
        studio, decoder = Studio(recognizer=fake), open_decoder(settings)
        service = TranscriptionService(
            decoder=decoder, recognizers=studio.directory, sessions=studio.service, admission=Admission(1)
        )
        yield Transcriber(service, fake, decoder, SessionConfig())

    monkeypatch.setattr(transcribe, "open_transcriber", open_fakes)
    return fake


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    path = tmp_path / "talk.wav"
    path.write_bytes(wav(utterances(1)))
    return path


@pytest.mark.usefixtures("recognizer")
def test_the_text_goes_to_standard_output_and_nothing_else_does(run: Run, talk: Path) -> None:
    finished = run("transcribe", talk)
    assert (finished.exit_code, finished.out, finished.err) == (0, "你好。\n", "")


@pytest.mark.usefixtures("recognizer")
def test_several_recordings_are_transcribed_in_their_order(run: Run, talk: Path, tmp_path: Path) -> None:
    quiet = tmp_path / "quiet.wav"
    quiet.write_bytes(wav(silence(300)))
    assert run("transcribe", quiet, talk).out == "\n你好。\n"


@pytest.mark.usefixtures("recognizer")
@pytest.mark.parametrize(
    ("form", "beginning"),
    [("txt", "你好。\n"), ("srt", "1\n00:00:00,"), ("vtt", "WEBVTT\n\n00:00:00."), ("json", '{\n  "text": "你好。"')],
)
def test_texts_are_written_into_a_folder_in_every_form(
    run: Run, talk: Path, tmp_path: Path, form: str, beginning: str
) -> None:
    finished = run("transcribe", talk, "--format", form, "--output", tmp_path / "a" / "b")
    assert (finished.exit_code, finished.out) == (0, "")
    written = (tmp_path / "a" / "b" / f"talk.{form}").read_text(encoding="utf-8")
    assert written.startswith(beginning)
    assert written.endswith("\n")


@pytest.mark.usefixtures("recognizer")
def test_json_has_all_that_is_known(run: Run, talk: Path) -> None:
    document = json.loads(run("transcribe", talk, "-f", "json").out)
    assert (document["text"], document["language"], document["duration_s"]) == ("你好。", "en", 1.5)
    (utterance,) = document["utterances"]
    assert utterance["timing"] == "aligned"
    assert [word["text"] for word in utterance["words"]] == ["你好。"]


def test_the_language_reaches_the_recognizer(run: Run, recognizer: FakeRecognizer, talk: Path) -> None:
    assert run("transcribe", talk, "--language", "zh-CN").exit_code == 0
    assert recognizer.requests[0].options.language == "zh"


@pytest.mark.parametrize(
    ("language", "says"), [("klingon", "is no language code"), ("fr", "does not know the language")]
)
def test_a_language_that_cannot_be_recognized_is_told(
    run: Run, recognizer: FakeRecognizer, talk: Path, language: str, says: str
) -> None:
    finished = run("transcribe", talk, "-l", language)
    assert finished.exit_code == 64
    assert "unsupported_language" in finished.err
    assert says in finished.err
    assert recognizer.requests == []


def test_a_missing_recording_is_told_before_the_work_on_others_begins(
    run: Run, recognizer: FakeRecognizer, talk: Path
) -> None:
    finished = run("transcribe", talk, "missing.wav")
    assert finished.exit_code == 66
    assert finished.err == "error cannot_read missing.wav cannot be read: No such file or directory.\n"
    assert recognizer.requests == []


def test_a_folder_is_no_recording(run: Run, tmp_path: Path) -> None:
    finished = run("transcribe", tmp_path)
    assert finished.exit_code == 66
    assert "Is a directory" in finished.err


@pytest.mark.usefixtures("recognizer")
def test_what_is_no_recording_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no recording at all" * 40)
    (tmp_path / "empty.wav").write_bytes(b"")
    for name, code in (("notes.txt", "audio_not_decodable"), ("empty.wav", "empty_audio")):
        finished = run("transcribe", name)
        assert finished.exit_code == 65
        assert code in finished.err


@pytest.mark.usefixtures("recognizer")
def test_an_output_folder_that_cannot_be_made_is_told(run: Run, talk: Path) -> None:
    finished = run("transcribe", talk, "-o", talk)
    assert finished.exit_code == 73
    assert f"cannot_write The folder {talk} cannot be made: File exists." in finished.err


@pytest.mark.usefixtures("recognizer")
def test_a_text_that_cannot_be_written_is_told(run: Run, talk: Path, tmp_path: Path) -> None:
    (tmp_path / "talk.txt").mkdir()
    finished = run("transcribe", talk, "-o", tmp_path)
    assert finished.exit_code == 73
    assert "cannot be written: Is a directory." in finished.err


def test_no_text_overwrites_another(run: Run, recognizer: FakeRecognizer, talk: Path, tmp_path: Path) -> None:
    (tmp_path / "talk.mp3").write_bytes(talk.read_bytes())
    finished = run("transcribe", talk, "talk.mp3", "-o", tmp_path / "out")
    assert finished.exit_code == 64
    assert "would both be written to" in finished.err
    assert recognizer.requests == []
    assert not (tmp_path / "out").exists()


def test_the_same_recording_twice_is_transcribed_once(run: Run, recognizer: FakeRecognizer, talk: Path) -> None:
    assert run("transcribe", talk, talk, "-o", "out").exit_code == 0
    assert len(recognizer.requests) == 1


def test_without_a_model_it_says_how_to_get_one(run: Run, talk: Path) -> None:
    finished = run("transcribe", talk)
    assert finished.exit_code == 69
    assert "model_missing" in finished.err
