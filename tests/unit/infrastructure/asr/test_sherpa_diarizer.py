"""The process that tells speakers apart, from outside: scripts stand in for it, and all that they do has one clear end."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import IO, Any

import pytest
from structlog.testing import capture_logs

from asr_service.domain.ports.audio_decoder import AudioTooLong, NoRoomForAudio
from asr_service.domain.ports.model_store import ModelMissing, ModelUnsuitable
from asr_service.domain.ports.recognizer import EngineNotInstalled
from asr_service.domain.ports.speaker_diarizer import DiarizationFailed, DiarizerOverloaded
from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.speaker_turn import SpeakerTurn
from asr_service.infrastructure.asr import sherpa_diarizer
from asr_service.infrastructure.asr.sherpa.diarization_process import DiarizationPlan
from asr_service.infrastructure.asr.sherpa_diarizer import SherpaSpeakerDiarizer, model_file
from tests.fixtures.conditions import eventually
from tests.fixtures.tidiness import everybody_waits, open_files

pytestmark = pytest.mark.usefixtures("tidy")

PLAN = DiarizationPlan(Path("segmentation.onnx"), Path("embedding.onnx"), num_speakers=2)
SECOND = b"\x10\x27" * 16_000

# What the process may do, each a program in Python.
COUNT = "import sys, json; n = len(sys.stdin.buffer.read()) // 2; print(json.dumps({'turns': [[0, n, 5]]}))"
REFUSE = "import json; print(json.dumps({'error': {'code': %r, 'message': 'No.', 'hint': 'Do.'}}))"
DIE = "import sys; print('bad metadata', file=sys.stderr); sys.exit(255)"
HANG = "import threading; threading.Event().wait()"


def diarizer(script: str = COUNT, *, max_seconds: float = 10.0, **options: Any) -> SherpaSpeakerDiarizer:
    return SherpaSpeakerDiarizer(PLAN, max_seconds=max_seconds, program=(sys.executable, "-c", script), **options)


async def blocks(*parts: bytes) -> AsyncGenerator[bytes, None]:
    for part in parts:
        yield part


async def test_the_process_hears_every_block_and_its_answer_is_the_turns() -> None:
    assert await diarizer().diarize(blocks(SECOND, SECOND[:100])) == (SpeakerTurn(SampleSpan(0, 16_050), 0),)


async def test_for_no_audio_nothing_is_started() -> None:
    assert await diarizer(DIE).diarize(blocks()) == ()


async def test_a_process_that_dies_costs_its_recording_and_says_why_in_the_log() -> None:
    with capture_logs() as lines, pytest.raises(DiarizationFailed, match="exit code 255"):
        await diarizer(DIE).diarize(blocks(SECOND))
    (line,) = lines
    assert (line["event"], line["exit_code"]) == ("diarization_process_died", 255)
    assert line["output"] == "bad metadata\n"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("engine_not_installed", EngineNotInstalled),
        ("model_unsuitable", ModelUnsuitable),
        ("diarization_failed", DiarizationFailed),
    ],
)
async def test_what_the_process_refuses_is_refused(code: str, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=r"^No\.$") as refusal:
        await diarizer(REFUSE % code).diarize(blocks(SECOND))
    assert refusal.value.hint == "Do."  # type: ignore[attr-defined]


async def test_the_check_tries_a_second_of_silence() -> None:
    await diarizer().check()


async def test_models_that_end_the_process_are_unsuitable() -> None:
    with pytest.raises(ModelUnsuitable, match="exit code 255") as refusal:
        await diarizer(DIE).check()
    assert "speakers.embedding_model" in (refusal.value.hint or "")


async def test_a_recording_that_is_too_long_is_refused_when_that_shows() -> None:
    read = 0

    async def endless() -> AsyncGenerator[bytes, None]:
        nonlocal read
        while True:
            read += 1
            yield SECOND

    async with aclosing(endless()) as audio:
        with pytest.raises(AudioTooLong, match="up to 2 s"):
            await diarizer(max_seconds=2.0).diarize(audio)
    assert read == 3


async def test_a_process_that_does_not_answer_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sherpa_diarizer, "_GRACE_S", 0.0)
    monkeypatch.setattr(sherpa_diarizer, "_SLOWEST", 0.0)
    with pytest.raises(DiarizationFailed, match="no answer within 0 s"):
        await diarizer(HANG).diarize(blocks(SECOND))


async def test_who_leaves_ends_the_process(tmp_path: Path) -> None:
    mark = tmp_path / "begun"
    script = f"import os, pathlib; pathlib.Path({str(mark)!r}).write_text(str(os.getpid())); {HANG}"
    before = open_files()
    work = asyncio.create_task(diarizer(script).diarize(blocks(SECOND)))
    await asyncio.to_thread(eventually, lambda: mark.exists() and mark.read_text(), "the process has begun")
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)
    assert open_files() == before


async def test_recordings_take_turns_and_only_so_many_wait() -> None:
    gate = asyncio.Event()
    active = 0

    async def slow() -> AsyncGenerator[bytes, None]:
        nonlocal active
        active += 1
        await gate.wait()
        active -= 1
        yield SECOND

    busy = diarizer(max_waiting=1)
    first, second = (asyncio.create_task(busy.diarize(slow())) for _ in range(2))
    await everybody_waits()
    assert (active, busy.waiting) == (1, 1)
    with pytest.raises(DiarizerOverloaded) as refusal:
        await busy.diarize(slow())
    assert refusal.value.retry_after_s
    gate.set()
    assert await first == await second == (SpeakerTurn(SampleSpan(0, 16_000), 0),)
    assert busy.waiting == 0


async def test_a_disk_without_room_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(NoRoomForAudio):
        await diarizer().diarize(blocks(SECOND))


async def test_a_disk_that_is_full_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(**_options: object) -> IO[bytes]:
        return Path("/dev/full").open("wb", buffering=0)

    monkeypatch.setattr(tempfile, "TemporaryFile", full_disk)
    with pytest.raises(NoRoomForAudio, match="No space left"):
        await diarizer().diarize(blocks(SECOND))


def test_a_model_is_named_by_its_file_or_its_folder(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").touch()
    assert model_file(tmp_path, "speakers.segmentation_model") == tmp_path / "model.onnx"
    assert model_file(tmp_path / "model.onnx", "speakers.segmentation_model") == tmp_path / "model.onnx"


@pytest.mark.parametrize("path", ["missing.onnx", ""])
def test_a_model_that_is_not_there_is_missing(tmp_path: Path, path: str) -> None:
    with pytest.raises(ModelMissing) as refusal:
        model_file(tmp_path / path, "speakers.embedding_model")
    assert "speakers.embedding_model" in (refusal.value.hint or "")
