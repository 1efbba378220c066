"""What pages refer to is there."""

import re
from pathlib import Path

import pytest

from tests.architecture.source_tree import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
GENERATED = ROOT / "docs" / "configuration.md"  # from the settings; it shows a slip of the keyboard, too


def slug(heading: str) -> str:
    """The anchor that a heading gets on the pages of a repository."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    return {slug(heading) for heading in re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)", page.read_text(encoding="utf-8"))
    targets = [(page.parent / path if path else page, anchor) for path, anchor in links]
    assert [path for path, _ in targets if not path.exists()] == []
    to_pages = [(path, anchor) for path, anchor in targets if anchor and path.suffix == ".md"]
    assert [(path.name, anchor) for path, anchor in to_pages if anchor not in anchors(path)] == []


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page != GENERATED], ids=lambda page: str(page.relative_to(ROOT))
)
def test_settings_have_the_names_that_they_have(page: Path) -> None:
    known = set(re.findall(r"ASR_\w+", (ROOT / ".env.example").read_text(encoding="utf-8")))
    named = set(re.findall(r"\bASR_[A-Z_]+__[A-Z_]+\b", page.read_text(encoding="utf-8")))
    assert named - known == set()


def test_there_are_pages_and_settings_to_look_at() -> None:
    assert len(PAGES) > 10
    assert "ASR_SERVER__PORT" in (ROOT / ".env.example").read_text(encoding="utf-8")
