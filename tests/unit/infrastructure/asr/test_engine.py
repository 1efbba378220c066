"""What an engine says when its package is not there."""

import pytest

from asr_service.domain.ports.recognizer import EngineNotInstalled
from asr_service.infrastructure.asr.engine import needs_extra


def test_a_module_that_is_missing_is_told_with_the_command_that_brings_it() -> None:
    with pytest.raises(EngineNotInstalled, match="no_such_engine") as refusal, needs_extra("gramophone"):
        import no_such_engine  # type: ignore[import-not-found] # noqa: F401, PLC0415
    assert refusal.value.hint == "Run: pip install 'asr-service[server,gramophone]'"


def test_what_is_there_is_imported() -> None:
    with needs_extra("gramophone"):
        import json  # noqa: PLC0415
    assert json.loads("1") == 1
