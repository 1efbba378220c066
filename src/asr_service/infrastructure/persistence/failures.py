"""Which errors of the drivers mean that the store cannot be used, and which are defects of ours."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from asr_service.domain.ports.storage import StorageUnavailable

RETRY_AFTER_S = 1.0  # a local PostgreSQL is back 0.8 s after a restart

# Primary result codes, https://www.sqlite.org/rescode.html; SQLITE_ERROR, a wrong statement, is not among them.
_SQLITE_CODES = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_NOTADB,
    }
)

# Classes and codes of SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html: connection,
# authorization, no such database, transaction rolled back, resources, intervention of an operator, system, damage;
# read-only server, lock not available, no permission.
_SQLSTATE_CLASSES = frozenset({"08", "28", "3D", "40", "53", "57", "58", "XX"})
_SQLSTATES = frozenset({"25006", "55P03", "42501"})


@contextmanager
def storage_failures(location: str | None = None) -> Iterator[None]:
    """Raises ``StorageUnavailable`` in place of the drivers' errors that mean it; other errors pass unchanged.

    Args:
        location: Where the database is, without its password, for a message to the operator; ``None`` makes a message
            that tells a client nothing of the house.
    """
    try:
        yield
    except (DBAPIError, PoolTimeout, sqlite3.Error, OSError) as error:
        _forget_rows(error)
        if not _means_unavailable(error):
            raise
        raise _unavailable(error, location) from error


def _forget_rows(error: BaseException | None) -> None:
    """Removes the details that PostgreSQL adds to an error: they quote the row, a transcript, and would be logged."""
    while error is not None:
        if isinstance(getattr(error, "detail", None), str):
            error.detail = None  # type: ignore[attr-defined]
        error = error.__cause__


def _means_unavailable(error: Exception) -> bool:
    if isinstance(error, OSError | PoolTimeout):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    cause = error.orig if isinstance(error, DBAPIError) else error
    extended_code = getattr(cause, "sqlite_errorcode", None)
    if extended_code is not None:
        return extended_code & 0xFF in _SQLITE_CODES
    sqlstate = getattr(cause, "sqlstate", None) or ""
    return sqlstate in _SQLSTATES or sqlstate[:2] in _SQLSTATE_CLASSES


def _unavailable(error: Exception, location: str | None) -> StorageUnavailable:
    if location is None:
        return StorageUnavailable("Stored data cannot be reached for the moment.", retry_after_s=RETRY_AFTER_S)
    cause = error.orig if isinstance(error, DBAPIError) else error
    return StorageUnavailable(
        f"The database {location} cannot be used: {str(cause) or type(cause).__name__}",
        hint="Check that it is running, writable by this user, and has space left.",
    )
