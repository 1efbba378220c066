"""The directory of recognizers over lineups that are started and closed in this process."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import structlog

from asr_service.domain.ports.recognizer_directory import (
    LeasedRecognizer,
    LineupInUse,
    LineupLoading,
    LineupStatus,
    LineupUnknown,
    NoMemoryForLineup,
)
from asr_service.domain.services.lineup_routing import LineupRouting
from asr_service.domain.value_objects.caller import Caller
from asr_service.infrastructure.asr.lineup import Lineup, LineupPlace
from asr_service.shared.clock import Clock
from asr_service.shared.errors import AsrError

log = structlog.get_logger(__name__)

_FORGIVEN_AFTER_S = 30.0  # so long sessions get the error of the last load; then loading is tried again
_LOADING_RETRY_S = 5.0  # to load a small model takes about 3 s

OnLoad = Callable[[str, str], None]
"""Told the name of a lineup, and what became of a load: ``done``, or the code of the error."""


class LineupDirectory:
    """Starts lineups when they are wanted, lends their recognizers, and closes those that nobody needs.

    - One lineup is loaded at a time; who wants the same one waits for the same load. A session waits ``load_wait_s`` at
      most, and the load goes on without it.
    - To stay within the memory budget, lineups that nobody holds are unloaded, the one that was used longest ago first;
      never the default one, nor those that are pinned. The budget is looked at before a load, as far as it is known what the
      lineup takes, after it, and when a lease ends. A lineup that has no room is closed again.
    - A retired lineup that is asked for by name again before its last lease has ended stays.
    - A canary that cannot be had costs nobody the session: the default is lent in its place.

    Args:
        lineups: All of them, in the order in which they are listed.
        routing: Who gets which. Its default, and what is pinned or warm, is loaded by ``start``.
        clock: For what was used when.
        memory_budget_bytes: What all lineups together may take; ``None``: whatever they do.
        load_wait_s: A session waits no longer for a load.
        pinned: Names of lineups that are never unloaded to make room.
        warm: Names of others that are loaded at the start.
        on_load: Told of every load.
    """

    def __init__(
        self,
        lineups: Iterable[Lineup],
        routing: LineupRouting,
        *,
        clock: Clock,
        memory_budget_bytes: int | None = None,
        load_wait_s: float = 10.0,
        pinned: Iterable[str] = (),
        warm: Iterable[str] = (),
        on_load: OnLoad = lambda _name, _outcome: None,
    ) -> None:
        pinned_names = frozenset(pinned)
        self._places = {lineup.name: LineupPlace(lineup, lineup.name in pinned_names) for lineup in lineups}
        self._routing = routing
        self._clock = clock
        self._memory_budget_bytes = memory_budget_bytes
        self._load_wait_s = load_wait_s
        self._warm = dict.fromkeys((routing.default, *pinned, *warm))
        self._on_load = on_load
        self._turn = asyncio.Lock()  # of loading
        self._loads: dict[str, asyncio.Task[AsrError | None]] = {}
        self._closings: dict[str, asyncio.Task[None]] = {}
        for name in (*routing.lineups, *self._warm):
            self._place(name)

    # --- its own life

    async def start(self) -> None:
        """Returns when the default, and all that are pinned or warm, can recognize.

        Raises:
            AsrError: One of them cannot; nothing is left running.
        """
        try:
            for name in self._warm:
                await self.load(name)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Closes everything, whoever holds it."""
        for loading in self._loads.values():
            loading.cancel()
        await asyncio.gather(*self._loads.values(), return_exceptions=True)
        for place in self._places.values():
            self._begin_closing(place)
        await asyncio.gather(*self._closings.values())

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # --- what is lent

    @property
    def routing(self) -> LineupRouting:
        return self._routing

    def resolve(self, name: str) -> str:
        """See ``RecognizerDirectory``."""
        return self._place(name).name

    @asynccontextmanager
    async def lease(self, caller: Caller, wanted: str | None, session_id: str) -> AsyncIterator[LeasedRecognizer]:
        """See ``RecognizerDirectory``."""
        place = await self._chosen(caller, wanted, session_id)
        holder = object()

        def on_retired(told: Callable[[], None]) -> None:
            if place.retired:
                told()
            else:
                place.holders[holder] = told

        try:
            yield LeasedRecognizer(place.name, place.at_work.recognizer, on_retired)
        finally:
            place.holders.pop(holder, None)
            self._give_back(place)

    async def _chosen(self, caller: Caller, wanted: str | None, session_id: str) -> LineupPlace:
        if wanted is not None:
            return await self._lent(self._place(wanted))
        chosen = self._routing.choose(caller.tenant, session_id)
        try:
            return await self._lent(self._places[chosen])
        except AsrError as error:
            if chosen != self._routing.canary or chosen == self._routing.default:
                raise
            log.warning("canary_not_lent", lineup=chosen, code=error.code)
        return await self._lent(self._places[self._routing.default])

    async def _lent(self, place: LineupPlace) -> LineupPlace:
        """The same, loaded and with one lease more: between the two there is no moment for others to unload it."""
        while place.running is None:
            if place.failure is not None and self._clock.monotonic_s() < place.failed_at_s + _FORGIVEN_AFTER_S:
                raise place.failure
            await self._loaded(place, self._load_wait_s)
        place.retired = False
        place.leases += 1
        place.used_at_s = self._clock.monotonic_s()
        return place

    def _give_back(self, place: LineupPlace) -> None:
        place.leases -= 1
        place.used_at_s = self._clock.monotonic_s()
        if place.retired and not place.leases:
            self._begin_closing(place)
        elif self._memory_budget_bytes is not None:
            self._evict_beyond(self._memory_budget_bytes)

    # --- what is told

    async def list_lineups(self) -> Sequence[LineupStatus]:
        """See ``RecognizerDirectory``."""
        places = list(self._places.values())
        problems = await asyncio.to_thread(lambda: [None if place.running else _problem(place) for place in places])
        default = self._routing.default
        return [
            place.status(is_default=place.name == default, problem=None if place.running else problem)
            for place, problem in zip(places, problems, strict=True)
        ]

    async def check(self) -> None:
        """See ``RecognizerDirectory``."""
        await self._places[self._routing.default].at_work.check()

    def leases(self, name: str) -> int:
        """How many hold a lineup."""
        return self._places[name].leases

    def memory_bytes(self, name: str) -> int:
        """What a lineup takes now; 0 while it is not loaded."""
        return self._places[name].measure()

    # --- what is changed

    async def load(self, name: str) -> None:
        """See ``RecognizerDirectory``."""
        place = self._place(name)
        while place.running is None:
            await self._loaded(place, None)
        place.retired = False

    async def unload(self, name: str) -> None:
        """See ``RecognizerDirectory``."""
        place = self._place(name)
        if place.name in self._routing.lineups:
            raise LineupInUse(f"Sessions are routed to {place.name}.", hint="Change the routing first.")
        if place.pinned:
            raise LineupInUse(f"{place.name} is pinned.", hint="Take back the pin first.")
        if (loading := self._loads.get(place.name)) is not None:
            await asyncio.wait([loading])
        self._retire(place)
        if (closing := self._closings.get(place.name)) is not None:
            await asyncio.wait([closing])

    def pin(self, name: str, *, pinned: bool) -> None:
        """See ``RecognizerDirectory``."""
        self._place(name).pinned = pinned

    async def reroute(self, routing: LineupRouting) -> None:
        """See ``RecognizerDirectory``."""
        for name in routing.lineups:
            if name not in self._places:
                raise _unknown(name)
        await self.load(routing.default)
        before, self._routing = self._routing, routing
        log.info("lineups_rerouted", default=routing.default, canary=routing.canary, share=routing.canary_share)
        for name in before.lineups - routing.lineups:
            if not self._places[name].pinned:
                self._retire(self._places[name])

    # --- loading and unloading

    def _place(self, name: str) -> LineupPlace:
        if (place := self._places.get(name)) is not None:
            return place
        of_model = [place for place in self._places.values() if place.lineup.models.finals == name]
        if not of_model:
            raise _unknown(name)
        return next((place for place in of_model if place.name == self._routing.default), of_model[0])

    async def _loaded(self, place: LineupPlace, wait_s: float | None) -> None:
        """Has it loaded; what was loaded may have been unloaded again when the caller has its next turn."""
        if (loading := self._loads.get(place.name)) is None:
            loading = self._loads[place.name] = asyncio.create_task(self._load(place))
            loading.add_done_callback(lambda _: self._loads.pop(place.name, None))
        await asyncio.wait([loading], timeout=wait_s)
        if not loading.done():
            hint = "Try again when it is loaded, or choose another model."
            raise LineupLoading(f"The model {place.name} is being loaded.", hint=hint, retry_after_s=_LOADING_RETRY_S)
        if (failure := loading.result()) is not None:
            raise failure

    async def _load(self, place: LineupPlace) -> AsrError | None:
        """Loads it, as soon as it is its turn; returns what went wrong."""
        place.starting = True
        place.failure = None
        try:
            async with self._turn:
                await self._start(place)
        except AsrError as error:
            self._note_failure(place, error)
            return error
        finally:
            place.starting = False
        log.info("lineup_loaded", lineup=place.name, memory_bytes=place.known_bytes)
        self._on_load(place.name, "done")
        return None

    def _note_failure(self, place: LineupPlace, error: AsrError) -> None:
        log.warning("lineup_not_loaded", lineup=place.name, code=error.code, reason=error.message)
        self._on_load(place.name, error.code)
        if not isinstance(error, NoMemoryForLineup):  # that may be otherwise as soon as a session ends
            place.failure, place.failed_at_s = error, self._clock.monotonic_s()

    async def _start(self, place: LineupPlace) -> None:
        await asyncio.gather(*self._closings.values())  # what is on its way out still has its memory
        await asyncio.to_thread(place.lineup.examine)
        await self._make_room(place, place.known_bytes)
        place.running = await place.lineup.start()
        place.retired = False
        place.used_at_s = self._clock.monotonic_s()
        place.measure()
        try:
            await self._make_room(place, 0)
        except NoMemoryForLineup:
            self._begin_closing(place)
            await asyncio.gather(*self._closings.values())
            raise

    async def _make_room(self, place: LineupPlace, needed_bytes: int) -> None:
        """Unloads others until so much more fits into the budget.

        Raises:
            NoMemoryForLineup: It does not, whoever goes.
        """
        if (budget := self._memory_budget_bytes) is None:
            return
        left = self._evict_beyond(budget - needed_bytes, spared=place)
        await asyncio.gather(*self._closings.values())
        if left > budget - needed_bytes:
            raise NoMemoryForLineup(
                f"The model {place.name} has no room in the memory budget.",
                hint="Try again when other models are in use no more, or raise lineups.memory_budget_mb.",
                retry_after_s=_LOADING_RETRY_S,
            )

    def _evict_beyond(self, budget_bytes: int, spared: LineupPlace | None = None) -> int:
        """Begins to close lineups that nobody holds, the longest unused first; returns what the rest takes, in bytes."""
        taken = {name: place.measure() for name, place in self._places.items()}
        total = sum(taken.values())
        for place in sorted(self._places.values(), key=lambda place: place.used_at_s):
            if total <= budget_bytes:
                break
            if place is not spared and self._may_go(place):
                log.info("lineup_evicted", lineup=place.name, memory_bytes=taken[place.name])
                self._begin_closing(place)
                total -= taken[place.name]
        return total

    def _may_go(self, place: LineupPlace) -> bool:
        held = place.leases or place.pinned or place.name == self._routing.default
        return place.running is not None and not held

    def _retire(self, place: LineupPlace) -> None:
        if place.running is None:
            return
        place.tell_retired()
        if not place.leases:
            self._begin_closing(place)

    def _begin_closing(self, place: LineupPlace) -> None:
        running, place.running = place.running, None
        if running is None:
            return
        place.stopping = True

        async def close() -> None:
            try:
                await running.close()
            finally:
                place.stopping = False
            log.info("lineup_unloaded", lineup=place.name)

        closing = self._closings[place.name] = asyncio.create_task(close())
        closing.add_done_callback(lambda _: self._closings.pop(place.name, None))


def _problem(place: LineupPlace) -> AsrError | None:
    try:
        place.lineup.examine()
    except AsrError as error:
        return error
    return None


def _unknown(name: str) -> LineupUnknown:
    return LineupUnknown(f"The model {name[:80]!r} does not exist.", hint="GET /api/v1/models lists all.")
