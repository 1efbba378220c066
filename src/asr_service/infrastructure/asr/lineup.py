"""A lineup: models that recognize together under one name. Here is what the directory has to know of one, and no more."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from asr_service.domain.ports.model_store import ModelCorrupt
from asr_service.domain.ports.recognizer import Recognizer, RecognizerUnavailable
from asr_service.domain.ports.recognizer_directory import LineupModels, LineupState, LineupStatus
from asr_service.shared.errors import AsrError


class RunningLineup(Protocol):
    """A lineup at work, in worker processes or elsewhere."""

    @property
    def recognizer(self) -> Recognizer: ...

    @property
    def memory_bytes(self) -> int:
        """Resident memory of its processes, as measured now; 0 if it has none of its own."""
        ...

    async def check(self) -> None:
        """Returns while it can recognize finals.

        Raises:
            RecognizerUnavailable: It cannot.
        """
        ...

    async def close(self) -> None:
        """Returns when nothing of it is left: no process, no connection. Called once."""
        ...


@dataclass(frozen=True, slots=True)
class Lineup:
    """How a lineup is started.

    Attributes:
        name: Its own.
        models: What it is made of.
        examine: Raises the error that starting would end with, as far as the files tell it; blocks, so it is called in a
            thread.
        start: Returns when it can recognize, self-tests included; what fails leaves nothing running.
    """

    name: str
    models: LineupModels
    examine: Callable[[], None]
    start: Callable[[], Awaitable[RunningLineup]]


@dataclass(slots=True, eq=False)
class LineupPlace:
    """A lineup in the directory, whether or not it is loaded.

    Attributes:
        lineup: Which.
        pinned: Whether it is never unloaded to make room.
        running: It, if it is loaded.
        starting: Whether a load of it is under way, or waits for its turn.
        stopping: Whether it is being closed; it is not loaded any more then.
        retired: Whether it is to be unloaded when the last lease ends.
        leases: How many hold it.
        used_at_s: When it was last lent or given back.
        known_bytes: What it took when that was last measured; 0: never.
        failure: What the last attempt to load it ended with, and when.
        holders: Told when it is retired, by a key of each.
    """

    lineup: Lineup
    pinned: bool = False
    running: RunningLineup | None = None
    starting: bool = False
    stopping: bool = False
    retired: bool = False
    leases: int = 0
    used_at_s: float = 0.0
    known_bytes: int = 0
    failure: AsrError | None = None
    failed_at_s: float = 0.0
    holders: dict[object, Callable[[], None]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.lineup.name

    @property
    def at_work(self) -> RunningLineup:
        """It, loaded.

        Raises:
            RecognizerUnavailable: It is not.
        """
        if self.running is None:
            raise RecognizerUnavailable(f"The model {self.name} is not loaded.")
        return self.running

    def measure(self) -> int:
        """Bytes that it takes now; 0 while it is not loaded."""
        if self.running is None:
            return 0
        self.known_bytes = self.running.memory_bytes
        return self.known_bytes

    def tell_retired(self) -> None:
        """Marks it as retired, and tells all holders."""
        self.retired = True
        holders, self.holders = self.holders, {}
        for told in holders.values():
            told()

    def status(self, *, is_default: bool, problem: AsrError | None) -> LineupStatus:
        """It as others may see it; ``problem`` is what its files are good for, while it is not loaded."""
        running = self.running
        failure = self.failure or problem
        return LineupStatus(
            name=self.name,
            models=self.lineup.models,
            state=self._state(problem),
            is_default=is_default,
            pinned=self.pinned,
            leases=self.leases,
            memory_bytes=None if running is None else self.measure(),
            capabilities=None if running is None else running.recognizer.capabilities,
            failure=None if failure is None else failure.code,
        )

    def _state(self, problem: AsrError | None) -> LineupState:
        if self.starting:
            return LineupState.LOADING
        if self.stopping or (self.running is not None and self.retired):
            return LineupState.DRAINING
        if self.running is not None:
            return LineupState.READY
        if problem is None:
            return LineupState.INSTALLED
        return LineupState.CORRUPT if isinstance(problem, ModelCorrupt) else LineupState.MISSING
