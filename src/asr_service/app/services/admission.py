"""Who is let in. Overload is refused at the door, never in mid-utterance."""

from collections.abc import Iterator
from contextlib import contextmanager

from asr_service.domain.value_objects.caller import Caller
from asr_service.shared.errors import AsrError


class ServiceOverloaded(AsrError):
    """There is no room for another session now."""

    code = "overloaded"


class Admission:
    """Counts what is in progress, and refuses what would be too much."""

    def __init__(self, max_sessions: int, *, retry_after_s: float = 5.0) -> None:
        self.max_sessions = max_sessions
        self._retry_after_s = retry_after_s
        self._active = 0

    @property
    def active(self) -> int:
        return self._active

    @contextmanager
    def admit(self, caller: Caller) -> Iterator[None]:
        """Holds a place for one session or file while the block runs.

        Raises:
            ServiceOverloaded: All places are taken.
        """
        if self._active >= self.max_sessions:
            raise ServiceOverloaded(
                f"All {self.max_sessions} places are taken.",
                hint="Try again later, or use another server.",
                retry_after_s=self._retry_after_s,
            )
        self._active += 1
        try:
            yield
        finally:
            self._active -= 1
