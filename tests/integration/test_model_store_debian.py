"""Files out of Debian packages: a real package, and a stand-in for apt where a machine's state matters."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from asr_service.domain.ports.model_store import ModelDownloadFailed, PullProgress
from asr_service.infrastructure.artifacts.cached_model_store import CachedModelStore
from tests.fixtures.artifacts.small_catalogue import FILES, MODEL_NAME, small_catalogue, write_files

# Like apt on a machine without package lists: it knows no package before an update.
BARE_APT = """#!/bin/sh
echo "$1" >> {log}
case "$1" in
  update) touch {lists} ;;
  download) [ -e {lists} ] && cp {package} . || {{ echo "E: Unable to locate package small" >&2; exit 100; }} ;;
esac
"""
DEBIAN = {"type": "debian", "package": "small", "folder": "usr/share/small"}


def ignore(progress: PullProgress) -> None:
    pass


@pytest.fixture
def apt_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Puts the stand-in, and a package that it can download, before the machine's apt."""
    root = tmp_path / "root"
    write_files(root / "usr/share/small")
    (root / "DEBIAN").mkdir()
    control = (
        "Package: small\nVersion: 1\nArchitecture: all\nMaintainer: Tests <tests@example.test>\nDescription: small\n"
    )
    (root / "DEBIAN/control").write_text(control)
    package = tmp_path / "small_1_all.deb"
    subprocess.run(["dpkg-deb", "--build", str(root), str(package)], check=True, capture_output=True)
    apt = tmp_path / "bin" / "apt-get"
    apt.parent.mkdir()
    log = tmp_path / "log"
    apt.write_text(BARE_APT.format(log=log, lists=tmp_path / "lists", package=package))
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", f"{apt.parent}:{os.environ['PATH']}")
    return log


def store(cache: Path, **changes: Any) -> CachedModelStore:
    return CachedModelStore(cache, small_catalogue({**DEBIAN, **changes}))


def test_a_bare_machine_updates_its_lists_first(apt_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    folder = store(tmp_path / "cache").pull(MODEL_NAME, ignore)
    assert {path: (folder / path).read_bytes() for path in FILES} == FILES
    assert apt_log.read_text().split() == ["download", "update", "download"]


def test_an_ordinary_user_is_told_to_have_the_lists_updated(
    apt_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ModelDownloadFailed, match=r"Unable to locate package small \(apt-get update, run as root"):
        store(tmp_path / "cache").pull(MODEL_NAME, ignore)
    assert apt_log.read_text().split() == ["download"]


@pytest.mark.usefixtures("apt_log")
def test_a_file_that_the_package_does_not_have_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(ModelDownloadFailed, match="the package small has no file elsewhere/"):
        store(tmp_path / "cache", folder="elsewhere").pull(MODEL_NAME, ignore)


def test_another_system_than_debian_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ModelDownloadFailed, match="there is no apt-get on this machine"):
        store(tmp_path / "cache").pull(MODEL_NAME, ignore)


def test_a_program_that_cannot_be_run_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("apt-get", "dpkg-deb"):
        (tmp_path / name).write_text("#!/no/such/interpreter\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ModelDownloadFailed, match="apt-get cannot be run"):
        store(tmp_path / "cache").pull(MODEL_NAME, ignore)
