"""Downloads that go wrong in every way a server can."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from asr_service.domain.ports.model_store import (
    ModelDownloadFailed,
    ModelState,
    PullProgress,
    PullStage,
)
from asr_service.infrastructure.artifacts.cached_model_store import CachedModelStore
from tests.fixtures.artifacts.file_server import FileServer
from tests.fixtures.artifacts.hub_stores import MODEL_PATH, hub_store, ignore, model_requests
from tests.fixtures.artifacts.small_catalogue import (
    FILES,
    MODEL_NAME,
    hub_files,
    hub_source,
    small_catalogue,
)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer().running() as running:
        running.files = hub_files()
        yield running


def test_a_broken_connection_is_taken_up_where_it_broke(server: FileServer, tmp_path: Path) -> None:
    server.cuts = [100_000, 50_000]
    seen: list[PullProgress] = []
    hub_store(tmp_path, server).pull(MODEL_NAME, seen.append)
    assert model_requests(server) == [None, "bytes=100000-", "bytes=150000-"]
    fetched = [progress.done_bytes for progress in seen if progress.stage is PullStage.FETCHING]
    assert fetched == sorted(fetched)


def test_the_next_call_goes_on_where_a_failed_one_stopped(server: FileServer, tmp_path: Path) -> None:
    server.cuts = [100_000, 0, 0, 0]
    with pytest.raises(ModelDownloadFailed, match="hugging-face"):
        hub_store(tmp_path, server).pull(MODEL_NAME, ignore)
    server.requests.clear()
    hub_store(tmp_path, server).pull(MODEL_NAME, ignore)
    assert model_requests(server) == ["bytes=100000-"]


def test_a_server_without_ranges_sends_all_again(server: FileServer, tmp_path: Path) -> None:
    server.knows_ranges = False
    server.cuts = [100_000]
    folder = hub_store(tmp_path, server).pull(MODEL_NAME, ignore)
    assert (folder / "model.bin").read_bytes() == FILES["model.bin"]


def test_a_server_in_passing_trouble_is_asked_again(server: FileServer, tmp_path: Path) -> None:
    server.statuses = [503, 429]
    hub_store(tmp_path, server).pull(MODEL_NAME, ignore)
    assert len(model_requests(server)) == 3


def test_part_of_something_else_is_thrown_away(server: FileServer, tmp_path: Path) -> None:
    part = tmp_path / ".incoming" / f"{MODEL_NAME}-1.0" / "downloads" / "hugging-face" / "model.bin.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"something else")
    folder = hub_store(tmp_path, server).pull(MODEL_NAME, ignore)
    assert (folder / "model.bin").read_bytes() == FILES["model.bin"]
    assert model_requests(server) == ["bytes=14-", None]


def test_wrong_content_of_the_right_size_is_refused_and_not_kept(server: FileServer, tmp_path: Path) -> None:
    server.files[MODEL_PATH] = bytes(len(FILES["model.bin"]))
    store = hub_store(tmp_path, server)
    with pytest.raises(ModelDownloadFailed, match=r"model\.bin has the wrong checksum"):
        store.pull(MODEL_NAME, ignore)
    assert store.list_entries()[0].state is ModelState.MISSING
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("size_bytes", [10, 400_000])
def test_content_of_another_size_is_refused(server: FileServer, tmp_path: Path, size_bytes: int) -> None:
    server.files[MODEL_PATH] = bytes(size_bytes)
    with pytest.raises(ModelDownloadFailed, match=f"{size_bytes} bytes instead of 300000"):
        hub_store(tmp_path, server).pull(MODEL_NAME, ignore)


def test_content_that_does_not_end_in_time_is_refused(server: FileServer, tmp_path: Path) -> None:
    server.tells_size = False
    server.files[MODEL_PATH] = bytes(400_000)
    with pytest.raises(ModelDownloadFailed, match=r"model\.bin is larger than 300000 bytes"):
        hub_store(tmp_path, server).pull(MODEL_NAME, ignore)


def test_content_without_a_size_is_complete_when_all_bytes_are_there(server: FileServer, tmp_path: Path) -> None:
    server.tells_size = False
    server.cuts = [100_000]
    folder = hub_store(tmp_path, server).pull(MODEL_NAME, ignore)
    assert (folder / "model.bin").read_bytes() == FILES["model.bin"]


def test_a_complete_file_of_a_broken_pull_is_not_fetched_again(server: FileServer, tmp_path: Path) -> None:
    config = server.files.pop("/tester/small/resolve/abc/config.json")
    with pytest.raises(ModelDownloadFailed):
        hub_store(tmp_path, server).pull(MODEL_NAME, ignore)
    server.files["/tester/small/resolve/abc/config.json"] = config
    server.requests.clear()
    hub_store(tmp_path, server).pull(MODEL_NAME, ignore)
    assert model_requests(server) == []


def test_the_range_of_another_file_is_refused(server: FileServer, tmp_path: Path) -> None:
    server.cuts = [100_000, 0, 0, 0]
    store = hub_store(tmp_path, server)
    with pytest.raises(ModelDownloadFailed):
        store.pull(MODEL_NAME, ignore)
    server.files[MODEL_PATH] = bytes(400_000)
    with pytest.raises(ModelDownloadFailed, match="the server sent the range"):
        store.pull(MODEL_NAME, ignore)


def test_sources_are_tried_in_order_until_one_is_good(server: FileServer, tmp_path: Path) -> None:
    store = hub_store(tmp_path, server, hub_source("model-scope"), hub_source("hugging-face"))
    seen: list[PullProgress] = []
    store.pull(MODEL_NAME, seen.append)
    assert server.paths()[0] == f"/mirror{MODEL_PATH}"
    assert {progress.source for progress in seen} == {"hugging-face"}


def test_the_error_lists_every_source_with_its_reason(server: FileServer, tmp_path: Path) -> None:
    server.files.clear()
    (tmp_path / "empty").mkdir()
    sources = [hub_source("model-scope"), hub_source("hugging-face")]
    store = hub_store(tmp_path / "cache", server, *sources, local_directories=[tmp_path / "empty"])
    with pytest.raises(ModelDownloadFailed) as refusal:
        store.pull(MODEL_NAME, ignore)
    local, *hubs = refusal.value.reasons.items()
    assert local[0] == f"folder {tmp_path / 'empty'}"
    assert "does not hold model.bin" in local[1]
    assert hubs == [("model-scope", "model.bin: HTTP status 404"), ("hugging-face", "model.bin: HTTP status 404")]
    assert "HTTP status 404" in refusal.value.message


def test_a_server_that_cannot_be_reached_is_a_reason(tmp_path: Path) -> None:
    store = CachedModelStore(
        tmp_path, small_catalogue(hub_source()), hub_endpoints={"hugging-face": "http://127.0.0.1:1"}, pause_s=0
    )
    with pytest.raises(ModelDownloadFailed, match="ConnectError"):
        store.pull(MODEL_NAME, ignore)


def test_an_address_that_is_none_is_a_reason(tmp_path: Path) -> None:
    store = CachedModelStore(
        tmp_path, small_catalogue(hub_source()), hub_endpoints={"hugging-face": "http://[::1"}, pause_s=0
    )
    with pytest.raises(ModelDownloadFailed, match="Invalid"):
        store.pull(MODEL_NAME, ignore)
