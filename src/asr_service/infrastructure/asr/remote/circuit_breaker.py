"""Keeps requests away from a server that fails on each of them, and finds out when it is of use again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

import structlog

from asr_service.domain.ports.recognizer import RecognitionFailed, RecognizerUnavailable
from asr_service.shared.clock import Clock

log = structlog.get_logger(__name__)

OnChange: TypeAlias = Callable[[bool], None]
"""Is told whether the circuit is closed now, that is, whether the server is asked."""

_FAILURES = 3  # in a row; one may be chance, and by the second the next may be under way already


@dataclass(slots=True)
class Attempt:
    """One request to the server.

    Attributes:
        is_conclusive: Whether it shows that the server is of use when it ends without an error.
    """

    is_conclusive: bool = True


class CircuitBreaker:
    """Closed while the server answers; open after three failures in a row; half open after a while.

    While it is open, requests are refused at once. After ``retry_s`` one request at a time is let through as a probe: its
    answer closes the circuit, its failure keeps it open for another ``retry_s``.

    Only ``RecognizerUnavailable`` is a failure of the server. One that fails on a piece of audio has answered.

    Args:
        server: Its name, for messages and the log.
        clock: Of the pause.
        retry_s: Seconds from a failure to the next probe.
        on_change: Told when the circuit opens, and when it is closed again.
    """

    def __init__(
        self, server: str, clock: Clock, *, retry_s: float, on_change: OnChange = lambda is_closed: None
    ) -> None:
        self._server = server
        self._clock = clock
        self._retry_s = retry_s
        self._on_change = on_change
        self._failures = 0
        self._open_since_s: float | None = None
        self._probe: Attempt | None = None

    @property
    def is_closed(self) -> bool:
        return self._open_since_s is None

    @property
    def is_ready(self) -> bool:
        """Whether a request would be let through."""
        return self.is_closed or (self._probe is None and self._remaining_s <= 0)

    @contextmanager
    def attempt(self) -> Iterator[Attempt]:
        """Lets a request through, and learns from how the block ends.

        Raises:
            RecognizerUnavailable: The circuit is open.
        """
        attempt = self._admitted()
        try:
            yield attempt
        except RecognizerUnavailable as error:
            self._failed(error)
            raise
        except RecognitionFailed:
            self._answered()
            raise
        else:
            if attempt.is_conclusive:
                self._answered()
        finally:
            if attempt is self._probe:
                self._probe = None

    def check(self) -> None:
        """Returns if a request would be let through.

        Raises:
            RecognizerUnavailable: It would not.
        """
        if not self.is_ready:
            retry_after_s = max(1.0, self._remaining_s)
            raise RecognizerUnavailable(f"The server {self._server} does not answer.", retry_after_s=retry_after_s)

    @property
    def _remaining_s(self) -> float:
        """Until the next probe; negative when it is overdue."""
        since_s = self._open_since_s
        return 0.0 if since_s is None else since_s + self._retry_s - self._clock.monotonic_s()

    def _admitted(self) -> Attempt:
        self.check()
        attempt = Attempt()
        if not self.is_closed:
            self._probe = attempt
        return attempt

    def _failed(self, error: RecognizerUnavailable) -> None:
        self._failures += 1
        was_closed = self.is_closed
        if not was_closed or self._failures >= _FAILURES:
            self._open_since_s = self._clock.monotonic_s()
        if was_closed and not self.is_closed:
            log.warning("remote_unavailable", server=self._server, reason=error.message)
            self._on_change(False)

    def _answered(self) -> None:
        self._failures = 0
        if not self.is_closed:
            self._open_since_s = None
            log.info("remote_available_again", server=self._server)
            self._on_change(True)
