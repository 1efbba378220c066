"""Kinds of settings that need more than a plain type, each with the words that describe it."""

import json
import re
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StringConstraints

ANY: Final = "*"

ValueT = TypeVar("ValueT")


@dataclass(frozen=True, slots=True)
class Told:
    """How a field is described where its type does not say it.

    Attributes:
        allowed: The values that it takes.
        default: The default, where it depends on the machine.
    """

    allowed: str | None = None
    default: str | None = None


def _split(value: object) -> object:
    """A variable holds a list as text, separated by commas; a file holds a list."""
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


def _object(value: object) -> object:
    """A variable holds a table as JSON; a file holds a table."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError("it is no JSON") from None


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _check_networks(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if value != ANY:
            try:
                ip_network(value)
            except ValueError:
                raise ValueError(f"{value!r} is no address and no network") from None
    return values


def _check_origins(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        parts = urlsplit(value)
        bare = f"{parts.scheme}://{parts.netloc}" == value
        if value != ANY and not (parts.scheme in ("http", "https") and parts.hostname and bare):
            raise ValueError(f"{value!r} is no origin")
    return values


def _check_database_url(value: SecretStr) -> SecretStr:
    """Only the outline is looked at here; the storage knows the rest. No message repeats the URL."""
    match = re.match(r"(sqlite(\+aiosqlite)?:///(?!:memory:)[^?]|postgresql(\+asyncpg)?://.)", value.get_secret_value())
    if match is None:
        raise ValueError("it is no URL of SQLite or PostgreSQL")
    return value


def _check_redis_url(value: SecretStr) -> SecretStr:
    """As for the database: the outline only."""
    if re.match(r"(rediss?://.|$)", value.get_secret_value()) is None:
        raise ValueError("it is no URL of Redis")
    return value


LowerCase: TypeAlias = Annotated[ValueT, BeforeValidator(_lower)]
Directory: TypeAlias = Annotated[Path, AfterValidator(Path.expanduser)]
File: TypeAlias = Annotated[Path, AfterValidator(Path.expanduser), Told(allowed="a file")]
Directories: TypeAlias = Annotated[tuple[Directory, ...], BeforeValidator(_split)]
Languages: TypeAlias = Annotated[
    tuple[Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")], ...],
    BeforeValidator(_split),
    Told(allowed="codes such as en, separated by commas"),
]
Chunk: TypeAlias = Annotated[
    tuple[
        Annotated[int, Field(ge=0, le=100)],
        Annotated[int, Field(ge=1, le=100)],
        Annotated[int, Field(ge=0, le=100)],
    ],
    BeforeValidator(_split),
    Told(allowed="three numbers, separated by commas"),
]
LineupName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Names: TypeAlias = Annotated[
    tuple[LineupName, ...], BeforeValidator(_split), Told(allowed="names of lineups, separated by commas")
]
NamesByName: TypeAlias = Annotated[
    dict[str, str], BeforeValidator(_object), Told(allowed='a table; as a variable in JSON: {"tenant": "lineup"}')
]
Tables: TypeAlias = Annotated[
    dict[LineupName, dict[str, Any]],
    BeforeValidator(_object),
    Told(allowed='tables by name; as a variable in JSON: {"fast": {"model": "whisper-tiny.en"}}'),
]
Networks: TypeAlias = Annotated[
    tuple[str, ...],
    BeforeValidator(_split),
    AfterValidator(_check_networks),
    Told(allowed="addresses and networks such as 10.0.0.0/8, separated by commas; * for any"),
]
Origins: TypeAlias = Annotated[
    tuple[str, ...],
    BeforeValidator(_split),
    AfterValidator(_check_origins),
    Told(allowed="origins such as https://example.org, separated by commas; * for any"),
]
DatabaseUrl: TypeAlias = Annotated[
    SecretStr,
    AfterValidator(_check_database_url),
    Told(
        allowed="sqlite:///relative/path, sqlite:////absolute/path or postgresql://user:password@host:port/name",
        default="a SQLite file, asr-service/asr.db in the user's data directory",
    ),
]
JournalUrl: TypeAlias = Annotated[
    SecretStr,
    AfterValidator(_check_redis_url),
    Told(
        allowed="redis://user:password@host:port/number, or rediss:// with TLS",
        default="what database.url says",
    ),
]
EventsUrl: TypeAlias = Annotated[
    SecretStr,
    AfterValidator(_check_redis_url),
    Told(
        allowed="redis://user:password@host:port/number, or rediss:// with TLS",
        default="none, for a server that is alone",
    ),
]
