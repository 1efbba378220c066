"""What a manifest vouches for, and which changes are noticed."""

import os
from pathlib import Path

import pytest

from asr_service.domain.ports.model_store import ModelCorrupt, ModelMissing
from asr_service.infrastructure.artifacts.catalogue import Entry
from asr_service.infrastructure.artifacts.manifest import (
    MANIFEST_NAME,
    check_quickly,
    check_thoroughly,
    write_manifest,
)
from tests.fixtures.artifacts.small_catalogue import FILES, MODEL_NAME, small_catalogue, write_files

SAME_SIZE = bytes(len(FILES["model.bin"]))


@pytest.fixture
def entry() -> Entry:
    return small_catalogue().get(MODEL_NAME)


@pytest.fixture
def folder(tmp_path: Path, entry: Entry) -> Path:
    write_manifest(write_files(tmp_path), entry, "test")
    return tmp_path


def change_unnoticed(path: Path, content: bytes) -> None:
    """Changes a file and sets its time back, as a failing disk would."""
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_untouched_files_pass_both_checks(folder: Path, entry: Entry) -> None:
    check_quickly(folder, entry)
    check_thoroughly(folder, entry)


def test_files_without_a_manifest_are_not_trusted(tmp_path: Path, entry: Entry) -> None:
    write_files(tmp_path)
    with pytest.raises(ModelMissing) as refusal:
        check_quickly(tmp_path, entry)
    assert refusal.value.hint == "Run: asr-service models pull small-model"


def test_a_file_that_is_gone_is_named(folder: Path, entry: Entry) -> None:
    (folder / "config.json").unlink()
    with pytest.raises(ModelCorrupt, match=r"config\.json is gone") as refusal:
        check_quickly(folder, entry)
    assert "models remove small-model" in (refusal.value.hint or "")


def test_a_file_of_another_size_is_named(folder: Path, entry: Entry) -> None:
    change_unnoticed(folder / "model.bin", b"short")
    with pytest.raises(ModelCorrupt, match=r"model\.bin has 5 bytes instead of 300000"):
        check_quickly(folder, entry)


def test_a_file_that_was_written_to_is_read_and_refused(folder: Path, entry: Entry) -> None:
    (folder / "model.bin").write_bytes(SAME_SIZE)
    with pytest.raises(ModelCorrupt, match="wrong checksum"):
        check_quickly(folder, entry)


def test_a_copied_cache_has_other_times_and_is_fine(folder: Path, entry: Entry) -> None:
    os.utime(folder / "model.bin", ns=(1, 1))
    check_quickly(folder, entry)


def test_only_the_thorough_check_sees_a_byte_that_changed_by_itself(folder: Path, entry: Entry) -> None:
    change_unnoticed(folder / "model.bin", SAME_SIZE)
    check_quickly(folder, entry)
    with pytest.raises(ModelCorrupt, match="wrong checksum"):
        check_thoroughly(folder, entry)


def test_a_manifest_that_cannot_be_read_vouches_for_nothing(folder: Path, entry: Entry) -> None:
    (folder / MANIFEST_NAME).write_text("{")
    with pytest.raises(ModelCorrupt, match="cannot be read"):
        check_quickly(folder, entry)


def test_a_manifest_for_other_checksums_does_not_count(folder: Path, entry: Entry) -> None:
    changed = entry.files[0].model_copy(update={"sha256": "f" * 64})
    other = entry.model_copy(update={"files": (changed, *entry.files[1:])})
    with pytest.raises(ModelCorrupt, match="wrong checksum"):
        check_quickly(folder, other)


def test_a_file_that_may_not_be_read_is_named(folder: Path, entry: Entry) -> None:
    (folder / "model.bin").unlink()
    (folder / "model.bin").mkdir()
    with pytest.raises(ModelCorrupt, match=r"model\.bin has"):
        check_thoroughly(folder, entry)
