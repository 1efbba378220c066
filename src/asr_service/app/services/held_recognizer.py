"""The recognizer of one connection: held from before its first session until after its last."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from types import TracebackType
from typing import Self

import structlog

from asr_service.domain.ports.recognizer import Recognizer, RecognizerCapabilities
from asr_service.domain.ports.recognizer_directory import LeasedRecognizer, LineupUnknown, RecognizerDirectory
from asr_service.domain.value_objects.asr_config import SessionConfig
from asr_service.domain.value_objects.caller import Caller

log = structlog.get_logger(__name__)


class HeldRecognizer:
    """Leases a recognizer while its block runs, and until then exchanges it for others.

    So a session has one recognizer from its beginning to its end, whatever is loaded or routed anew meanwhile.

    Attributes:
        substituted: Whether a session that was taken up again had to be given another lineup than it had.

    Args:
        directory: Lends them.
        caller: On whose behalf.
        session_id: Of the first session; decides who belongs to the share of a canary.
        wanted: What is asked for before anything is said; ``None``: what the routing gives.
    """

    def __init__(
        self,
        directory: RecognizerDirectory,
        caller: Caller,
        session_id: str,
        wanted: str | None = None,
    ) -> None:
        self._directory = directory
        self._caller = caller
        self._session_id = session_id
        self._wanted = wanted
        self._retired = False
        self._on_retired: Callable[[], None] = lambda: None
        self.substituted = False
        self._lease = AsyncExitStack()
        self._leased: LeasedRecognizer | None = None

    async def __aenter__(self) -> Self:
        await self.choose(self._wanted)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._lease.aclose()

    @property
    def recognizer(self) -> Recognizer:
        return self._held.recognizer

    @property
    def capabilities(self) -> RecognizerCapabilities:
        return self._held.capabilities

    def named_in(self, config: SessionConfig) -> SessionConfig:
        """The configuration of a session that has this recognizer."""
        return replace(config, lineup=self._held.lineup)

    async def choose(self, wanted: str | None) -> RecognizerCapabilities:
        """Exchanges it for what is wanted; if that cannot be had, what is held stays.

        Raises:
            LineupUnknown, LineupLoading, NoMemoryForLineup, AsrError: See ``RecognizerDirectory.lease``.
        """
        if self._leased is not None and wanted is not None and self._directory.resolve(wanted) == self._leased.lineup:
            return self._leased.capabilities
        lease = AsyncExitStack()
        leased = await lease.enter_async_context(self._directory.lease(self._caller, wanted, self._session_id))
        await self._lease.aclose()
        self._lease, self._leased = lease, leased
        self._retired = False
        leased.on_retired(self._note_retired)
        return leased.capabilities

    async def choose_again(self, lineup: str | None) -> RecognizerCapabilities:
        """Exchanges it for that of a session that is taken up again; if there is none of that name any more, for another.

        Raises:
            LineupLoading, NoMemoryForLineup, AsrError: See ``RecognizerDirectory.lease``.
        """
        try:
            return await self.choose(lineup or self._wanted)
        except LineupUnknown:
            log.warning("lineup_gone", lineup=lineup)
            self.substituted = True
            return await self.choose(None)

    def tell_retired(self, on_retired: Callable[[], None]) -> None:
        """Has somebody told when the lineup is to be unloaded; at once, if it is so already."""
        self._on_retired = on_retired
        if self._retired:
            on_retired()

    def _note_retired(self) -> None:
        self._retired = True
        self._on_retired()

    @property
    def _held(self) -> LeasedRecognizer:
        assert self._leased is not None, "nothing is held outside of the block"
        return self._leased
