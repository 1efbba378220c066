"""URLs become engines of the right driver, and passwords stay where they are."""

import pytest

from asr_service.infrastructure.persistence.database import Database
from asr_service.infrastructure.persistence.engines import parse_database_url


@pytest.mark.parametrize(
    ("text", "driver", "database"),
    [
        ("sqlite:///asr.db", "sqlite+aiosqlite", "asr.db"),
        ("sqlite:////var/lib/asr/asr.db", "sqlite+aiosqlite", "/var/lib/asr/asr.db"),
        ("sqlite+aiosqlite:///asr.db", "sqlite+aiosqlite", "asr.db"),
        ("postgresql://host/asr", "postgresql+asyncpg", "asr"),
        ("postgresql+asyncpg://host/asr", "postgresql+asyncpg", "asr"),
    ],
)
def test_a_url_gets_its_asynchronous_driver(text: str, driver: str, database: str) -> None:
    url = parse_database_url(text)
    assert (url.drivername, url.database) == (driver, database)


def test_the_parts_of_a_postgresql_url_are_kept() -> None:
    url = parse_database_url("postgresql://asr:p%40ss@db.example:5433/transcripts?prepared_statement_cache_size=0")
    assert (url.username, url.password, url.host, url.port) == ("asr", "p@ss", "db.example", 5433)
    assert dict(url.query) == {"prepared_statement_cache_size": "0"}


def test_the_sslmode_of_libpq_is_understood() -> None:
    assert dict(parse_database_url("postgresql://host/asr?sslmode=require").query) == {"ssl": "require"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "asr.db",
        "mysql://asr:s3cret@host/asr",
        "postgresql+psycopg2://asr:s3cret@host/asr",
        "postgresql://asr:s3cret@host:port/asr",
        "sqlite://",
        "sqlite:///:memory:",
    ],
)
def test_any_other_url_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError, match="postgresql://user:password@host/name") as refusal:
        Database(text)
    assert "s3cret" not in str(refusal.value)


@pytest.mark.parametrize(
    "url", ["postgresql://asr:s3cret@host:5433/asr", "postgresql://asr@host:5433/asr?password=s3cret"]
)
def test_a_database_shows_where_it_is_but_no_password(url: str) -> None:
    database = Database(url)
    assert "s3cret" not in repr(database) + str(database) + database.location
    assert "host:5433/asr" in repr(database)


def test_a_database_names_its_file_as_the_operator_wrote_it() -> None:
    assert Database("sqlite:////var/lib/asr.db").location == "sqlite:////var/lib/asr.db"
