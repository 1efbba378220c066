"""Where an entry is put together and checked before it is moved into place."""

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeAlias

from asr_service.domain.ports.model_store import CacheNotWritable, DiskFull, PullStage
from asr_service.infrastructure.artifacts.catalogue import Entry, FileSpec

CHUNK_BYTES = 1 << 20

Report: TypeAlias = Callable[[PullStage, int, int | None], None]


class SourceFailed(Exception):
    """This source cannot give the entry; another may. The message is shown to the user and holds no secrets."""


class Staging:
    """A folder of the cache for one entry, used by one process at a time.

    ``downloads`` keeps what was fetched, partial files included, until the entry is in place; ``files`` is the tree
    that will be moved there.
    """

    def __init__(self, directory: Path, entry: Entry, report: Report) -> None:
        self._entry = entry
        self.report = report
        self.downloads = directory / "downloads"
        self.files = directory / "files"

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Makes the folders for one try. Files that are still there after it are deleted; downloads stay."""
        self._discard_files()
        self.files.mkdir(parents=True)
        self.downloads.mkdir(exist_ok=True)
        try:
            yield
        finally:
            self._discard_files()

    def _discard_files(self) -> None:
        if self.files.exists():
            shutil.rmtree(self.files)

    def add_all(self, chunks_of: Callable[[FileSpec], Iterable[bytes]]) -> None:
        """Writes every file of the entry from its chunks.

        Raises:
            SourceFailed: A file has another size or checksum than the catalogue says.
        """
        done_bytes = 0
        for file in self._entry.files:
            for written_bytes in self._write(file, chunks_of(file)):
                self.report(PullStage.UNPACKING, done_bytes + written_bytes, self._entry.size_bytes)
            done_bytes += file.size_bytes

    def _write(self, file: FileSpec, chunks: Iterable[bytes]) -> Iterator[int]:
        digest = hashlib.sha256()
        written_bytes = 0
        target = self.files / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as output:
            for chunk in chunks:
                written_bytes += len(chunk)
                if written_bytes > file.size_bytes:
                    raise SourceFailed(f"{file.path} is larger than {file.size_bytes} bytes")
                digest.update(chunk)
                output.write(chunk)
                yield written_bytes
            sync(output)
        if digest.hexdigest() != file.sha256:
            raise SourceFailed(f"{file.path} has the wrong checksum")


def sync(output: IO[bytes]) -> None:
    """Has the bytes on the disk before a manifest vouches for them: a power cut must not leave zeros behind it."""
    output.flush()
    os.fsync(output.fileno())


def read_chunks(stream: IO[bytes]) -> Iterator[bytes]:
    """The rest of a stream in pieces."""
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk


def sha256_of(path: Path) -> str:
    """The checksum of a file, as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def storage_errors_named(cache_directory: Path) -> Iterator[None]:
    """Turns the operating system's errors of writing to the cache into the public ones.

    Raises:
        DiskFull: The disk or the quota is full.
        CacheNotWritable: Any other reason why the cache cannot be written to.
    """
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFull(
                f"There is no room left in {cache_directory}.",
                hint="Free some space and repeat the command: it goes on where it stopped.",
            ) from error
        raise CacheNotWritable(
            f"The cache directory {cache_directory} cannot be written to: {error.strerror or error}.",
            hint="Make it writable, or set another cache directory.",
        ) from error
