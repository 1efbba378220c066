"""What the staging folder accepts, and what storage errors are called."""

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from asr_service.domain.ports.model_store import CacheNotWritable, DiskFull, PullStage
from asr_service.infrastructure.artifacts.catalogue import FileSpec
from asr_service.infrastructure.artifacts.staging import SourceFailed, Staging, storage_errors_named
from tests.fixtures.artifacts.small_catalogue import FILES, MODEL_NAME, small_catalogue

TOTAL_BYTES = sum(map(len, FILES.values()))


@pytest.fixture
def reports() -> list[tuple[PullStage, int, int | None]]:
    return []


@pytest.fixture
def staging(tmp_path: Path, reports: list[tuple[PullStage, int, int | None]]) -> Staging:
    entry = small_catalogue().get(MODEL_NAME)
    return Staging(tmp_path / "staging", entry, lambda *report: reports.append(report))


def chunks_of(file: FileSpec) -> Iterator[bytes]:
    content = FILES[file.path]
    yield content[:7]
    yield content[7:]


def test_files_are_put_together_from_their_chunks(staging: Staging) -> None:
    with staging.opened():
        staging.add_all(chunks_of)
        assert {path: (staging.files / path).read_bytes() for path in FILES} == FILES


def test_progress_grows_to_the_size_of_the_entry(
    staging: Staging, reports: list[tuple[PullStage, int, int | None]]
) -> None:
    with staging.opened():
        staging.add_all(chunks_of)
    done = [done_bytes for _, done_bytes, _ in reports]
    assert done == sorted(done)
    assert reports[-1] == (PullStage.UNPACKING, TOTAL_BYTES, TOTAL_BYTES)


def test_a_file_with_another_content_is_refused(staging: Staging) -> None:
    with staging.opened(), pytest.raises(SourceFailed, match=r"model\.bin has the wrong checksum"):
        staging.add_all(lambda file: [bytes(file.size_bytes)])


def test_a_file_that_is_too_large_is_refused_before_it_fills_the_disk(staging: Staging) -> None:
    def endless(file: FileSpec) -> Iterator[bytes]:
        while True:
            yield bytes(100_000)

    with staging.opened(), pytest.raises(SourceFailed, match=r"model\.bin is larger than 300000 bytes"):
        staging.add_all(endless)


def test_files_of_a_failed_try_are_deleted_and_downloads_stay(staging: Staging) -> None:
    with staging.opened():
        (staging.files / "half").write_bytes(b"x")
        (staging.downloads / "wheel.part").write_bytes(b"x")
    assert not staging.files.exists()
    with staging.opened():
        assert list(staging.files.iterdir()) == []
        assert (staging.downloads / "wheel.part").read_bytes() == b"x"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_and_a_full_quota_are_called_so(number: int) -> None:
    with pytest.raises(DiskFull) as refusal, storage_errors_named(Path("/cache")):
        raise OSError(number, "no room")
    assert "/cache" in refusal.value.message
    assert refusal.value.hint is not None


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOTDIR])
def test_any_other_reason_is_told(number: int) -> None:
    with (
        pytest.raises(CacheNotWritable, match=r"/cache cannot be written to: because\."),
        storage_errors_named(Path("/cache")),
    ):
        raise OSError(number, "because")
