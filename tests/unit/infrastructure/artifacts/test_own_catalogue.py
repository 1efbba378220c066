"""Models of one's own, pinned: what is written can be read, and says what is in the folder."""

from hashlib import sha256
from pathlib import Path

import pytest

from asr_service.domain.ports.model_store import CatalogueUnusable, ModelMissing
from asr_service.infrastructure.artifacts.catalogue import Catalogue, HubSpec, load_catalogue
from asr_service.infrastructure.artifacts.own_catalogue import locked_entry, render, with_own_entries

SOURCE = HubSpec(type="model-scope", repository="iic/some-model", revision="v2.0.4")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A downloaded model: files, one of them in a folder, and what a downloader leaves behind."""
    for name, content in {"model.pt": b"weights", "sub/tokens.json": b"[]", ".mv": b"x", ".cache/part": b"y"}.items():
        path = tmp_path / 'some model \x7f"quoted"' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return path.parents[1]


def test_every_file_is_pinned_but_hidden_ones(folder: Path) -> None:
    entry = locked_entry(folder, "mine")
    assert [(file.path, file.size_bytes, file.sha256) for file in entry.files] == [
        ("model.pt", 7, sha256(b"weights").hexdigest()),
        ("sub/tokens.json", 2, sha256(b"[]").hexdigest()),
    ]


def test_other_files_are_another_version(folder: Path) -> None:
    first = locked_entry(folder, "mine")
    assert locked_entry(folder, "mine") == first
    (folder / "model.pt").write_bytes(b"others!")
    assert locked_entry(folder, "mine").version != first.version


@pytest.mark.parametrize("sources", [(), (SOURCE, SOURCE.model_copy(update={"type": "hugging-face"}))])
def test_what_is_written_is_what_is_read(folder: Path, tmp_path: Path, sources: tuple[HubSpec, ...]) -> None:
    entry = locked_entry(
        folder, "mine", engine="funasr", architecture="a", languages=("zh", "en"), licence="MIT", sources=sources
    )
    (tmp_path / "own.toml").write_text(
        render(entry) + render(entry.model_copy(update={"name": "twin"})), encoding="utf-8"
    )
    catalogue = with_own_entries(load_catalogue(), tmp_path / "own.toml")
    assert catalogue.get("mine") == entry
    assert catalogue.get("twin").files == entry.files
    assert catalogue.get("whisper-base")
    assert catalogue.samples == load_catalogue().samples


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=str(tmp_path)):
        locked_entry(tmp_path, "mine")


def test_a_name_that_is_not_allowed_is_refused(folder: Path) -> None:
    with pytest.raises(CatalogueUnusable, match="name"):
        locked_entry(folder, "My Model")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[entries]", "cannot be read"),
        ("[[entries]]\nname = 'a'", "entries.0"),
        ("entries = [{ name = 'a', surplus = 1 }]", "entries.0"),
        ("", "entries"),
    ],
)
def test_a_file_that_is_no_catalogue_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "own.toml").write_text(text, encoding="utf-8")
    with pytest.raises(CatalogueUnusable, match=complaint) as caught:
        with_own_entries(Catalogue(entries=()), tmp_path / "own.toml")
    assert str(tmp_path) in caught.value.message
    assert caught.value.hint


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueUnusable, match=r"nowhere\.toml"):
        with_own_entries(Catalogue(entries=()), tmp_path / "nowhere.toml")


def test_a_name_that_is_taken_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(render(locked_entry(folder, "silero-vad")), encoding="utf-8")
    with pytest.raises(CatalogueUnusable, match="silero-vad is listed twice"):
        with_own_entries(load_catalogue(), tmp_path / "own.toml")
