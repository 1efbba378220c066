"""Who is let in. Overload is refused at the door, never in mid-utterance."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Protocol

import structlog

from asr_service.domain.value_objects.caller import Caller
from asr_service.shared.clock import Clock
from asr_service.shared.errors import AsrError

log = structlog.get_logger(__name__)

RETRY_AFTER_S = 5.0  # where nothing better is known
_MIN_RETRY_AFTER_S, _MAX_RETRY_AFTER_S = 1.0, 10.0
_YOUNG_S = 10.0  # after so long the load of a session is in the measurement: longer than its window and an utterance


class ServiceOverloaded(AsrError):
    """There is no room for another session now."""

    code = "overloaded"


class RecognizerLoadReading(Protocol):
    """How loaded the recognizer is, in shares of its time: 1 is all of it."""

    @property
    def needed(self) -> float:
        """What live sessions cannot do without, as measured over the last seconds."""
        ...

    @property
    def of_newcomer(self) -> float:
        """What one more session may need."""
        ...


class LoadLimit:
    """Whether the recognizer's load leaves room for another live session.

    The projected load is the measured one, what is assumed of the newcomer, and what is assumed of sessions that came so
    lately that they are not in the measurement yet, less and less of it as they grow older. So a microphone that stays
    silent takes no room for long, and of many who come at once only as many get in as can be served.

    Args:
        reading: The measured load.
        clock: For the age of sessions.
        max_load: The projected load may be as high as this.
    """

    def __init__(self, reading: RecognizerLoadReading, clock: Clock, max_load: float) -> None:
        self.max_load = max_load
        self._reading = reading
        self._clock = clock
        self._admitted_at_s: dict[object, float] = {}

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Knows of one session while the block runs."""
        session = object()
        self._admitted_at_s[session] = self._clock.monotonic_s()
        try:
            yield
        finally:
            del self._admitted_at_s[session]

    @property
    def projected(self) -> float:
        """The load with one more session, by assumption."""
        return self._reading.needed + self._reading.of_newcomer * (1.0 + sum(self._youth()))

    def wait_s(self) -> float:
        """Seconds until there is room, as things are going; 0 when there is. A lone session is always let in."""
        if not self._admitted_at_s or self.projected <= self.max_load:
            return 0.0
        left_to_young = self.max_load - self._reading.needed - self._reading.of_newcomer
        if left_to_young < 0:
            return RETRY_AFTER_S  # that depends on who leaves, and who falls silent
        return _YOUNG_S * _decrease_until(left_to_young / self._reading.of_newcomer, sorted(self._youth()))

    def _youth(self) -> list[float]:
        """For each session how much of its load is still an assumption: 1 when it comes, 0 when it is measured."""
        now_s = self._clock.monotonic_s()
        ages_s = (now_s - admitted_at_s for admitted_at_s in self._admitted_at_s.values())
        return [1.0 - age_s / _YOUNG_S for age_s in ages_s if age_s < _YOUNG_S]


def _decrease_until(total: float, amounts: list[float]) -> float:
    """By how much each amount, given in ascending order, must shrink, none below 0, so that they sum up to the total."""
    excess, taken = sum(amounts) - total, 0.0
    for index, amount in enumerate(amounts):
        shrinking = len(amounts) - index
        if excess <= shrinking * (amount - taken):
            return taken + excess / shrinking
        excess -= shrinking * (amount - taken)
        taken = amount
    return taken


class Admission:
    """Knows what is in progress, and refuses what would be too much. Who is in is never touched.

    Args:
        max_sessions: Live sessions and recordings that may be in progress at once.
        load: Limits live sessions further; recordings, which give way to them, it does not concern.
        on_refused: Told why somebody was refused: ``places``, ``load`` or ``closed``.
    """

    def __init__(
        self,
        max_sessions: int,
        *,
        load: LoadLimit | None = None,
        retry_after_s: float = RETRY_AFTER_S,
        on_refused: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        self.max_sessions = max_sessions
        self._load = load
        self._retry_after_s = retry_after_s
        self._on_refused = on_refused
        self._active = 0
        self._closed = False
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def active(self) -> int:
        return self._active

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Lets nobody in any more."""
        self._closed = True

    async def empty(self) -> None:
        """Waits until nothing is in progress."""
        await self._empty.wait()

    @contextmanager
    def admit(self, caller: Caller) -> Iterator[None]:
        """Holds a place for one session or file while the block runs.

        Raises:
            ServiceOverloaded: All places are taken, or the server is about to stop.
        """
        self._expect_place()
        self._active += 1
        self._empty.clear()
        try:
            yield
        finally:
            self._active -= 1
            if not self._active:
                self._empty.set()

    @contextmanager
    def admit_live(self, caller: Caller) -> Iterator[None]:
        """The same for a live session, which has to be served as fast as it speaks.

        Raises:
            ServiceOverloaded: All places are taken, or the recognizer would be too busy.
        """
        self._expect_place()
        if self._load is not None and (wait_s := self._load.wait_s()) > 0:
            retry_after_s = min(max(wait_s, _MIN_RETRY_AFTER_S), _MAX_RETRY_AFTER_S)
            raise self._refusal("load", "The recognizer is busy with the sessions that it has.", retry_after_s)
        with self.admit(caller), nullcontext() if self._load is None else self._load.counted():
            yield

    def _expect_place(self) -> None:
        if self._closed:
            raise self._refusal("closed", "This server is about to stop.", _MIN_RETRY_AFTER_S)
        if self._active >= self.max_sessions:
            raise self._refusal("places", f"All {self.max_sessions} places are taken.", self._retry_after_s)

    def _refusal(self, reason: str, message: str, retry_after_s: float) -> ServiceOverloaded:
        projected = None if self._load is None else round(self._load.projected, 3)
        log.warning(
            "session_refused",
            reason=reason,
            active=self._active,
            projected_load=projected,
            retry_after_s=round(retry_after_s, 1),
        )
        self._on_refused(reason)
        return ServiceOverloaded(message, hint="Try again later, or use another server.", retry_after_s=retry_after_s)
