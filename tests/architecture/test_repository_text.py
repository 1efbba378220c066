"""No file tells on which machine it was written, or from which server its packages came."""

import re
from pathlib import Path

from tests.architecture.source_tree import ROOT, name_of, repository_files

# Folders that exist on one person's machine only.
HOME_FOLDER = re.compile(r"(?<![\w./-])/(?:root|home/\w+|Users/\w+)/")
REGISTRY_HOST = re.compile(
    r"\b(?:pypi(?:\.python)?[.]org|files[.]pythonhosted[.]org|registry[.](?:npmjs|yarnpkg)[.](?:org|com)|deb[.]debian[.]org)\b"
)
INDEX_OPTION = re.compile(r"--(?:extra-)?index-url[= ]\S|--find-links[= ]\S")


def _texts() -> list[tuple[Path, str]]:
    texts = []
    for path in repository_files():
        try:
            texts.append((path, path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:  # a picture or a recording
            continue
    assert len(texts) > 1
    return texts


def _found(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name_of(path)}:{text.count(chr(10), 0, match.start()) + 1} {match.group()}"
        for path, text in _texts()
        for match in pattern.finditer(text)
    ]


def test_no_file_names_a_home_folder() -> None:
    assert _found(HOME_FOLDER) == []


def test_no_file_names_the_folder_of_this_clone() -> None:
    # One folder below the root could be any word of a text; from two on it is a place.
    places = [str(place) for place in (ROOT, ROOT.parent) if len(place.parts) > 2]
    for place in places:
        assert _found(re.compile(rf"(?<![\w.]){re.escape(place)}(?![\w-])")) == []


def test_no_file_names_a_package_registry() -> None:
    assert _found(REGISTRY_HOST) == []
    assert _found(INDEX_OPTION) == []
