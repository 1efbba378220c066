"""The files and folders that people name on the command line."""

from collections.abc import Iterable
from pathlib import Path

from asr_service.shared.errors import AsrError


class CannotRead(AsrError):
    """A recording is not there, or may not be read."""

    code = "cannot_read"


class CannotWrite(AsrError):
    """A file or folder cannot be made."""

    code = "cannot_write"


def check_recordings(files: Iterable[Path]) -> None:
    """Looks at all recordings before the work on the first one begins.

    Raises:
        CannotRead: One of them cannot be opened.
    """
    for file in files:
        try:
            file.open("rb").close()
        except OSError as error:
            raise CannotRead(f"{file} cannot be read: {error.strerror}.") from error


def make_folder(folder: Path) -> None:
    """Makes the folder, and those above it, unless they are there.

    Raises:
        CannotWrite: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(f"The folder {folder} cannot be made: {error.strerror}.") from error


def write_text(file: Path, text: str) -> None:
    """Writes a file, in UTF-8.

    Raises:
        CannotWrite: It cannot be written.
    """
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CannotWrite(f"{file} cannot be written: {error.strerror}.") from error
