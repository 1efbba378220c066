"""A catalogue of one's own: models that somebody has downloaded, pinned to the files that they have got."""

import hashlib
import json
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from asr_service.domain.ports.model_store import ArtifactKind, CatalogueUnusable, ModelMissing
from asr_service.infrastructure.artifacts.catalogue import Catalogue, Entry, FileSpec, HubSpec, load_catalogue
from asr_service.infrastructure.artifacts.staging import sha256_of

_VERSION_DIGITS = 12


def with_own_entries(catalogue: Catalogue, path: Path) -> Catalogue:
    """The catalogue with the entries of a file of the same form after its own.

    Raises:
        CatalogueUnusable: The file cannot be read, breaks a rule, or has a name that is taken.
    """
    try:
        own = load_catalogue(path)
        return Catalogue(entries=catalogue.entries + own.entries, samples=catalogue.samples + own.samples)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CatalogueUnusable(
            f"The catalogue {path} cannot be read: {error}.", hint="Correct the file, or the setting models.catalogue."
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "entries"
        raise CatalogueUnusable(
            f"The catalogue {path} breaks a rule at {place}: {first['msg']}.",
            hint="`asr-service models lock` writes entries that keep all rules.",
        ) from error


def locked_entry(
    folder: Path,
    name: str,
    *,
    engine: str | None = None,
    architecture: str | None = None,
    languages: Sequence[str] = (),
    licence: str = "unknown",
    sources: Sequence[HubSpec] = (),
) -> Entry:
    """An entry for the files that are in a folder now, hidden ones left out; reads every byte.

    The version follows from the files, so that other files are another version.

    Raises:
        ModelMissing: There are no files.
        CatalogueUnusable: The name, or what else is said of the model, is not allowed.
    """
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and not _is_hidden(path.relative_to(folder))]
    if not paths:
        raise ModelMissing(f"{folder} holds no files.", hint="Name the folder with the model's files.")
    try:
        files = tuple(
            FileSpec(path=path.relative_to(folder).as_posix(), size_bytes=path.stat().st_size, sha256=sha256_of(path))
            for path in paths
        )
        return Entry(
            name=name,
            kind=ArtifactKind.MODEL,
            engine=engine,
            architecture=architecture,
            languages=tuple(languages),
            version=_version_of(files),
            description=f"Pinned from the files of {folder.name}",
            licence=licence,
            files=files,
            sources=tuple(sources),
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise CatalogueUnusable(f"{first['loc'][-1] if first['loc'] else name}: {first['msg']}.") from error


def render(entry: Entry) -> str:
    """The entry as it stands in a catalogue: TOML, whose strings are written like those of JSON."""
    return "\n".join(_lines(entry)) + "\n"


def _lines(entry: Entry) -> Iterator[str]:
    yield "[[entries]]"
    for key in ("name", "kind", "engine", "architecture", "version", "description", "licence"):
        if (value := getattr(entry, key)) is not None:
            yield f"{key} = {_text(value)}"
    if entry.languages:
        yield f"languages = [{', '.join(_text(code) for code in entry.languages)}]"
    yield "files = ["
    for file in entry.files:
        yield f'  {{ path = {_text(file.path)}, size_bytes = {file.size_bytes}, sha256 = "{file.sha256}" }},'
    yield "]"
    if not entry.sources:
        yield "sources = []"
    for source in entry.sources:
        yield ""
        yield "[[entries.sources]]"
        for key, value in source.model_dump().items():
            yield f"{key} = {_text(value)}"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _version_of(files: Sequence[FileSpec]) -> str:
    digest = hashlib.sha256("".join(f"{file.path}\0{file.sha256}\n" for file in files).encode())
    return digest.hexdigest()[:_VERSION_DIGITS]
