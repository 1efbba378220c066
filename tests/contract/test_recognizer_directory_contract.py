"""The contract of directories, for the real one over stand-ins of lineups and for the stand-in of the directory."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from asr_service.domain.ports.recognizer_directory import RecognizerDirectory
from asr_service.domain.services.lineup_routing import LineupRouting
from asr_service.infrastructure.asr.lineup_directory import LineupDirectory
from tests.contract.recognizer_directory_contract import NAMES, RecognizerDirectoryContract
from tests.fakes.clocks import FakeClock
from tests.fakes.engines import CAPABILITIES
from tests.fakes.lineups import FakeLineup, model_of
from tests.fakes.recognizer_directory import FakeRecognizerDirectory
from tests.fakes.recognizers import FakeRecognizer


class TestLineupDirectory(RecognizerDirectoryContract):
    @pytest.fixture
    async def directory(self) -> AsyncIterator[RecognizerDirectory]:
        lineups = [FakeLineup(name).build() for name in NAMES]
        async with LineupDirectory(lineups, LineupRouting("main"), clock=FakeClock()) as directory:
            yield directory


class TestFakeRecognizerDirectory(RecognizerDirectoryContract):
    @pytest.fixture
    def directory(self) -> RecognizerDirectory:
        named = {name: FakeRecognizer(capabilities=replace(CAPABILITIES, model=model_of(name))) for name in NAMES}
        return FakeRecognizerDirectory(named)
