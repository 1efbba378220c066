"""Locations of packages."""

from pathlib import Path

from asr_service.infrastructure.artifacts.package_index import local_path, locations, without_credentials
from asr_service.infrastructure.artifacts.pip_configuration import IndexConfiguration


def test_links_are_asked_before_indexes_and_the_name_is_normalized() -> None:
    configuration = IndexConfiguration(
        ("/wheels",), ("https://a.test/simple/", "https://b.test/s"), None, None, (), 60.0
    )
    assert locations(configuration, "Data_Wheel.x") == [
        "/wheels",
        "https://a.test/simple/data-wheel-x/",
        "https://b.test/s/data-wheel-x/",
    ]


def test_credentials_are_not_shown() -> None:
    assert without_credentials("https://me:secret@a.test/simple/") == "https://a.test/simple/"
    assert without_credentials("/wheels") == "/wheels"


def test_plain_paths_and_file_addresses_are_local() -> None:
    assert local_path("file:///opt/my%20wheels") == Path("/opt/my wheels")
    assert local_path("/wheels") == Path("/wheels")
    assert local_path("https://a.test/x") is None
