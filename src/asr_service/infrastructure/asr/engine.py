"""What runs inside a worker process: an engine that turns a batch of requests into hypotheses, synchronously."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from asr_service.domain.ports.recognizer import EngineNotInstalled, RecognitionRequest, RecognizerCapabilities
from asr_service.domain.value_objects.hypothesis import Hypothesis


@dataclass(frozen=True, slots=True)
class EngineFailure:
    """One request of a batch could not be processed; the others could."""

    message: str


Outcome: TypeAlias = Hypothesis | EngineFailure


class Engine(Protocol):
    """Weights and the code around them, in one process, called from one thread."""

    @property
    def capabilities(self) -> RecognizerCapabilities: ...

    def recognize(self, batch: Sequence[RecognitionRequest]) -> list[Outcome]:
        """Recognizes all requests at once; returns one outcome for each, in the same order.

        An exception means that the batch as a whole failed; the caller then tries its items one by one.
        """
        ...


class EngineFactory(Protocol):
    """Loads the engine. Picklable, since it is called in the worker process; may take seconds.

    A package that not every installation has is imported by the call, within ``needs_extra``.
    """

    def __call__(self) -> Engine: ...


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """For imports of what an optional extra of this package brings.

    Raises:
        EngineNotInstalled: A module is not there.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise EngineNotInstalled(
            f"The engine needs {error.name}, which is not installed.",
            hint=f"Run: pip install 'asr-service[server,{extra}]'",
        ) from error
