"""The file that vouches for a folder of the cache: written last, it says that the others were complete and right."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from asr_service.domain.ports.model_store import ModelCorrupt, ModelMissing
from asr_service.infrastructure.artifacts.catalogue import Entry, FileSpec
from asr_service.infrastructure.artifacts.staging import sha256_of, sync

MANIFEST_NAME = ".manifest.json"


class _Vouched(BaseModel):
    model_config = ConfigDict(frozen=True)

    sha256: str
    mtime_ns: int


class _Manifest(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str
    version: str
    source: str
    files: dict[str, _Vouched]


def write_manifest(folder: Path, entry: Entry, source: str) -> None:
    """Vouches for the folder's files, whose checksums the caller has compared."""
    files = {
        file.path: _Vouched(sha256=file.sha256, mtime_ns=(folder / file.path).stat().st_mtime_ns)
        for file in entry.files
    }
    manifest = _Manifest(name=entry.name, version=entry.version, source=source, files=files)
    with (folder / MANIFEST_NAME).open("wb") as output:
        output.write(manifest.model_dump_json(indent=2).encode())
        sync(output)


def check_quickly(folder: Path, entry: Entry) -> None:
    """Compares sizes and times; a file is read only if its time is another one, as in a cache that was copied.

    Raises:
        ModelMissing: The folder has no manifest.
        ModelCorrupt: A file is gone or was changed.
    """
    manifest = _read_manifest(folder, entry)
    for file in entry.files:
        _check_size(folder, entry, file)
        vouched = manifest.files.get(file.path)
        unchanged = vouched is not None and vouched.mtime_ns == (folder / file.path).stat().st_mtime_ns
        if vouched is None or vouched.sha256 != file.sha256 or not unchanged:
            _check_content(folder, entry, file)


def check_thoroughly(folder: Path, entry: Entry) -> None:
    """Compares all checksums.

    Raises:
        ModelMissing: The folder has no manifest.
        ModelCorrupt: A file is gone or is not what the catalogue says.
    """
    _read_manifest(folder, entry)
    for file in entry.files:
        _check_size(folder, entry, file)
        _check_content(folder, entry, file)


def _read_manifest(folder: Path, entry: Entry) -> _Manifest:
    try:
        return _Manifest.model_validate_json((folder / MANIFEST_NAME).read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelMissing(
            f"The files of {entry.name} are not in {folder}.", hint=f"Run: asr-service models pull {entry.name}"
        ) from error
    except (OSError, ValidationError) as error:
        raise _corrupt(entry, folder / MANIFEST_NAME, "cannot be read") from error


def _check_size(folder: Path, entry: Entry, file: FileSpec) -> None:
    path = folder / file.path
    with _readable(entry, path):
        found_bytes = path.stat().st_size
    if found_bytes != file.size_bytes:
        raise _corrupt(entry, path, f"has {found_bytes} bytes instead of {file.size_bytes}")


def _check_content(folder: Path, entry: Entry, file: FileSpec) -> None:
    path = folder / file.path
    with _readable(entry, path):
        found = sha256_of(path)
    if found != file.sha256:
        raise _corrupt(entry, path, "has the wrong checksum")


@contextmanager
def _readable(entry: Entry, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _corrupt(entry, path, "is gone or cannot be read") from error


def _corrupt(entry: Entry, path: Path, fault: str) -> ModelCorrupt:
    return ModelCorrupt(
        f"{entry.name} is damaged: {path} {fault}.",
        hint=f"Run: asr-service models remove {entry.name} && asr-service models pull {entry.name}",
    )
