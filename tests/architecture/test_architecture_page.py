"""ARCHITECTURE.md shows the tree as it is."""

import re
from pathlib import Path

from tests.architecture.source_tree import PACKAGE, ROOT, name_of


def _package_folders() -> list[Path]:
    return sorted({path.parent for path in PACKAGE.rglob("*.py")} - {PACKAGE})


def _names_in_the_tree() -> set[str]:
    """Every folder name in the page's code fences: a path such as ``v1/rest/`` names each of its parts."""
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    fences = re.findall(r"^```[^\n]*\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)
    return {part for fence in fences for path in re.findall(r"[\w/.-]+/", fence) for part in path.strip("/").split("/")}


def test_the_page_names_every_folder_of_the_package() -> None:
    names = _names_in_the_tree()
    assert [name_of(folder) for folder in _package_folders() if folder.name not in names] == []
