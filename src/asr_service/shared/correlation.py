"""Which request and session the code at hand is working for, carried by the context so that every log line says it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_correlation: ContextVar[dict[str, str]] = ContextVar("correlation", default={})  # noqa: B039 - never mutated


def current_correlation() -> dict[str, str]:
    """The identifiers in force here, for example ``{"request_id": "req_…", "session_id": "ses_…"}``."""
    return _correlation.get()


@contextmanager
def correlated(**identifiers: str) -> Iterator[None]:
    """Adds identifiers for the code inside the block, tasks started there included."""
    token = _correlation.set({**_correlation.get(), **identifiers})
    try:
        yield
    finally:
        _correlation.reset(token)
