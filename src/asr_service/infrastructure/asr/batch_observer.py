"""What the recognizer tells whoever keeps its statistics."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from asr_service.domain.ports.recognizer import RecognitionRequest
from asr_service.infrastructure.asr.worker_link import WorkerEnd


@dataclass(frozen=True, slots=True)
class BatchReport:
    """One batch that was answered.

    Attributes:
        worker: Name of the worker.
        finals: Finals in the batch.
        partials: Partials in the batch.
        failures: Requests among them that the engine could not process.
        audio_s: Seconds of audio in all.
        padded_audio_s: Number of requests times the longest of them: what the engine worked on, if it pads.
        queue_wait_s: For each request, the seconds from its arrival to the start of the batch.
        inference_s: Seconds in the engine.
    """

    worker: str
    finals: int
    partials: int
    failures: int
    audio_s: float
    padded_audio_s: float
    queue_wait_s: tuple[float, ...]
    inference_s: float


class BatchObserver(Protocol):
    """Is told on the event loop; must return at once and must not raise."""

    def batch_begun(self, worker: str, requests: Sequence[RecognitionRequest]) -> None:
        """A worker is given a batch; ``batch_ended`` follows."""
        ...

    def batch_ended(self, worker: str, *, answered: bool) -> None:
        """The worker has answered, or the batch failed as a whole."""
        ...

    def batch_done(self, report: BatchReport) -> None: ...

    def worker_restarted(self, worker: str, end: WorkerEnd) -> None:
        """A worker process ended in service and is being replaced."""
        ...


class NoObserver:
    """Keeps no statistics."""

    def batch_begun(self, worker: str, requests: Sequence[RecognitionRequest]) -> None:
        pass

    def batch_ended(self, worker: str, *, answered: bool) -> None:
        pass

    def batch_done(self, report: BatchReport) -> None:
        pass

    def worker_restarted(self, worker: str, end: WorkerEnd) -> None:
        pass
