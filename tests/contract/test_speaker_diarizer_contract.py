"""The fake keeps what real diarizers promise; sherpa-onnx's is the same suite, in tests/engines."""

import pytest

from tests.contract.diarizer_contract import *  # noqa: F403 - the suite
from tests.contract.diarizer_contract import DiarizerCase
from tests.fakes.speakers import LoudnessDiarizer


@pytest.fixture
def case() -> DiarizerCase:
    return DiarizerCase(LoudnessDiarizer(), one=b"\x10\x27" * 48_000, other=b"\x20\x03" * 48_000)
