"""The way to the other servers: where there is none, and through Redis.

All servers listen to one channel. What is published while one does not listen is lost to it; Redis says how many heard it.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import structlog

from asr_service.infrastructure.messaging.redis_commands import RedisCommands

log = structlog.get_logger(__name__)

_VERSION: Final = 1


class RedisChannels(Protocol):
    """Channels of a Redis."""

    async def subscribe(self, channel: str, on_message: Callable[[str], None]) -> None:
        """Has ``on_message`` told of everything that is published there from now on, for as long as Redis can be heard."""
        ...

    async def unsubscribe(self, channel: str) -> None:
        """Ends that."""
        ...


class NoNodeLink:
    """Implements ``NodeLink`` for a server that can reach no other."""

    async def cancel(self, session_id: str) -> bool:
        return False


class RedisNodeLink:
    """Implements ``NodeLink``; raises ``StorageUnavailable`` when Redis does."""

    def __init__(self, store: RedisCommands, channels: RedisChannels, *, prefix: str = "asr") -> None:
        """Takes an open Redis.

        Args:
            store: Where messages are published.
            channels: Where they are heard.
            prefix: Of the channel.
        """
        self._store = store
        self._channels = channels
        self._channel = f"{prefix}:nodes:cancel"

    async def cancel(self, session_id: str) -> bool:
        message = json.dumps({"version": _VERSION, "cancel": session_id})
        heard: int = await self._store.command("PUBLISH", self._channel, message)
        return heard > 1  # this one among them

    async def listen(self, on_cancel: Callable[[str], object]) -> Callable[[], Awaitable[None]]:
        """Obeys what others want of this node; what is returned ends that."""

        def on_message(text: str) -> None:
            session_id = _session_to_cancel(text)
            if session_id is None:
                log.warning("node_message_unreadable")
            else:
                on_cancel(session_id)

        await self._channels.subscribe(self._channel, on_message)
        return lambda: self._channels.unsubscribe(self._channel)


def _session_to_cancel(text: str) -> str | None:
    """``None``: it is no message of this version."""
    try:
        message = json.loads(text)
    except ValueError:
        return None
    if not isinstance(message, dict) or message.get("version") != _VERSION:
        return None
    session_id = message.get("cancel")
    return session_id if isinstance(session_id, str) else None
