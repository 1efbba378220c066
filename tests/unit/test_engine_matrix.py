"""The page on what engines can do is written from the code."""

from scripts.engine_matrix import ENGINES, page
from tests.architecture.source_tree import ROOT


def test_the_page_is_up_to_date() -> None:
    written = (ROOT / "docs" / "engine-matrix.md").read_text(encoding="utf-8")
    assert written == "\n".join(page()) + "\n", "run: make docs"


def test_every_engine_has_a_column() -> None:
    (header,) = [line for line in page() if line.startswith("|  |")]
    assert header.count("|") == len(ENGINES) + 2
