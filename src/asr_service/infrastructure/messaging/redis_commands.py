"""What messaging needs of a Redis; the composition root hands it over, since adapters do not know each other."""

from typing import Any, Protocol


class RedisCommands(Protocol):
    """A Redis that is open; every call raises ``StorageUnavailable`` when it does not answer."""

    async def command(self, *parts: str | int) -> Any:
        """What it answers to a command."""
        ...
