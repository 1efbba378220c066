"""The cache directory: full, read-only, shared, offline; and folders of the user."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from asr_service.domain.ports.model_store import (
    CacheNotWritable,
    DiskFull,
    ModelDownloadFailed,
    ModelMissing,
    ModelState,
    ModelUnknown,
    ModelUnsuitable,
    RecognitionModel,
)
from asr_service.infrastructure.artifacts.cached_model_store import CachedModelStore
from asr_service.infrastructure.artifacts.catalogue import Catalogue
from tests.fixtures.artifacts.file_server import FileServer
from tests.fixtures.artifacts.hub_stores import hub_store, ignore, model_requests
from tests.fixtures.artifacts.small_catalogue import (
    FILES,
    MODEL_NAME,
    hub_files,
    small_catalogue,
    write_files,
)

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
    assert store.recognition_model("mine") == RecognitionModel("mine", tmp_path / "mine")
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


def test_what_is_not_for_recognition_is_refused_as_such(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "folder")
    entry = small_catalogue().get(MODEL_NAME)
    detector = entry.model_copy(update={"name": "detector", "engine": None, "architecture": None, "languages": ()})
    catalogue = Catalogue(entries=(detector, entry))
    store = CachedModelStore(tmp_path / "cache", catalogue, local_directories=[folder])
    store.pull("detector", ignore)
    with pytest.raises(ModelUnsuitable, match="detector turns no speech into text") as refusal:
        store.recognition_model("detector")
    assert refusal.value.hint == f"Models that do: {MODEL_NAME}."
