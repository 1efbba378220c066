"""Set-up does nothing where nothing changed, and says what to do where it cannot help itself."""

from pathlib import Path

import pytest

from scripts import setup


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small repository with an environment that was installed from its lock."""
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    lock, venv = tmp_path / "runtime.lock", tmp_path / ".venv"
    lock.write_text("httpx==0.28.1\n")
    setup.python_of(venv).parent.mkdir(parents=True)
    setup.python_of(venv).touch()
    setup.stamp_path(lock, venv).write_text(setup.installation_digest(lock))
    return tmp_path


def test_an_unchanged_clone_counts_as_installed(clone: Path) -> None:
    assert setup.is_installed(clone / "runtime.lock", clone / ".venv")


@pytest.mark.parametrize("changed", ["runtime.lock", "pyproject.toml"])
def test_a_changed_file_calls_for_an_installation(clone: Path, changed: str) -> None:
    (clone / changed).write_text("something else\n")
    assert not setup.is_installed(clone / "runtime.lock", clone / ".venv")


def test_a_removed_environment_calls_for_an_installation(clone: Path) -> None:
    setup.python_of(clone / ".venv").unlink()
    assert not setup.is_installed(clone / "runtime.lock", clone / ".venv")


def test_another_lock_calls_for_an_installation_of_its_own(clone: Path) -> None:
    (clone / "dev.lock").write_text("httpx==0.28.1\npytest==9.2.0\n")
    assert not setup.is_installed(clone / "dev.lock", clone / ".venv")


def test_another_environment_calls_for_an_installation_of_its_own(clone: Path) -> None:
    assert not setup.is_installed(clone / "runtime.lock", clone / ".venv-engines")


def test_present_programs_need_no_package_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    setup.ensure_system_packages([setup.SystemPackage("tool", "tests", lambda: True)])


def test_without_root_the_exact_command_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "apt-get").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(setup.os, "geteuid", lambda: 1000)
    with pytest.raises(
        setup.SetupError, match=r"sudo apt-get update && sudo apt-get install -y --no-install-recommends tool"
    ):
        setup.ensure_system_packages([setup.SystemPackage("tool", "tests", lambda: False)])


def test_without_apt_the_missing_program_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(setup.SetupError, match=r"missing: tool \(for tests\)"):
        setup.ensure_system_packages([setup.SystemPackage("tool", "tests", lambda: False)])
