"""The scripted engine keeps what real engines promise; theirs is the same suite, in tests/engines."""

import pytest

from tests.contract.engine_contract import *  # noqa: F403 - the suite
from tests.contract.engine_contract import EngineCase, pooled
from tests.fakes.engines import ScriptedEngineFactory

CASES = {
    "scripted fake": EngineCase(pooled(ScriptedEngineFactory()), b"\x10\x27" * 40_000, "en"),
    "two workers of it": EngineCase(pooled(ScriptedEngineFactory(), workers=2), b"\x10\x27" * 40_000, "en"),
}


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> EngineCase:
    return CASES[request.param]
