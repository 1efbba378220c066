"""A stand-in for the directory of recognizers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from asr_service.domain.ports.recognizer import Recognizer
from asr_service.domain.ports.recognizer_directory import (
    LeasedRecognizer,
    LineupInUse,
    LineupModels,
    LineupState,
    LineupStatus,
    LineupUnknown,
)
from asr_service.domain.services.lineup_routing import LineupRouting
from asr_service.domain.value_objects.caller import Caller

DEFAULT = "default"


async def all_is_well() -> None:
    """A check that has nothing to complain of."""


@dataclass(slots=True)
class _Entry:
    name: str
    recognizer: Recognizer
    loaded: bool = False
    pinned: bool = False
    retired: bool = False
    leases: int = 0
    holders: dict[object, Callable[[], None]] = field(default_factory=dict)

    def unload_if_free(self) -> None:
        if self.retired and not self.leases:
            self.loaded = self.retired = False


class FakeRecognizerDirectory:
    """Lends recognizers that are there already; loading and unloading them is bookkeeping.

    Args:
        recognizers: By name, or the only one.
        routing: Who gets which; ``None``: everybody the first.
        check: Whether all is well.
        models: The model for finals of each lineup; that of its capabilities, unless something else is said.
    """

    def __init__(
        self,
        recognizers: Recognizer | Mapping[str, Recognizer],
        *,
        routing: LineupRouting | None = None,
        check: Callable[[], Awaitable[None]] = all_is_well,
        models: Mapping[str, str] | None = None,
    ) -> None:
        named = recognizers if isinstance(recognizers, Mapping) else {DEFAULT: recognizers}
        self._entries = {name: _Entry(name, recognizer) for name, recognizer in named.items()}
        self._routing = routing or LineupRouting(next(iter(named)))
        self._check = check
        self._models = models or {}
        self._entries[self._routing.default].loaded = True

    @property
    def routing(self) -> LineupRouting:
        return self._routing

    def resolve(self, name: str) -> str:
        return self._entry(name).name

    @asynccontextmanager
    async def lease(self, caller: Caller, wanted: str | None, session_id: str) -> AsyncIterator[LeasedRecognizer]:
        chosen = self._routing.choose(caller.tenant, session_id) if wanted is None else wanted
        entry = self._entry(chosen)
        entry.loaded, entry.retired = True, False
        entry.leases += 1
        holder = object()

        def on_retired(tell: Callable[[], None]) -> None:
            if entry.retired:
                tell()
            else:
                entry.holders[holder] = tell

        try:
            yield LeasedRecognizer(entry.name, entry.recognizer, on_retired)
        finally:
            entry.holders.pop(holder, None)
            entry.leases -= 1
            entry.unload_if_free()

    async def list_lineups(self) -> Sequence[LineupStatus]:
        return [self._status(entry) for entry in self._entries.values()]

    async def check(self) -> None:
        await self._check()

    async def load(self, name: str) -> None:
        await asyncio.sleep(0)
        entry = self._entry(name)
        entry.loaded, entry.retired = True, False

    async def unload(self, name: str) -> None:
        entry = self._entry(name)
        if entry.name in self._routing.lineups or entry.pinned:
            raise LineupInUse(f"{entry.name} is in use.")
        self._retire(entry)

    def pin(self, name: str, *, pinned: bool) -> None:
        self._entry(name).pinned = pinned

    async def reroute(self, routing: LineupRouting) -> None:
        for name in routing.lineups:
            if name not in self._entries:
                raise _unknown(name)
        await self.load(routing.default)
        before, self._routing = self._routing, routing
        for name in before.lineups - routing.lineups:
            if not self._entries[name].pinned:
                self._retire(self._entries[name])

    def _retire(self, entry: _Entry) -> None:
        if entry.loaded:
            entry.retired = True
            holders, entry.holders = entry.holders, {}
            for tell in holders.values():
                tell()
            entry.unload_if_free()

    def _entry(self, name: str) -> _Entry:
        if name in self._entries:
            return self._entries[name]
        found = [entry for entry in self._entries.values() if self._model(entry) == name]
        if not found:
            raise _unknown(name)
        return next((entry for entry in found if entry.name == self._routing.default), found[0])

    def _model(self, entry: _Entry) -> str:
        return self._models.get(entry.name, entry.recognizer.capabilities.model)

    def _status(self, entry: _Entry) -> LineupStatus:
        ready = LineupState.DRAINING if entry.retired else LineupState.READY
        return LineupStatus(
            name=entry.name,
            models=LineupModels(self._model(entry)),
            state=ready if entry.loaded else LineupState.INSTALLED,
            is_default=entry.name == self._routing.default,
            pinned=entry.pinned,
            leases=entry.leases,
            memory_bytes=0 if entry.loaded else None,
            capabilities=entry.recognizer.capabilities if entry.loaded else None,
        )


def _unknown(name: str) -> LineupUnknown:
    return LineupUnknown(f"The model {name!r} does not exist.")
