"""Which errors mean that the store cannot be used."""

import sqlite3

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from asr_service.domain.ports.storage import StorageUnavailable
from asr_service.infrastructure.persistence.failures import storage_failures


def sqlite_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("of SQLite")
    error.sqlite_errorcode = code
    return error


class PostgresError(Exception):
    """As SQLAlchemy's asyncpg dialect raises them."""

    def __init__(self, sqlstate: str | None) -> None:
        super().__init__("of PostgreSQL")
        self.sqlstate = sqlstate


def from_postgres(sqlstate: str | None, *, connection_invalidated: bool = False) -> DBAPIError:
    return DBAPIError("SELECT 1", {}, PostgresError(sqlstate), connection_invalidated=connection_invalidated)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(111, "Connect call failed ('10.0.0.9', 5432)"),
        TimeoutError(),
        PoolTimeout(),
        sqlite_error(sqlite3.SQLITE_CANTOPEN),
        OperationalError("INSERT", {}, sqlite_error(sqlite3.SQLITE_BUSY)),
        OperationalError("INSERT", {}, sqlite_error(sqlite3.SQLITE_FULL)),
        OperationalError("INSERT", {}, sqlite_error(sqlite3.SQLITE_IOERR_WRITE)),
        OperationalError("INSERT", {}, sqlite_error(sqlite3.SQLITE_READONLY_DBMOVED)),
        from_postgres("08006"),
        from_postgres("28P01"),
        from_postgres("3D000"),
        from_postgres("40001"),
        from_postgres("53100"),
        from_postgres("57P01"),
        from_postgres("25006"),
        from_postgres(None, connection_invalidated=True),
    ],
)
def test_an_unusable_store_is_named_so_and_the_cause_is_kept_for_the_log(error: Exception) -> None:
    with pytest.raises(StorageUnavailable) as failure, storage_failures():
        raise error
    assert failure.value.__cause__ is error
    assert failure.value.code == "storage_unavailable"
    assert failure.value.retry_after_s is not None


@pytest.mark.parametrize(
    "error",
    [
        KeyError("ours"),
        IntegrityError("INSERT", {}, sqlite_error(sqlite3.SQLITE_CONSTRAINT_NOTNULL)),
        OperationalError("SELECT", {}, sqlite_error(sqlite3.SQLITE_ERROR)),  # no such table
        from_postgres("23502"),  # not null
        from_postgres("42P01"),  # no such table
        from_postgres(None),  # a value of the wrong type
    ],
)
def test_a_defect_passes_unchanged(error: Exception) -> None:
    with pytest.raises(type(error)) as failure, storage_failures():
        raise error
    assert failure.value is error


def test_clients_are_not_told_where_the_store_is() -> None:
    with pytest.raises(StorageUnavailable) as failure, storage_failures():
        raise ConnectionRefusedError(111, "Connect call failed ('10.0.0.9', 5432)")
    assert "10.0.0.9" not in failure.value.message


def test_operators_are_told_where_the_store_is_and_what_it_said() -> None:
    with pytest.raises(StorageUnavailable) as failure, storage_failures("postgresql://asr:***@10.0.0.9/asr"):
        raise from_postgres("53100")
    assert failure.value.message == ("The database postgresql://asr:***@10.0.0.9/asr cannot be used: of PostgreSQL")
    assert failure.value.hint is not None


def test_an_error_without_words_is_named_by_its_kind() -> None:
    with pytest.raises(StorageUnavailable, match="cannot be used: TimeoutError"), storage_failures("sqlite:///asr.db"):
        raise TimeoutError
