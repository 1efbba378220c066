"""How long nothing has come from a client."""

import asyncio
from collections.abc import Callable


class IdleWatch:
    """Says when something has been waited for too long, with one timer for all waits of a connection.

    A timer of its own for each frame, as of ``asyncio.timeout``, is much of what a frame costs: with a thousand clients who
    send five a second, timers were a fifth of the gateway's CPU time.

    Args:
        timeout_s: How long is too long.
        on_idle: Called when a wait has lasted so long; returns whether that is the end. If not, it may last as long again.
    """

    def __init__(self, timeout_s: float, on_idle: Callable[[], bool]) -> None:
        self._timeout_s = timeout_s
        self._on_idle = on_idle
        self._loop = asyncio.get_running_loop()
        self._waiting_since_s: float | None = None
        self._timer = self._loop.call_later(timeout_s, self._look)

    def wait_begins(self) -> None:
        self._waiting_since_s = self._loop.time()

    def wait_ends(self) -> None:
        self._waiting_since_s = None

    def close(self) -> None:
        """Nothing is watched any more."""
        self._timer.cancel()

    def _look(self) -> None:
        now_s, since_s = self._loop.time(), self._waiting_since_s
        rest_s = self._timeout_s if since_s is None else since_s + self._timeout_s - now_s
        if rest_s <= 0:
            if self._on_idle():
                return
            self._waiting_since_s, rest_s = now_s, self._timeout_s
        self._timer = self._loop.call_later(rest_s, self._look)
