"""The state of the workers as data, for readiness, metrics and operators."""

from dataclasses import dataclass
from enum import StrEnum


class WorkerState(StrEnum):
    """What a worker is doing."""

    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    RESTARTING = "restarting"  # a process has ended or did not start; the next one comes after a delay
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One worker at one moment.

    Attributes:
        name: Stays the same from process to process.
        state: What it is doing.
        pid: Of its process; ``None`` when there is none.
        restarts: Processes that ended in service.
        batches_done: Batches answered, by all its processes.
        rss_bytes: Resident memory; ``None`` when unknown.
        last_error: Why a process ended or did not start, most recently; ``None`` when none ever did.
    """

    name: str
    state: WorkerState
    pid: int | None
    restarts: int
    batches_done: int
    rss_bytes: int | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """All workers at one moment.

    Attributes:
        workers: In a fixed order.
        unavailable_reason: Why nothing can be recognized, now or soon; ``None`` while a worker is ready or may be.
    """

    workers: tuple[WorkerStatus, ...]
    unavailable_reason: str | None

    @property
    def ready(self) -> int:
        """Workers that can recognize: idle or busy."""
        return sum(1 for worker in self.workers if worker.state in (WorkerState.IDLE, WorkerState.BUSY))
