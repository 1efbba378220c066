"""What operators ask of the lineups: which there are, and to load, unload, pin and route them."""

from collections.abc import Sequence
from dataclasses import replace

from asr_service.domain.ports.recognizer_directory import LineupStatus, RecognizerDirectory
from asr_service.domain.services.lineup_routing import LineupRouting
from asr_service.shared.errors import AsrError


class ChangesNotAllowed(AsrError):
    """Whoever reaches the service may look at its models, and not change them."""

    code = "changes_not_allowed"


class LineupControl:
    """Shows the lineups to everybody, and changes them if that is allowed.

    Args:
        directory: Of the lineups.
        changes_allowed: Whether it is. Until callers have rights of their own it is for all or nobody.
    """

    def __init__(self, directory: RecognizerDirectory, *, changes_allowed: bool) -> None:
        self._directory = directory
        self._changes_allowed = changes_allowed

    @property
    def routing(self) -> LineupRouting:
        """Who gets which."""
        return self._directory.routing

    async def list_lineups(self) -> Sequence[LineupStatus]:
        """All of them."""
        return await self._directory.list_lineups()

    async def get_lineup(self, name: str) -> LineupStatus:
        """The one that a name stands for.

        Raises:
            LineupUnknown: There is none.
        """
        resolved = self._directory.resolve(name)
        return next(status for status in await self._directory.list_lineups() if status.name == resolved)

    async def load(self, name: str) -> LineupStatus:
        """See ``RecognizerDirectory.load``.

        Raises:
            ChangesNotAllowed: By the settings.
        """
        self._expect_allowed()
        await self._directory.load(name)
        return await self.get_lineup(name)

    async def unload(self, name: str) -> LineupStatus:
        """See ``RecognizerDirectory.unload``.

        Raises:
            ChangesNotAllowed: By the settings.
        """
        self._expect_allowed()
        await self._directory.unload(name)
        return await self.get_lineup(name)

    async def pin(self, name: str, *, pinned: bool) -> LineupStatus:
        """See ``RecognizerDirectory.pin``.

        Raises:
            ChangesNotAllowed: By the settings.
        """
        self._expect_allowed()
        self._directory.pin(name, pinned=pinned)
        return await self.get_lineup(name)

    async def reroute(self, **changes: object) -> LineupRouting:
        """Changes fields of the routing; what is not named stays. See ``RecognizerDirectory.reroute``.

        Raises:
            ChangesNotAllowed: By the settings.
            RoutingNotAllowed: They do not fit together.
        """
        self._expect_allowed()
        await self._directory.reroute(replace(self.routing, **changes))  # type: ignore[arg-type]
        return self.routing

    def _expect_allowed(self) -> None:
        if not self._changes_allowed:
            raise ChangesNotAllowed(
                "Models cannot be changed through this interface.",
                hint="Set lineups.changes_allowed where nobody else reaches the service.",
            )
