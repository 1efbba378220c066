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
    "funasr-zh": {
        "recognizer.model": "paraformer-zh",
        "recognizer.partials_model": "paraformer-zh-streaming",
        "recognizer.punctuation_model": "ct-punc",
        "partials.interval_ms": 600,
    },
}
"""The settings of each preset by key. What ``balanced`` means are the defaults; docs/configuration.md has the measurements."""
