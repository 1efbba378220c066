"""Which recognizer a session gets: several are known by name, some of them loaded, and each session holds one of them."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from asr_service.domain.ports.recognizer import Recognizer, RecognizerCapabilities
from asr_service.domain.services.lineup_routing import LineupRouting
from asr_service.domain.value_objects.caller import Caller
from asr_service.shared.errors import AsrError, NotFound


class LineupUnknown(NotFound):
    """No lineup has this name, nor a model of this name for its finals."""

    code = "model_not_found"


class LineupLoading(AsrError):
    """The lineup is being loaded, and it takes longer than a session waits."""

    code = "model_loading"


class NoMemoryForLineup(AsrError):
    """The memory budget has no room for it beside those that are held by sessions, or pinned."""

    code = "model_memory_exhausted"


class LineupInUse(AsrError):
    """It cannot be unloaded: sessions are routed to it, or it is pinned."""

    code = "model_in_use"


class LineupState(StrEnum):
    """How near a lineup is to recognizing."""

    MISSING = "missing"  # files of a model are not on this machine
    CORRUPT = "corrupt"  # they are, and are not what they should be
    INSTALLED = "installed"  # can be loaded
    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"  # is unloaded when the last session that holds it ends


@dataclass(frozen=True, slots=True)
class LineupModels:
    """The models of a lineup by what they are for; ``None``: there is none for that."""

    finals: str
    partials: str | None = None
    fallback: str | None = None


@dataclass(frozen=True, slots=True)
class LineupStatus:
    """One lineup at one moment.

    Attributes:
        name: Its own.
        models: What it is made of.
        state: How near it is to recognizing.
        is_default: Whether sessions get it that nothing else is said of.
        pinned: Whether it is never unloaded to make room.
        leases: Sessions and recordings that hold it.
        memory_bytes: Resident memory of its workers; ``None`` while it is not loaded. What workers share is counted for each.
        capabilities: What it can do; ``None`` while it is not loaded.
        failure: Code of the error that the last attempt to load it ended with; ``None``: there was none.
    """

    name: str
    models: LineupModels
    state: LineupState
    is_default: bool
    pinned: bool
    leases: int
    memory_bytes: int | None = None
    capabilities: RecognizerCapabilities | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class LeasedRecognizer:
    """A recognizer that stays loaded while it is held.

    Attributes:
        lineup: Name of the lineup that it is of.
        recognizer: The same one all the time, whatever new sessions get meanwhile.
        on_retired: Has somebody told, once, when the lineup is to be unloaded: a holder without anything in progress does
            well to let go. Called at once if that has been decided already.
    """

    lineup: str
    recognizer: Recognizer
    on_retired: Callable[[Callable[[], None]], None] = lambda _told: None

    @property
    def capabilities(self) -> RecognizerCapabilities:
        return self.recognizer.capabilities


class RecognizerDirectory(Protocol):
    """Knows the lineups, loads and unloads them, and lends their recognizers."""

    @property
    def routing(self) -> LineupRouting:
        """Who gets which."""
        ...

    def resolve(self, name: str) -> str:
        """The lineup that a name stands for: its own, or that of its model for finals; of several the default, or the first.

        Raises:
            LineupUnknown: There is none.
        """
        ...

    def lease(
        self, caller: Caller, wanted: str | None, session_id: str
    ) -> AbstractAsyncContextManager[LeasedRecognizer]:
        """Lends a recognizer while the block runs; a lineup that is not loaded is loaded first.

        Args:
            caller: Whose tenant may have a lineup of its own.
            wanted: A name, as for ``resolve``; ``None``: what the routing says.
            session_id: Decides who belongs to the share of a canary.

        Raises:
            LineupUnknown: Nothing has that name.
            LineupLoading: Loading takes longer than is waited for.
            NoMemoryForLineup: There is no room for it.
            AsrError: It could not be loaded, for the reason of whoever tried.
        """
        ...

    async def list_lineups(self) -> Sequence[LineupStatus]:
        """All of them, in the order of the settings."""
        ...

    async def check(self) -> None:
        """Returns while the default lineup can recognize.

        Raises:
            RecognizerUnavailable: It cannot.
        """
        ...

    async def load(self, name: str) -> None:
        """Loads a lineup, or takes back that it is to be unloaded; returns when it can recognize.

        Raises:
            LineupUnknown, NoMemoryForLineup, AsrError: As for ``lease``.
        """
        ...

    async def unload(self, name: str) -> None:
        """Unloads a lineup when the last session that holds it ends; returns at once if there is one.

        Raises:
            LineupUnknown: Nothing has that name.
            LineupInUse: The routing names it, or it is pinned.
        """
        ...

    def pin(self, name: str, *, pinned: bool) -> None:
        """Whether it may be unloaded to make room.

        Raises:
            LineupUnknown: Nothing has that name.
        """
        ...

    async def reroute(self, routing: LineupRouting) -> None:
        """Routes new sessions by other rules. The new default is loaded first: if that fails, nothing has changed.

        A default that nothing refers to any more, by routing or by a pin, is unloaded when its last session ends.

        Raises:
            LineupUnknown, NoMemoryForLineup, AsrError: As for ``lease``.
        """
        ...
