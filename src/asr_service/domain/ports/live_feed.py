"""What is said in live sessions, for others than their clients."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from asr_service.domain.events.session_events import SessionEvent
from asr_service.shared.errors import AsrError


class FollowerTooSlow(AsrError):
    """A follower does not take what it is told."""

    code = "follower_too_slow"


class LiveEvents(Protocol):
    """The events of one session, from a moment on."""

    async def next(self, timeout_s: float) -> SessionEvent | None:
        """The next event; ``None``: there was none for so long.

        Events of a session come in their order. Some may be missing: partials that wait for too long, and whatever is said
        while what carries it is away.

        Raises:
            FollowerTooSlow: More than partials would have to be left out.
        """
        ...


class LiveFeed(Protocol):
    """Lets anybody follow any session, whichever server has it; who may is decided before."""

    def follow(self, session_id: str) -> AbstractAsyncContextManager[LiveEvents]:
        """The events of a session from now on, inside the block; of a session that is not live there are none."""
        ...
