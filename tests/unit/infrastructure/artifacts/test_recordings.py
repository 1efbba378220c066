"""Recordings with their words, and the samples made of them."""

import wave
from pathlib import Path

import pytest

from asr_service.domain.ports.model_store import ModelMissing
from asr_service.infrastructure.artifacts.cached_model_store import CachedModelStore
from asr_service.infrastructure.artifacts.catalogue import Catalogue
from asr_service.infrastructure.artifacts.recordings import RecordingLibrary, SamplesNotWritable
from tests.fixtures.artifacts.small_catalogue import sha256

CLIPS = {"en/one.wav": ("en", "One."), "en/two.wav": ("en", "Two."), "zh/一.wav": ("zh", "一。")}
CLIP_SAMPLES = 1600


def write_clip(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as clip:
        clip.setnchannels(1)
        clip.setsampwidth(2)
        clip.setframerate(16_000)
        clip.writeframes(b"\x01\x02" * CLIP_SAMPLES)
    return path.read_bytes()


@pytest.fixture
def library(tmp_path: Path) -> RecordingLibrary:
    files = []
    for path, (language, reference) in CLIPS.items():
        content = write_clip(tmp_path / "source" / path)
        size_bytes, checksum = len(content), sha256(content)
        files.append(
            {"path": path, "size_bytes": size_bytes, "sha256": checksum, "language": language, "reference": reference}
        )
    words = {"name": "clips", "kind": "recordings", "version": "1", "description": "", "licence": "CC0-1.0"}
    catalogue = Catalogue.model_validate(
        {
            "entries": [{**words, "files": files, "sources": []}],
            "samples": [{"path": "sample.wav", "entry": "clips", "clips": ["en/one.wav", "en/two.wav"]}],
        }
    )
    store = CachedModelStore(tmp_path / "cache", catalogue, local_directories=[tmp_path / "source"])
    return RecordingLibrary(store, catalogue)


@pytest.fixture
def pulled(library: RecordingLibrary, tmp_path: Path) -> RecordingLibrary:
    library.store.pull("clips", lambda progress: None)
    return library


def test_recordings_come_with_language_and_words(pulled: RecordingLibrary) -> None:
    listed = pulled.list_recordings("clips")
    assert {item.name: (item.language, item.reference) for item in listed} == CLIPS
    assert all(item.path.is_file() for item in listed)


def test_recordings_that_were_not_pulled_are_missing(library: RecordingLibrary, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing):
        library.list_recordings("clips")
    with pytest.raises(ModelMissing):
        library.write_samples(tmp_path / "samples")


def test_a_sample_joins_its_clips_with_silence_around_them(pulled: RecordingLibrary, tmp_path: Path) -> None:
    (sample,) = pulled.write_samples(tmp_path / "new" / "samples")
    assert (sample.name, sample.language, sample.reference) == ("sample.wav", "en", "One. Two.")
    with wave.open(str(sample.path), "rb") as written:
        assert (written.getframerate(), written.getnchannels(), written.getsampwidth()) == (16_000, 1, 2)
        pcm = written.readframes(written.getnframes())
    spoken = b"\x01\x02" * CLIP_SAMPLES
    assert pcm == bytes(16_000) + spoken + bytes(9_600) + spoken + bytes(16_000)


def test_samples_are_written_over_old_ones(pulled: RecordingLibrary, tmp_path: Path) -> None:
    (tmp_path / "sample.wav").write_bytes(b"old")
    (sample,) = pulled.write_samples(tmp_path)
    assert sample.path.read_bytes().startswith(b"RIFF")


def test_a_directory_that_cannot_be_made_is_named(pulled: RecordingLibrary, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SamplesNotWritable, match="cannot be written"):
        pulled.write_samples(tmp_path / "file" / "samples")
