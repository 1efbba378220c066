"""Channels of a Redis, heard through one connection; importing this needs the extra ``redis``."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import structlog
from redis.exceptions import RedisError

from asr_service.infrastructure.persistence.redis_store import RedisStore

log = structlog.get_logger(__name__)

_SILENCE_S = 5.0  # after so long Redis is asked whether it is there, and after as much again it is not
_PAUSE_S = 0.5  # between two attempts to connect
_CONFIRMATION_S = 2.0


class RedisSubscriptions:
    """Hears what is published in channels, each with one listener.

    When the connection is lost, another one is made, with the same channels; what is published meanwhile is lost.
    """

    def __init__(self, store: RedisStore) -> None:
        """Takes a store of its own, of which it needs one connection."""
        self._store = store
        self._listeners: dict[str, Callable[[str], None]] = {}
        self._confirmed: dict[str, asyncio.Event] = {}
        self._connection: Any = None  # the driver's PubSub, which has no types
        self._wanted = asyncio.Event()
        self._hearing: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to hear."""
        self._hearing = asyncio.create_task(self._run(), name="redis subscriptions")

    async def close(self) -> None:
        """Hears nothing more."""
        if self._hearing is not None:
            self._hearing.cancel()
            await asyncio.wait([self._hearing])

    async def subscribe(self, channel: str, on_message: Callable[[str], None]) -> None:
        """Has ``on_message`` told of everything that is published there from now on.

        Returns when Redis has confirmed it; if it does not within some seconds, as soon as it is back it is heard again.
        """
        self._listeners[channel] = on_message
        confirmed = self._confirmed[channel] = asyncio.Event()
        self._wanted.set()
        await self._try("subscribe", channel)
        with suppress(TimeoutError):
            async with asyncio.timeout(_CONFIRMATION_S):
                await confirmed.wait()

    async def unsubscribe(self, channel: str) -> None:
        """Ends that."""
        self._listeners.pop(channel, None)
        self._confirmed.pop(channel, None)
        await self._try("unsubscribe", channel)

    async def _try(self, command: str, channel: str) -> None:
        """Tells Redis, if it can be told; else the next connection is made with what is wanted then."""
        if self._connection is not None:
            with suppress(RedisError, OSError):
                await getattr(self._connection, command)(channel)

    async def _run(self) -> None:
        heard = True
        while True:
            await self._wanted.wait()
            try:
                async with self._store.subscriptions() as connection:
                    await connection.subscribe(*self._listeners)
                    self._connection = connection
                    if not heard:
                        log.warning("redis_channels_heard_again")
                    heard = True
                    await self._hear(connection)
            except (RedisError, OSError) as error:
                if heard:
                    log.warning("redis_channels_lost", reason=type(error).__name__)
                heard = False
            finally:
                self._connection = None
            await asyncio.sleep(_PAUSE_S)

    async def _hear(self, connection: Any) -> None:
        """Hears until Redis does not answer any more."""
        asked = False
        while True:
            message = await connection.get_message(timeout=_SILENCE_S)
            if message is not None:
                asked = False
                self._take(message)
            elif asked:
                raise TimeoutError
            else:
                asked = True
                await connection.ping()

    def _take(self, message: dict[str, Any]) -> None:
        channel = message["channel"]
        if message["type"] == "subscribe" and channel in self._confirmed:
            self._confirmed[channel].set()
        elif message["type"] == "message" and channel in self._listeners:
            self._listeners[channel](message["data"])
