"""The settings one by one: their names, and what may be said about each."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from asr_service.infrastructure.config.field_kinds import Told
from asr_service.infrastructure.config.sections import Section
from asr_service.infrastructure.config.settings import Settings

PREFIX: Final = "ASR_"
NESTING: Final = "__"
CONFIG_FILE_VARIABLE: Final = "ASR_CONFIG_FILE"

_LIKENESS: Final = 0.75  # of names that are taken for a slip of the other; difflib's 0.6 suggests strangers
_PLAIN_TYPES: Final = {bool: "true or false", str: "text", Path: "a directory"}


@dataclass(frozen=True, slots=True)
class SettingField:
    """One setting.

    Attributes:
        key: For example ``server.port``.
        info: The field of the model.
    """

    key: str
    info: FieldInfo

    @property
    def variable(self) -> str:
        """The environment variable, for example ``ASR_SERVER__PORT``."""
        return variable_of(self.key)

    @property
    def allowed(self) -> str:
        """The values that it takes, in words."""
        told = next((item.allowed for item in self._told() if item.allowed), None)
        return told or _allowed(_bare(self.info.annotation), self.info.metadata)

    @property
    def default(self) -> str:
        """The default as one would write it into a variable; empty where it depends on the machine."""
        return "" if self.machine_default else as_text(self.info.default)

    @property
    def machine_default(self) -> str | None:
        """What the default is, in words, where it depends on the machine."""
        return next((item.default for item in self._told() if item.default), None)

    @property
    def is_table(self) -> bool:
        """Whether it holds names and values itself, so that a table in a file is its value, and not a section."""
        return get_origin(_bare(self.info.annotation)) is dict

    def _told(self) -> list[Told]:
        optional = get_args(self.info.annotation) if get_origin(self.info.annotation) in (Union, UnionType) else ()
        annotated = [item for kind in optional for item in getattr(kind, "__metadata__", ())]
        return [item for item in (*self.info.metadata, *annotated) if isinstance(item, Told)]


@cache
def setting_fields() -> dict[str, SettingField]:
    """Every setting by its key, in the order of the model."""
    return {field.key: field for field in _walk()}


def sections() -> dict[str, type[Section]]:
    """The sections by name, in the order of the model."""
    annotations = {name: info.annotation for name, info in Settings.model_fields.items()}
    return {name: kind for name, kind in annotations.items() if isinstance(kind, type) and issubclass(kind, Section)}


def variable_of(key: str) -> str:
    """The environment variable of a key."""
    return PREFIX + key.replace(".", NESTING).upper()


def key_of(variable: str) -> str:
    """The key of an environment variable with the prefix, whether or not there is such a setting."""
    return variable[len(PREFIX) :].lower().replace(NESTING, ".")


def likely_meant(key: str) -> list[str]:
    """The keys that a key which does not exist was probably meant to be; at most three."""
    written, leaf = key.replace(".", "_"), key.rpartition(".")[2]
    flat = {known.replace(".", "_"): known for known in setting_fields()}
    guesses = (
        [f"server.{written}"] if f"server.{written}" in setting_fields() else [],  # of the whole service, not of a part
        [known for known in flat.values() if known.rpartition(".")[2] == written],  # the section was left out
        [flat[name] for name in get_close_matches(written, flat, n=1, cutoff=_LIKENESS)],
        [known for name, known in flat.items() if name.endswith(f"_{leaf}")],  # the section is another one
    )
    return next((found for found in guesses if 1 <= len(found) <= 3), [])


def as_text(value: Any) -> str:
    """A value as one would write it into a variable."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case Enum():
            return str(value.value)
        case float():
            return f"{value:g}"
        case dict():
            return json.dumps(value) if value else ""
        case tuple() | list():
            return ",".join(as_text(item) for item in value)
        case _:
            return str(value)


def _walk() -> Iterator[SettingField]:
    for name, info in Settings.model_fields.items():
        if section := sections().get(name):
            yield from (SettingField(f"{name}.{inner}", field) for inner, field in section.model_fields.items())
        else:
            yield SettingField(name, info)


def _bare(annotation: Any) -> Any:
    """The type without what is annotated to it, and without ``None``."""
    if get_origin(annotation) in (Union, UnionType):
        return _bare(next(kind for kind in get_args(annotation) if kind is not NoneType))
    return _bare(get_args(annotation)[0]) if hasattr(annotation, "__metadata__") else annotation


def _allowed(kind: Any, metadata: list[Any]) -> str:
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(get_args(kind))
    if get_origin(kind) is tuple:
        return "directories, separated by commas"
    if issubclass(kind, Enum):
        return "one of " + ", ".join(item.value for item in kind)
    if kind in _PLAIN_TYPES:
        return _PLAIN_TYPES[kind]
    return _allowed_numbers("an integer" if kind is int else "a number", metadata)


def _allowed_numbers(kind: str, metadata: list[Any]) -> str:
    low, above, high = (_bound(metadata, name) for name in ("ge", "gt", "le"))
    return f"{kind} over {above}, up to {high}" if low is None else f"{kind} from {low} to {high}"


def _bound(metadata: list[Any], name: str) -> Any:
    return next((getattr(item, name) for item in metadata if hasattr(item, name)), None)
