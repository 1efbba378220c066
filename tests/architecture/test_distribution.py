"""The wheel holds everything that the service needs at run time."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.architecture.source_tree import PACKAGE, ROOT


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def _files_below(folder: Path, place: str) -> set[str]:
    return {
        f"{place}/{path.relative_to(folder).as_posix()}"
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }


def test_wheel_holds_every_file_of_the_package(wheel_names: set[str]) -> None:
    # Modules, the marker for type checkers, and the scripts that bring a database up to date.
    files = _files_below(PACKAGE, "asr_service")
    assert "asr_service/py.typed" in files
    assert files - wheel_names == set()


def test_wheel_holds_the_page(wheel_names: set[str]) -> None:
    page = _files_below(ROOT / "frontend", "asr_service/frontend")
    assert "asr_service/frontend/index.html" in page
    assert page - wheel_names == set()


def test_wheel_holds_nothing_else(wheel_names: set[str]) -> None:
    assert {name.partition("/")[0].partition("-")[0] for name in wheel_names} == {"asr_service"}


def test_wheel_carries_the_licence(wheel_names: set[str]) -> None:
    assert any(name.endswith("/licenses/LICENSE") for name in wheel_names)
