"""Where values are written: the command line, the environment, a ``.env`` file, a YAML or TOML file, a preset."""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml
from pydantic_settings import DotEnvSettingsSource

from asr_service.infrastructure.config.asr_configs import PRESETS
from asr_service.infrastructure.config.fields import PREFIX, key_of, setting_fields
from asr_service.infrastructure.config.problems import InvalidSettings, Problem
from asr_service.infrastructure.config.settings import Settings

COMMAND_LINE: Final = "command line"
ENVIRONMENT: Final = "environment"

_ADDRESS_OF_SERVICE: Final = re.compile(r"(tcp|udp|sctp)://")


@dataclass(frozen=True, slots=True)
class Entry:
    """One value as somebody wrote it.

    Attributes:
        value: Not yet checked.
        source: Where: ``command line``, ``environment``, the path of a file, or for example ``preset fast``.
        written_as: The name that was used, and the file it stands in.
        is_variable: Whether the name is that of an environment variable.
    """

    value: Any
    source: str
    written_as: str
    is_variable: bool = False


Entries: TypeAlias = dict[str, Entry]
"""By key, for example ``server.port``; the key need not exist."""


def from_preset(name: object) -> Entries:
    """The settings of a preset; none for a name that is wrong, of which the validation will tell."""
    bundle = PRESETS.get(name, {}) if isinstance(name, str) else {}
    return {key: Entry(value, f"preset {name}", f"{key} of the preset {name}") for key, value in bundle.items()}


def from_overrides(overrides: Mapping[str, Any]) -> Entries:
    """Reads a mapping, nested or with dotted keys; ``None`` means that an option was not given."""
    return {
        key: Entry(value, COMMAND_LINE, f"{key} on the {COMMAND_LINE}")
        for key, value in _flattened(overrides)
        if value is not None
    }


def from_environment(environ: Mapping[str, str]) -> Entries:
    """Reads the environment variables with the prefix; an empty one counts as not set.

    Kubernetes tells each container the addresses of the services around it, in variables such as ``ASR_PORT`` for a
    service named ``asr``. Those are left out.
    """
    links = _service_links(environ)
    return {
        key_of(name): Entry(value, ENVIRONMENT, name, is_variable=True)
        for name, value in environ.items()
        if name.upper().startswith(PREFIX) and value and not any(link.fullmatch(name) for link in links)
    }


def from_env_file(path: Path | None) -> Entries:
    """Reads the variables with the prefix from a file of ``NAME=value`` lines; there need not be such a file.

    Raises:
        InvalidSettings: It cannot be read.
    """
    if path is None or not path.exists():
        return {}
    try:
        variables = DotEnvSettingsSource(Settings, env_file=path, env_file_encoding="utf-8").env_vars
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    return {
        key_of(name): Entry(value, str(path), f"{name.upper()} in {path}", is_variable=True)
        for name, value in variables.items()
        if name.upper().startswith(PREFIX) and value
    }


def from_config_file(path: Path | None) -> Entries:
    """Reads a YAML or TOML file, told apart by its suffix.

    Raises:
        InvalidSettings: It is missing, cannot be read, or is neither.
    """
    if path is None:
        return {}
    try:
        content = _parsed(path)
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise InvalidSettings([Problem(str(path), f"is no YAML: {error.problem} in line {line}.")]) from error
    except tomllib.TOMLDecodeError as error:
        raise InvalidSettings([Problem(str(path), f"is no TOML: {error}.")]) from error
    if not isinstance(content, Mapping):
        raise InvalidSettings([Problem(str(path), "must hold sections with keys and values.")])
    return {key: Entry(value, str(path), f"{key} in {path}") for key, value in _flattened(content)}


def _parsed(path: Path) -> Any:
    match path.suffix.lower():
        case ".yaml" | ".yml":
            return yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        case ".toml":
            return tomllib.loads(path.read_text(encoding="utf-8"))
        case _:
            raise InvalidSettings([Problem(str(path), "must be named .yaml, .yml or .toml.")])


def _unreadable(path: Path, error: OSError | UnicodeDecodeError) -> InvalidSettings:
    reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "it is no UTF-8 text"
    return InvalidSettings([Problem(str(path), f"cannot be read: {reason}.")])


def _flattened(values: Mapping[Any, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        key = f"{above}{name}"
        if isinstance(value, Mapping) and not _is_table(key):
            yield from _flattened(value, f"{key}.")
        else:
            yield key, value


def _is_table(key: str) -> bool:
    field = setting_fields().get(key)
    return field is not None and field.is_table


def _service_links(environ: Mapping[str, str]) -> list[re.Pattern[str]]:
    """What the variables look like that tell of each service: its address in NAME_PORT is the mark of a service."""
    services = (
        name.removesuffix("_PORT")
        for name, value in environ.items()
        if name.endswith("_PORT") and _ADDRESS_OF_SERVICE.match(value)
    )
    return [re.compile(rf"{re.escape(service)}_(SERVICE_HOST|SERVICE_PORT|PORT)(_\w+)?") for service in services]
