"""Files that a person has put into a folder of this machine."""

from collections.abc import Iterator
from pathlib import Path

from asr_service.infrastructure.artifacts.catalogue import Entry, FileSpec
from asr_service.infrastructure.artifacts.staging import SourceFailed, Staging, read_chunks


class LocalDirectorySource:
    """Copies an entry out of a folder: the files themselves, a subfolder named after the entry, or another cache."""

    def __init__(self, directory: Path) -> None:
        self.label = f"folder {directory}"
        self._directory = directory

    def fetch(self, entry: Entry, staging: Staging) -> None:
        """Copies and checks every file.

        Raises:
            SourceFailed: The folder does not hold all of them, or not the right ones.
        """
        folder = self._folder_of(entry)

        def chunks_of(file: FileSpec) -> Iterator[bytes]:
            try:
                with (folder / file.path).open("rb") as stream:
                    yield from read_chunks(stream)
            except OSError as error:
                raise SourceFailed(f"{file.path} cannot be read: {error.strerror}") from error

        staging.add_all(chunks_of)

    def _folder_of(self, entry: Entry) -> Path:
        candidates = (
            self._directory,
            self._directory / entry.name,
            self._directory / entry.place,
        )
        for candidate in candidates:
            if all((candidate / file.path).is_file() for file in entry.files):
                return candidate
        wanted = ", ".join(file.path for file in entry.files[:4])
        raise SourceFailed(f"it does not hold {wanted}, nor does a folder {entry.name} in it")
