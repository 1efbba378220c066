"""Which Python package index this machine uses: whatever pip is set to, so that mirrors and private indexes work."""

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from asr_service.infrastructure.artifacts.staging import SourceFailed

_PIP_TIMEOUT_S = 60.0
# The attribute is internal to pip, and the only place that tells its default without a network request.
_PRINT_DEFAULT_INDEX = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
_SECTIONS = ("global", "install", "download", ":env:")  # pip's precedence, the last one wins


@dataclass(frozen=True, slots=True)
class IndexConfiguration:
    """Where wheels are looked for, in this order: ``find_links`` (folders or pages), then ``indexes`` (simple API)."""

    find_links: tuple[str, ...]
    indexes: tuple[str, ...]
    certificates: Path | None
    proxy: str | None
    trusted_hosts: tuple[str, ...]
    read_timeout_s: float


def read_index_configuration() -> IndexConfiguration:
    """Asks pip for its configuration files and the environment; without pip, reads the ``PIP_*`` variables.

    Raises:
        SourceFailed: pip is not installed and no variable names an index, or pip's configuration cannot be read.
    """
    settings = _pip_settings()
    without_index = settings.get("no-index", "").lower() in {"1", "true", "yes", "on"}
    find_links = tuple(settings.get("find-links", "").split())
    indexes = () if without_index else _indexes(settings, needed=not find_links)
    certificates = settings.get("cert")
    return IndexConfiguration(
        find_links=find_links,
        indexes=indexes,
        certificates=Path(certificates).expanduser() if certificates else None,
        proxy=settings.get("proxy") or None,
        trusted_hosts=tuple(settings.get("trusted-host", "").split()),
        read_timeout_s=_seconds(settings),
    )


def parse_pip_settings(listing: str) -> dict[str, str]:
    """The settings in force according to the output of ``pip config list``: lines such as ``global.proxy='…'``.

    Raises:
        SourceFailed: A value is not written as expected.
    """
    sections: dict[str, dict[str, str]] = {}
    for line in listing.splitlines():
        name, equals, value = line.partition("=")
        section, dot, key = name.rpartition(".")
        if equals and dot and section in _SECTIONS:
            sections.setdefault(section, {})[key] = _literal(key, value)
    settings: dict[str, str] = {}
    for section in _SECTIONS:
        settings |= sections.get(section, {})
    return settings


def _pip_settings() -> dict[str, str]:
    listing = _run_python("-m", "pip", "config", "list")
    return _environment_settings(os.environ) if listing is None else parse_pip_settings(listing)


def _literal(key: str, value: str) -> str:
    try:
        return str(ast.literal_eval(value))
    except (ValueError, SyntaxError) as error:
        raise SourceFailed(f"pip's setting {key} cannot be read") from error


def _environment_settings(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        key.removeprefix("PIP_").lower().replace("_", "-"): value
        for key, value in environment.items()
        if key.startswith("PIP_") and value
    }


def _indexes(settings: Mapping[str, str], *, needed: bool) -> tuple[str, ...]:
    extra = tuple(settings.get("extra-index-url", "").split())
    index = settings.get("index-url") or (_run_python("-c", _PRINT_DEFAULT_INDEX) or "").strip()
    if not index and not extra and needed:
        raise SourceFailed("pip is not installed for this Python, and PIP_INDEX_URL is not set")
    return (index, *extra) if index else extra


def _run_python(*arguments: str) -> str | None:
    """What this Python prints; ``None`` when it fails, as it does when pip is not installed."""
    try:
        done = subprocess.run(
            [sys.executable, *arguments], capture_output=True, text=True, timeout=_PIP_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SourceFailed(f"pip cannot be asked for its configuration: {error}") from error
    return done.stdout if done.returncode == 0 else None


def _seconds(settings: Mapping[str, str]) -> float:
    text = settings.get("timeout") or settings.get("default-timeout") or "60"
    try:
        return max(float(text), 1.0)
    except ValueError as error:
        raise SourceFailed(f"pip's timeout {text!r} is no number") from error
