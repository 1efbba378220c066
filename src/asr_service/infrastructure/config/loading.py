"""Brings the sources together into settings, and says what is wrong with them."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails

from asr_service.infrastructure.config.fields import (
    CONFIG_FILE_VARIABLE,
    SettingField,
    key_of,
    likely_meant,
    sections,
    setting_fields,
    variable_of,
)
from asr_service.infrastructure.config.problems import InvalidSettings, Problem
from asr_service.infrastructure.config.secret_urls import mask_url
from asr_service.infrastructure.config.settings import Settings
from asr_service.infrastructure.config.sources import (
    Entries,
    Entry,
    from_config_file,
    from_env_file,
    from_environment,
    from_overrides,
    from_preset,
)

PRESET_KEY = "recognizer.preset"
_LONGEST_SHOWN = 100  # characters of a wrong value


def load_settings(
    overrides: Mapping[str, Any] | None = None,
    *,
    config_file: Path | None = None,
    env_file: Path | None = Path(".env"),
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Reads the settings. Sources, the strongest first: overrides, environment, ``.env``, configuration file, preset, defaults.

    Args:
        overrides: From the command line, nested or with dotted keys; ``None`` as a value means not given.
        config_file: YAML or TOML; without it the file that ``ASR_CONFIG_FILE`` names, if any.
        env_file: Read if it exists; ``None`` reads none.
        environ: In place of the process' environment.

    Raises:
        InvalidSettings: With everything that is wrong: a file that cannot be read, names that do not exist, values, or
            what production refuses.
    """
    environment = from_environment(os.environ if environ is None else environ)
    dotenv = from_env_file(env_file)
    named = [entries.pop(key_of(CONFIG_FILE_VARIABLE), None) for entries in (environment, dotenv)]
    path = config_file or next((Path(entry.value).expanduser() for entry in named if entry), None)
    written = {**from_config_file(path), **dotenv, **environment, **from_overrides(overrides or {})}
    preset = written.get(PRESET_KEY)
    entries = {**from_preset(preset.value if preset else None), **written}
    known = {key: entry for key, entry in entries.items() if key in setting_fields()}
    unknown = [_unknown(key, entry) for key, entry in entries.items() if key not in known and not _is_empty(key, entry)]
    settings = _validated(known, unknown)
    settings.remember_sources({key: entry.source for key, entry in known.items()})
    return settings


def _validated(entries: Entries, problems: list[Problem]) -> Settings:
    try:
        settings = Settings(**_nested(entries))
    except ValidationError as error:
        raise InvalidSettings([*problems, *_wrong_values(error, entries)]) from None
    except InvalidSettings as refusal:
        raise InvalidSettings([*problems, *(_located(problem, entries) for problem in refusal.problems)]) from None
    if problems:
        raise InvalidSettings(problems)
    return settings


def _nested(entries: Entries) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, entry in entries.items():
        section, _, name = key.rpartition(".")
        (nested.setdefault(section, {}) if section else nested)[name] = entry.value
    return nested


def _is_empty(key: str, entry: Entry) -> bool:
    """Whether it is a section of a file in which every line is commented out."""
    return entry.value is None and key in sections()


def _unknown(key: str, entry: Entry) -> Problem:
    def named(other: str) -> str:
        return variable_of(other) if entry.is_variable else other

    if section := sections().get(key):
        inside = next(iter(section.model_fields))
        return Problem(
            key, f"is a section; set what is in it, for example {named(f'{key}.{inside}')}.", entry.written_as
        )
    if meant := likely_meant(key):
        return Problem(key, f"is no setting; did you mean {' or '.join(map(named, meant))}?", entry.written_as)
    return Problem(key, "is no setting.", entry.written_as)


def _wrong_values(error: ValidationError, entries: Entries) -> Iterator[Problem]:
    told: set[str] = set()
    for details in error.errors(include_url=False):
        key = _key_at(details["loc"])
        if key in told:  # a list with three wrong items is one wrong setting
            continue
        told.add(key)
        if field := setting_fields().get(key):
            yield _located(Problem(key, _complaint(field, details)), entries)
        else:
            yield _misfit(key, details, entries)


def _key_at(location: tuple[int | str, ...]) -> str:
    """The key of a setting, or of a section whose settings do not fit together."""
    names = [str(part) for part in location]
    return ".".join(names[:2] if names[0] in sections() else names[:1])


def _misfit(section: str, details: ErrorDetails, entries: Entries) -> Problem:
    written = [entry.written_as for key, entry in entries.items() if key.startswith(f"{section}.")]
    return Problem(section, f"do not fit together: {details['ctx']['error']}.", ", ".join(written))


def _complaint(field: SettingField, details: ErrorDetails) -> str:
    shown = str(details["input"])
    if field.info.annotation is SecretStr:
        shown = mask_url(shown)
    if len(shown) > _LONGEST_SHOWN:
        shown = shown[:_LONGEST_SHOWN] + "…"
    reason = f", but {details['ctx']['error']}" if details["type"] == "value_error" else ""
    return f"is {shown!r}{reason}; allowed: {field.allowed}."


def _located(problem: Problem, entries: Entries) -> Problem:
    entry = entries.get(problem.key)
    written_as = entry.written_as if entry else f"{problem.key} ({variable_of(problem.key)})"
    return Problem(problem.key, problem.text, written_as)
