"""Sets up this clone: Debian packages, the virtual environment, the locked Python packages.

python3 scripts/setup.py run      what the service needs
python3 scripts/setup.py check    the same, plus the tools of `make check`
python3 scripts/setup.py test     the same, plus the programs that the test suite starts (browser, databases)
python3 scripts/setup.py engines  an environment of its own, .venv-engines: the tools of the tests, and every engine

Runs on the system's own Python with nothing installed. What is in place already is left alone: stamps in the environment
hold the digest of the files that an installation came from. pip finds packages by its own configuration, so a mirror
keeps working.
"""

import argparse
import contextlib
import hashlib
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
ENGINES_VENV = ROOT / ".venv-engines"
OLDEST_PYTHON = (3, 11)
APT_GET = ("apt-get", "-qq", "-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Lock::Timeout=300")


class SetupError(Exception):
    """Something is missing that only the person at the keyboard can mend; the message says what to do."""


@dataclass(frozen=True)
class SystemPackage:
    """A Debian package, and how to tell that what it brings is there, from whatever source."""

    name: str
    purpose: str
    is_present: Callable[[], bool]


def _has_ensurepip() -> bool:
    importlib.invalidate_caches()
    return importlib.util.find_spec("ensurepip") is not None


def _has_postgresql_server() -> bool:
    # Debian keeps the server's programs out of PATH, one folder per major version.
    return shutil.which("initdb") is not None or any(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


def _has_server(name: str) -> bool:
    # Where Debian keeps servers is not in everybody's PATH.
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin") is not None


def _has_libatomic() -> bool:
    return any(Path("/usr/lib").glob("**/libatomic.so.1"))


RUN_PACKAGES = (SystemPackage("python3-venv", "virtual environments", _has_ensurepip),)
TEST_PACKAGES = (
    SystemPackage("libatomic1", "the driver of the browser", _has_libatomic),
    SystemPackage("curl", "tests of the REST interface", lambda: shutil.which("curl") is not None),
    SystemPackage("chromium", "tests of the page", lambda: shutil.which("chromium") is not None),
    SystemPackage("nodejs", "tests with clients for Node", lambda: shutil.which("node") is not None),
    SystemPackage("npm", "tests with clients for Node", lambda: shutil.which("npm") is not None),
    SystemPackage("postgresql", "tests of the stores", _has_postgresql_server),
    SystemPackage("redis-server", "tests of the stores", lambda: shutil.which("redis-server") is not None),
    SystemPackage("nginx-light", "tests of several servers", lambda: _has_server("nginx")),
    SystemPackage("haproxy", "tests of several servers", lambda: _has_server("haproxy")),
)


@dataclass(frozen=True)
class Goal:
    """What one kind of set-up installs, and where."""

    lock: Path
    system_packages: tuple[SystemPackage, ...]
    venv: Path = VENV


RUNTIME_LOCK = ROOT / "requirements" / "runtime.lock"
DEV_LOCK = ROOT / "requirements" / "dev.lock"
ENGINES_LOCK = ROOT / "requirements" / "engines.lock"
GOALS = {
    "run": Goal(RUNTIME_LOCK, RUN_PACKAGES),
    "check": Goal(DEV_LOCK, RUN_PACKAGES),
    "test": Goal(DEV_LOCK, RUN_PACKAGES + TEST_PACKAGES),
    "engines": Goal(ENGINES_LOCK, RUN_PACKAGES, ENGINES_VENV),
}


def say(line: str) -> None:
    """Tells the person what is being done now."""
    print(f"setup: {line}", flush=True)


# ---------------------------------------------------------------------------------------------------- Debian packages


def ensure_system_packages(packages: Sequence[SystemPackage]) -> None:
    """Installs the missing ones of ``packages``.

    Raises:
        SetupError: not root, or no apt-get here, or the installation failed.
    """
    missing = [package for package in packages if not package.is_present()]
    if not missing:
        return
    names = [package.name for package in missing]
    needed = ", ".join(f"{package.name} (for {package.purpose})" for package in missing)
    if shutil.which("apt-get") is None:
        raise SetupError(f"missing: {needed}. Please install them with this system's package manager.")
    if os.geteuid() != 0:
        command = f"sudo apt-get update && sudo apt-get install -y --no-install-recommends {shlex.join(names)}"
        raise SetupError(f"missing: {needed}. Please run:\n  {command}")
    say(f"installing Debian packages: {needed}")
    with _services_held_back():
        _apt_install(names)
    still_missing = [package.name for package in missing if not package.is_present()]
    if still_missing:
        raise SetupError(
            f"{', '.join(still_missing)}: installed, but {sys.executable} or PATH does not see it. "
            "Another Python? Then run: make PYTHON=/usr/bin/python3 setup"
        )


def _apt_install(names: Sequence[str]) -> None:
    install = (*APT_GET, "install", "-y", "--no-install-recommends", *names)
    if any(Path("/var/lib/apt/lists").glob("*_Packages*")) and _apt(install).returncode == 0:
        return
    # No package lists yet, or lists so old that they name versions which are gone.
    updated = _apt((*APT_GET, "update"))
    installed = _apt(install)
    if installed.returncode != 0:
        raise SetupError(f"apt-get could not install {' '.join(names)}:\n{updated.stdout}{installed.stdout}".rstrip())


def _apt(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


@contextlib.contextmanager
def _services_held_back() -> Iterator[None]:
    """Keeps install scripts from starting servers (Debian's policy-rc.d: 101 forbids the action)."""
    policy = Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()


# ----------------------------------------------------------------------------------------------------- Python packages


def installation_digest(lock: Path) -> str:
    """What an installation from ``lock`` depends on: two equal digests need no second installation."""
    digest = hashlib.sha256(f"{ROOT}\n{sys.version_info[:2]}\n".encode())
    for path in (lock, ROOT / "pyproject.toml"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def python_of(venv: Path) -> Path:
    """The Python of an environment."""
    return venv / "bin" / "python"


def stamp_path(lock: Path, venv: Path) -> Path:
    """Where the digest of the last complete installation from ``lock`` is kept."""
    return venv / f".installed-{lock.stem}"


def is_installed(lock: Path, venv: Path) -> bool:
    """Whether the environment holds what ``lock`` and ``pyproject.toml`` say."""
    try:
        return stamp_path(lock, venv).read_text() == installation_digest(lock) and python_of(venv).exists()
    except FileNotFoundError:
        return False


def ensure_python_packages(lock: Path, venv: Path) -> None:
    """Brings the environment to the state of ``lock``, this package itself installed editable.

    Raises:
        SetupError: the environment could not be made or pip failed.
    """
    if is_installed(lock, venv):
        return
    if not _is_sound(venv):
        say(f"making the virtual environment {venv.name} with Python {sys.version.split()[0]}")
        _run([sys.executable, "-m", "venv", "--clear", str(venv)], f"could not make {venv.name}")
    count = sum("==" in line and not line.startswith((" ", "#")) for line in lock.read_text().splitlines())
    say(f"installing up to {count} locked packages from {lock.relative_to(ROOT)} (some minutes on a slow network)")
    pip = [str(python_of(venv)), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-input"]
    _run(
        [*pip, "--require-hashes", "-r", str(lock)],
        f"pip could not install {lock.relative_to(ROOT)}. Is a package registry in reach? "
        f"`{venv.name}/bin/python -m pip config list` shows where pip looks",
    )
    _run([*pip, "--no-deps", "--no-build-isolation", "-e", str(ROOT)], "pip could not install this package")
    # The other locks hold everything in the run-time lock, in equal versions.
    for covered in {lock, RUNTIME_LOCK}:
        stamp_path(covered, venv).write_text(installation_digest(covered))


def _is_sound(venv: Path) -> bool:
    """Whether the environment was made here (its programs name their folder) for this Python, and has a pip that starts."""
    try:
        lines = (venv / "pyvenv.cfg").read_text().splitlines()
    except FileNotFoundError:
        return False
    facts = {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines)}
    made_here = facts.get("command", "").endswith(f" {venv}")
    same_python = facts.get("version", "").split(".")[:2] == [str(part) for part in sys.version_info[:2]]
    if not (made_here and same_python and python_of(venv).exists()):
        return False
    return subprocess.run([str(python_of(venv)), "-c", "import pip"], capture_output=True, check=False).returncode == 0


def _run(command: Sequence[str], failure: str) -> None:
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    if code != 0:
        raise SetupError(f"{failure} (exit code {code}; the reason is above)")


# ------------------------------------------------------------------------------------------------------- command line


def main(arguments: Sequence[str]) -> int:
    """Sets up for one goal; returns the process's exit code."""
    parser = argparse.ArgumentParser(description="Set up this clone.")
    parser.add_argument("goal", choices=sorted(GOALS), help="what the set-up is for")
    parser.add_argument("--system-only", action="store_true", help="only Debian packages: the part that needs root")
    options = parser.parse_args(arguments)
    goal = GOALS[options.goal]
    started_s = time.monotonic()
    changed = not is_installed(goal.lock, goal.venv)
    try:
        ensure_system_packages(goal.system_packages)
        if not options.system_only:
            ensure_python_packages(goal.lock, goal.venv)
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    if changed and not options.system_only:
        say(f"done in {time.monotonic() - started_s:.0f} s")
    return 0


if __name__ == "__main__":
    if sys.version_info < OLDEST_PYTHON:
        sys.exit(
            "setup: Python {}.{} or newer is needed, this is {}. Name another one: make PYTHON=python3.11 setup".format(
                *OLDEST_PYTHON, sys.version.split()[0]
            )
        )
    sys.exit(main(sys.argv[1:]))
