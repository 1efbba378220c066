"""A Redis that does nothing but channels, in memory."""

from collections.abc import Callable
from typing import Any

from asr_service.domain.ports.storage import StorageUnavailable


class LoopedRedis:
    """Implements ``RedisCommands`` for ``PUBLISH``, and ``RedisChannels``.

    Attributes:
        listeners: By channel; a channel may have one of each server.
        failure: What every command ends with.
    """

    def __init__(self) -> None:
        self.listeners: dict[str, list[Callable[[str], None]]] = {}
        self.failure: StorageUnavailable | None = None

    async def command(self, *parts: str | int) -> Any:
        if self.failure is not None:
            raise self.failure
        name, channel, text = parts
        assert name == "PUBLISH"
        listeners = self.listeners.get(str(channel), [])
        for listener in listeners:
            listener(str(text))
        return len(listeners)

    async def subscribe(self, channel: str, on_message: Callable[[str], None]) -> None:
        self.listeners.setdefault(channel, []).append(on_message)

    async def unsubscribe(self, channel: str) -> None:
        self.listeners.pop(channel, None)
