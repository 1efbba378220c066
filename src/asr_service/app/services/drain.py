"""How a server stops: it lets nobody in, lets those finish who can, and hands the others over."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

import structlog

from asr_service.app.services.admission import Admission
from asr_service.shared.errors import AsrError

log = structlog.get_logger(__name__)

_LAST_WORDS_S = 5.0  # kept of the deadline, for the finals of those who speak until then
_LAST_WORDS_SHARE = 0.5  # of a deadline that is shorter than twice that


class ServerStopping(AsrError):
    """The server is about to stop; the session goes on elsewhere, if it can be resumed."""

    code = "going_away"


class Audience(Protocol):
    """Who has connections that have to go."""

    def announce_stop(self, deadline_s: float) -> None:
        """Tells every client that it has so many seconds; sessions that can be resumed leave as soon as nobody speaks."""
        ...

    def demand_last_words(self) -> None:
        """Ends the input of every session that is still there; one that can be resumed leaves at once."""
        ...


class Drain:
    """Stops a server within a deadline."""

    def __init__(self, admission: Admission, audiences: Sequence[Audience]) -> None:
        self._admission = admission
        self._audiences = audiences

    async def check(self) -> None:
        """Passes as long as work can be sent here.

        Raises:
            ServerStopping: The server is about to stop.
        """
        if self._admission.closed:
            raise ServerStopping("This server is about to stop.")

    async def run(self, deadline_s: float) -> None:
        """Returns when nothing is in progress any more, or after ``deadline_s``."""
        last_words_s = min(_LAST_WORDS_S, deadline_s * _LAST_WORDS_SHARE)
        self._admission.close()
        log.info("drain_begun", active=self._admission.active, deadline_s=deadline_s)
        for audience in self._audiences:
            audience.announce_stop(deadline_s)
        if not await self._emptied(deadline_s - last_words_s):
            for audience in self._audiences:
                audience.demand_last_words()
            await self._emptied(last_words_s)
        log.info("drain_ended", active=self._admission.active)

    async def _emptied(self, timeout_s: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._admission.empty()
        return not self._admission.active
