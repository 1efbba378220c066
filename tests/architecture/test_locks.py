"""The lock files fit each other and the package, and can be read behind any mirror."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.architecture.source_tree import ROOT

RUNTIME_LOCK = ROOT / "requirements" / "runtime.lock"
DEV_LOCK = ROOT / "requirements" / "dev.lock"
CLIENT_LOCKS = {name: ROOT / "requirements" / f"{name}.lock" for name in ("livekit", "pipecat")}
ENGINES_LOCK = ROOT / "requirements" / "engines.lock"

PINNED = re.compile(
    r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[^ ;\\]+)(?: ; (?P<marker>[^\\]+?))? \\$", re.MULTILINE
)


def _pins(lock: Path) -> set[tuple[str, str, str]]:
    return {(pin["name"], pin["version"], pin["marker"] or "") for pin in PINNED.finditer(lock.read_text())}


def _normalized(requirement: str) -> str:
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name is not None, requirement
    return re.sub(r"[-_.]+", "-", name.group()).lower()


@pytest.mark.parametrize(("narrow", "wide"), [(RUNTIME_LOCK, DEV_LOCK), (DEV_LOCK, ENGINES_LOCK)])
def test_what_is_tested_has_the_very_versions_that_the_service_runs_on(narrow: Path, wide: Path) -> None:
    # A marker may be wider in one lock (a second way to need a package); the version may not differ.
    pinned = {(name, version) for name, version, _ in _pins(narrow)}
    assert pinned
    assert pinned - {(name, version) for name, version, _ in _pins(wide)} == set()


def test_every_direct_dependency_is_locked() -> None:
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project, groups = configuration["project"], configuration["dependency-groups"]
    extras = project["optional-dependencies"]
    runtime = [
        *project["dependencies"],
        *extras["whisper"],
        *extras["postgres"],
        *extras["redis"],
        *extras["text"],
        *groups["build"],
    ]
    development = [requirement for requirement in groups["dev"] if isinstance(requirement, str)]
    locked = {name for name, _, _ in _pins(RUNTIME_LOCK)}
    assert {_normalized(requirement) for requirement in runtime} - locked == set()
    assert {_normalized(requirement) for requirement in development} - {name for name, _, _ in _pins(DEV_LOCK)} == set()
    engines = [*extras["sherpa"], *(requirement for requirement in groups["engines"] if isinstance(requirement, str))]
    assert {_normalized(requirement) for requirement in engines} - {name for name, _, _ in _pins(ENGINES_LOCK)} == set()


@pytest.mark.parametrize("name", CLIENT_LOCKS)
def test_the_lock_of_a_clients_framework_has_the_versions_that_are_asked_for(name: str) -> None:
    group = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"][name]
    pinned = {f"{package}=={version}" for package, version, _ in _pins(CLIENT_LOCKS[name])}
    assert {re.sub(r"\[.*\]", "", requirement) for requirement in group} - pinned == set()


@pytest.mark.parametrize(
    "lock", [RUNTIME_LOCK, DEV_LOCK, ENGINES_LOCK, *CLIENT_LOCKS.values()], ids=lambda lock: lock.stem
)
def test_lock_holds_nothing_but_pins_with_hashes(lock: Path) -> None:
    unexpected = [
        line
        for line in lock.read_text().splitlines()
        if not (PINNED.match(line) or re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?|    # .*", line))
    ]
    assert unexpected == []
    assert "://" not in lock.read_text()
