"""Column types that make SQLite and PostgreSQL store, and give back, the same values."""

import math
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, Double, Text
from sqlalchemy.types import TypeDecorator, TypeEngine


def storable(text: str) -> str:
    """The text with whatever one of the databases refuses replaced by a visible mark.

    PostgreSQL has no NUL in text, and neither database takes a lone surrogate. Both can be in a label that a client
    sends as JSON escapes, and a strange label must not cost a session its history.
    """
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\N{REPLACEMENT CHARACTER}")


class StorableText(TypeDecorator[str]):
    """Text of any length and content, see ``storable``."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


class IdentifierText(StorableText):
    """Text that rows are sorted by: by its code points on both databases, whatever the locale of PostgreSQL."""

    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return Text(collation="C") if dialect.name == "postgresql" else Text()


class UtcDateTime(TypeDecorator[datetime]):
    """An instant to the microsecond, in UTC and aware of it on both sides; a naive ``datetime`` is a ``ValueError``.

    SQLite keeps no time zone: it gets text of fixed width without one, which sorts as the instants do.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime says no instant")
        instant = value.astimezone(UTC)
        return instant.replace(tzinfo=None) if dialect.name == "sqlite" else instant

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class FiniteDouble(TypeDecorator[float]):
    """A 64-bit float; what is no finite number is unknown, hence ``NULL`` (SQLite would turn only NaN into it)."""

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: Any | None, dialect: Dialect) -> float | None:
        return finite(value)


def finite(value: float | None) -> float | None:
    """The value, or ``None`` for NaN and the infinities, which are unknown and which JSON cannot say."""
    return float(value) if value is not None and math.isfinite(value) else None
