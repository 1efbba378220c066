"""Lists of words in files: one word or phrase on each line; empty lines, and those that begin with #, do not count."""

from pathlib import Path


class WordListUnreadable(Exception):
    """A list cannot be read. The message says what is wrong with which file, and quotes nothing of it."""


def read_words(file: Path) -> list[str]:
    """The words of one list.

    Raises:
        WordListUnreadable: The file is not there, may not be read, or is no text in UTF-8.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = "it is no UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror or type(error).__name__
        raise WordListUnreadable(f"cannot be read from {file}: {reason}.") from None
    return [word for line in lines if (word := line.strip()) and not word.startswith("#")]


def read_tenants_words(directory: Path) -> dict[str, list[str]]:
    """The list of each tenant that has one, in ``<tenant>.txt``.

    Raises:
        WordListUnreadable: The directory, or a list in it, cannot be read.
    """
    if not directory.is_dir():
        raise WordListUnreadable(f"names no directory: {directory}.")
    return {file.stem: read_words(file) for file in sorted(directory.glob("*.txt"))}
