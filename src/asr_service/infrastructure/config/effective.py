"""The settings in force, in a form that may be shown to anybody who runs the service."""

from dataclasses import dataclass
from enum import Enum
from pathlib import PurePath
from typing import Any

from pydantic import SecretStr

from asr_service.infrastructure.config.fields import setting_fields
from asr_service.infrastructure.config.secret_urls import mask_url
from asr_service.infrastructure.config.settings import Settings


@dataclass(frozen=True, slots=True)
class EffectiveSetting:
    """A value in force, ready for JSON, its secrets masked; and where it came from."""

    value: Any
    source: str


def effective(settings: Settings) -> dict[str, EffectiveSetting]:
    """Every setting by its key, in the order of the model."""
    return {key: EffectiveSetting(_shown(_value(settings, key)), settings.source_of(key)) for key in setting_fields()}


def _value(settings: Settings, key: str) -> Any:
    section, _, name = key.rpartition(".")
    return getattr(getattr(settings, section) if section else settings, name)


def _shown(value: Any) -> Any:
    match value:
        case SecretStr():
            return mask_url(value.get_secret_value()) if value else ""
        case Enum():
            return value.value
        case PurePath():
            return str(value)
        case dict():
            return {name: _shown(item) for name, item in value.items()}
        case tuple():
            return [_shown(item) for item in value]
        case _:
            return value
