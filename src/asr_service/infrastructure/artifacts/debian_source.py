"""Data out of a Debian package; nothing is installed."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from asr_service.domain.ports.model_store import PullStage
from asr_service.infrastructure.artifacts.catalogue import DebianSpec, Entry, FileSpec
from asr_service.infrastructure.artifacts.staging import SourceFailed, Staging, read_chunks

_APT_TIMEOUT_S = 300.0


class DebianSource:
    """Downloads a package with apt, which knows the machine's mirrors and keys, and reads files out of it."""

    def __init__(self, spec: DebianSpec) -> None:
        self.label: str = spec.type
        self._spec = spec

    def fetch(self, entry: Entry, staging: Staging) -> None:
        """Downloads the package and takes the entry's files out of it.

        Raises:
            SourceFailed: This is no Debian, apt cannot get the package, or other files are in it.
        """
        apt, dpkg = (_program(name) for name in ("apt-get", "dpkg-deb"))
        staging.report(PullStage.FETCHING, 0, None)
        folder = staging.downloads / self.label
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        package = self._download(apt, folder)
        staging.report(PullStage.FETCHING, package.stat().st_size, package.stat().st_size)
        _run([dpkg, "--extract", package.name, "unpacked"], folder)
        self._collect(folder / "unpacked", staging)

    def _download(self, apt: str, folder: Path) -> Path:
        # Without the option apt warns that its own user may not write to the folder.
        command = [apt, "download", "-o", "APT::Sandbox::User=root", self._spec.package]
        try:
            _run(command, folder)
        except SourceFailed:
            if os.geteuid() != 0:
                raise
            _run([apt, "update"], folder)  # a bare machine has no package lists yet
            _run(command, folder)
        return next(folder.glob("*.deb"))

    def _collect(self, unpacked: Path, staging: Staging) -> None:
        def chunks_of(file: FileSpec) -> Iterator[bytes]:
            for member in self._spec.members_of(file.path):
                if not (unpacked / member).is_file():
                    raise SourceFailed(f"the package {self._spec.package} has no file {member}")
                with (unpacked / member).open("rb") as stream:
                    yield from read_chunks(stream)

        staging.add_all(chunks_of)


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise SourceFailed(f"there is no {name} on this machine")
    return path


def _run(command: list[str], folder: Path) -> None:
    """Runs a program of the machine in the folder.

    Raises:
        SourceFailed: It fails; the message is the last line of what it says.
    """
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=_APT_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SourceFailed(f"{Path(command[0]).name} cannot be run: {error}") from error
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        hint = "" if os.geteuid() == 0 else " (apt-get update, run as root, may help)"
        raise SourceFailed(f"{Path(command[0]).name} {command[1]}: {said[-1]}{hint}")
