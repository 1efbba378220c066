"""Finding a wheel in folders, pages and indexes."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from asr_service.infrastructure.artifacts.package_index import find_link
from asr_service.infrastructure.artifacts.staging import SourceFailed
from tests.fixtures.artifacts.file_server import FileServer

WHEEL = "data_wheel-1.0-py3-none-any.whl"


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer().running() as running:
        yield running


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(follow_redirects=True) as opened:
        yield opened


def test_a_wheel_in_a_folder_is_found(tmp_path: Path, client: httpx.Client) -> None:
    (tmp_path / WHEEL).touch()
    for location in (str(tmp_path), tmp_path.as_uri()):
        assert find_link(client, location, WHEEL) == (tmp_path / WHEEL).as_uri()


def test_the_page_of_a_local_index_is_read(tmp_path: Path, client: httpx.Client) -> None:
    (tmp_path / "index.html").write_text(f'<a href="../files/{WHEEL}#sha256=00">{WHEEL}</a>')
    link = find_link(client, str(tmp_path), WHEEL)
    assert link is not None
    assert link.startswith("file://")
    assert link.endswith(f"/files/{WHEEL}")


def test_a_folder_that_is_not_there_has_nothing(tmp_path: Path, client: httpx.Client) -> None:
    assert find_link(client, str(tmp_path / "none"), WHEEL) is None


def test_an_html_index_is_read(server: FileServer, client: httpx.Client) -> None:
    server.files["/simple/data-wheel/"] = (
        b'<html><body><a>no target</a><a href="/files/data_wheel-1.0-py3-none-any.whl#sha256=00">wheel</a></body></html>'
    )
    found = find_link(client, f"{server.address}/simple/data-wheel/", WHEEL)
    assert found == f"{server.address}/files/{WHEEL}"


def test_a_json_index_is_read(server: FileServer, client: httpx.Client) -> None:
    files = [{"filename": "other.whl", "url": "x"}, {"filename": WHEEL, "url": f"../../files/{WHEEL}"}]
    server.put_json("/simple/data-wheel/", {"files": files})
    found = find_link(client, f"{server.address}/simple/data-wheel/", WHEEL)
    assert found == f"{server.address}/files/{WHEEL}"


def test_json_that_is_no_listing_is_named(server: FileServer, client: httpx.Client) -> None:
    server.put_json("/simple/data-wheel/", {"message": "hello"})
    with pytest.raises(SourceFailed, match="no package listing"):
        find_link(client, f"{server.address}/simple/data-wheel/", WHEEL)


def test_a_package_that_an_index_does_not_know_is_not_found(server: FileServer, client: httpx.Client) -> None:
    assert find_link(client, f"{server.address}/simple/data-wheel/", WHEEL) is None


def test_an_index_in_trouble_is_named(server: FileServer, client: httpx.Client) -> None:
    server.statuses = [503]
    with pytest.raises(SourceFailed, match="HTTP status 503"):
        find_link(client, f"{server.address}/simple/data-wheel/", WHEEL)


def test_an_index_that_cannot_be_reached_is_named(client: httpx.Client) -> None:
    with pytest.raises(SourceFailed, match="ConnectError"):
        find_link(client, "http://127.0.0.1:1/simple/data-wheel/", WHEEL)


def test_credentials_of_the_index_are_used_on_its_own_host_only(server: FileServer, client: httpx.Client) -> None:
    host = server.address.removeprefix("http://")
    files = [
        {"filename": WHEEL, "url": f"/files/{WHEEL}"},
        {"filename": "absolute.whl", "url": f"{server.address}/files/absolute.whl"},
        {"filename": "far.whl", "url": "https://far.test/far.whl"},
    ]
    server.put_json("/simple/data-wheel/", {"files": files})
    location = f"http://me:secret@{host}/simple/data-wheel/"
    assert find_link(client, location, WHEEL) == f"http://me:secret@{host}/files/{WHEEL}"
    assert find_link(client, location, "absolute.whl") == f"http://me:secret@{host}/files/absolute.whl"
    assert find_link(client, location, "far.whl") == "https://far.test/far.whl"
    assert server.authorizations[0].startswith("Basic ")
