"""Stand-ins for lineups: they start and close at once, or when they are told to."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from asr_service.domain.ports.recognizer_directory import LineupModels
from asr_service.infrastructure.asr.lineup import Lineup
from asr_service.shared.errors import AsrError
from tests.fakes.engines import CAPABILITIES
from tests.fakes.recognizers import FakeRecognizer


class FakeRunningLineup:
    """A lineup at work.

    Attributes:
        memory_bytes: What it says that it takes.
        closed: Whether it has been closed.
        trouble: What a check raises.
    """

    def __init__(self, model: str, memory_bytes: int, closing: asyncio.Event) -> None:
        self.recognizer = FakeRecognizer(capabilities=replace(CAPABILITIES, model=model))
        self.memory_bytes = memory_bytes
        self.closed = False
        self.trouble: AsrError | None = None
        self._closing = closing

    async def check(self) -> None:
        if self.trouble is not None:
            raise self.trouble

    async def close(self) -> None:
        await self._closing.wait()
        assert not self.closed, "a lineup is closed once"
        self.closed = True


class FakeLineup:
    """How a lineup is started.

    Attributes:
        opening: Starting waits until this is set.
        closing: So does closing.
        broken: What is wrong with its files.
        failure: What starting it ends with.
        started: Every time that it was, the newest last.
    """

    def __init__(self, name: str, *, memory_bytes: int = 0) -> None:
        self.name = name
        self.memory_bytes = memory_bytes
        self.opening, self.closing = asyncio.Event(), asyncio.Event()
        self.opening.set()
        self.closing.set()
        self.broken: AsrError | None = None
        self.failure: AsrError | None = None
        self.started: list[FakeRunningLineup] = []

    @property
    def models(self) -> LineupModels:
        return LineupModels(model_of(self.name))

    @property
    def is_running(self) -> bool:
        return bool(self.started) and not self.started[-1].closed

    def build(self) -> Lineup:
        """It, as the directory takes it."""
        return Lineup(self.name, self.models, self._examine, self._starter())

    def _examine(self) -> None:
        if self.broken is not None:
            raise self.broken

    def _starter(self) -> Callable[[], Awaitable[FakeRunningLineup]]:
        async def start() -> FakeRunningLineup:
            await self.opening.wait()
            if self.failure is not None:
                raise self.failure
            self.started.append(FakeRunningLineup(model_of(self.name), self.memory_bytes, self.closing))
            return self.started[-1]

        return start


def model_of(name: str) -> str:
    """The model for finals of a stand-in; ``main`` and ``twin`` have the same one."""
    return "model-of-main" if name == "twin" else f"model-of-{name}"
