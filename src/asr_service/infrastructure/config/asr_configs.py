"""Presets: named bundles of settings, for who does not want to weigh each."""

from collections.abc import Mapping
from typing import Any, Final

PRESETS: Final[Mapping[str, Mapping[str, Any]]] = {
    "fast": {
        "recognizer.beam_size": 1,
        "partials.interval_ms": 1_200,
    },
    "balanced": {},
    "accurate": {
        "recognizer.finals_context_s": 30,
    },
}
"""The settings of each preset by key. What ``balanced`` means are the defaults; docs/configuration.md has the measurements."""
