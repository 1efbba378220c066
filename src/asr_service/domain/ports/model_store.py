"""Models and recordings on this machine: what is known, what is here, and how to get the rest."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from asr_service.shared.errors import AsrError, NotFound


class ModelUnknown(NotFound):
    """The catalogue has no entry of this name."""

    code = "model_unknown"


class ModelMissing(AsrError):
    """The entry is known, and its files are not on this machine."""

    code = "model_missing"


class ModelCorrupt(AsrError):
    """Files of the entry are on this machine, and they are not what the catalogue says."""

    code = "model_corrupt"


class ModelUnsuitable(AsrError):
    """The entry turns no speech into text: recordings, for instance, or a detector of voice activity."""

    code = "model_unsuitable"


class CatalogueUnusable(AsrError):
    """A catalogue of the user's own cannot be read, or an entry that is to be written breaks a rule."""

    code = "catalogue_unusable"


class ModelDownloadFailed(AsrError):
    """No source could give the files.

    ``reasons`` has one line for each source that was tried, in the order of trying.
    """

    code = "model_download_failed"

    def __init__(self, name: str, reasons: Mapping[str, str], *, hint: str | None = None) -> None:
        listed = "; ".join(f"{source}: {reason}" for source, reason in reasons.items())
        super().__init__(f"{name} could not be fetched ({listed}).", hint=hint)
        self.reasons = dict(reasons)


class CacheNotWritable(AsrError):
    """The cache directory cannot be made or written to."""

    code = "cache_not_writable"


class DiskFull(AsrError):
    """The disk, or the user's quota, has no room; what was downloaded so far is kept for the next try."""

    code = "disk_full"


class ArtifactKind(StrEnum):
    """What an entry holds."""

    MODEL = "model"
    RECORDINGS = "recordings"


class ModelState(StrEnum):
    """Whether the files can be used."""

    INSTALLED = "installed"
    MISSING = "missing"
    CORRUPT = "corrupt"


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One entry of the catalogue, and how it stands on this machine.

    ``path`` is the folder with the files; ``None`` unless they can be used. ``size_bytes`` is what they take on disk.
    """

    name: str
    kind: ArtifactKind
    version: str
    description: str
    licence: str
    size_bytes: int
    state: ModelState
    path: Path | None


@dataclass(frozen=True, slots=True)
class RecognitionModel:
    """A model that turns speech into text: where its files are, and who can read them.

    Attributes:
        name: As it is called in the catalogue, or by whoever owns the folder.
        directory: The folder with its files.
        engine: Name of the engine that reads them, for example ``faster-whisper``; empty: nobody said.
        architecture: What the files are, in the words of the engine, for example ``moonshine``; empty: the engine sees it.
        languages: Codes of the languages that it recognizes; empty: the engine finds them in the files.
        punctuation: The folder of a model that puts punctuation into its texts; ``None``: there is none.
    """

    name: str
    directory: Path
    engine: str = ""
    architecture: str = ""
    languages: frozenset[str] = frozenset()
    punctuation: Path | None = None


class PullStage(StrEnum):
    """What a pull is doing."""

    WAITING = "waiting"  # another process is pulling the same entry
    FETCHING = "fetching"
    UNPACKING = "unpacking"


@dataclass(frozen=True, slots=True)
class PullProgress:
    """How far a pull is.

    Attributes:
        name: The entry.
        stage: What is being done.
        source: The source in use, for example ``package-registry``; empty while waiting. When a source fails, the
            next one starts again at 0.
        done_bytes: Bytes of this stage that are done, those kept from an earlier, broken download included.
        total_bytes: Bytes of this stage in all; ``None`` when the source does not tell.
    """

    name: str
    stage: PullStage
    source: str
    done_bytes: int
    total_bytes: int | None


class ModelStore(Protocol):
    """The files of models and recordings, by name. Synchronous: an event loop calls it in a thread."""

    def list_entries(self) -> list[ModelStatus]:
        """Every entry, in the order of the catalogue. Reads sizes, not contents."""
        ...

    def locate(self, name: str) -> Path:
        """The folder with the entry's files. Quick, without network, and without writing anything.

        Raises:
            ModelUnknown: There is no such entry.
            ModelMissing: The files are not here.
            ModelCorrupt: A file is gone, or its size or content has changed.
        """
        ...

    def recognition_model(self, name: str) -> RecognitionModel:
        """The entry as an engine wants it: its folder, as ``locate`` gives it, and how its files are to be read.

        Raises:
            ModelUnknown, ModelMissing, ModelCorrupt: As ``locate``.
            ModelUnsuitable: The entry is not for recognition.
        """
        ...

    def pull(self, name: str, progress: Callable[[PullProgress], None]) -> Path:
        """Fetches the entry unless it is here already; returns its folder.

        Calls from several threads and processes are fine: one of them works, the others wait for it. What a broken
        download has left is used by the next call.

        Raises:
            ModelUnknown: There is no such entry.
            ModelDownloadFailed: Every source failed.
            CacheNotWritable: The files cannot be stored.
            DiskFull: There is no room for them.
        """
        ...

    def verify(self, name: str) -> None:
        """Reads every byte and compares checksums.

        Raises:
            ModelUnknown: There is no such entry.
            ModelMissing: The files are not here.
            ModelCorrupt: A file is not what the catalogue says.
        """
        ...

    def remove(self, name: str) -> None:
        """Deletes the files, and what a broken download has left; that there are none is no error.

        Raises:
            ModelUnknown: There is no such entry, or it is a folder that the store does not own.
            CacheNotWritable: The files cannot be deleted.
        """
        ...
