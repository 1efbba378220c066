"""A Redis server, opened and closed by the composition root; importing this needs the extra ``redis``."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import structlog

from asr_service.domain.ports.storage import StorageUnavailable

try:
    from redis.asyncio import ConnectionPool, Redis
    from redis.asyncio.client import PubSub
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.commands.core import AsyncScript
    from redis.exceptions import (
        ClusterError,
        ConnectionError,  # noqa: A004 - not the built-in one
        NoPermissionError,
        OutOfMemoryError,
        ReadOnlyError,
        RedisError,
        ResponseError,
        TimeoutError,  # noqa: A004 - nor this
        TryAgainError,
    )
except ModuleNotFoundError as error:
    raise StorageUnavailable(
        f"The driver of Redis, {error.name}, is not installed.", hint='Install "asr-service[redis]".'
    ) from error

log = structlog.get_logger(__name__)

RETRY_AFTER_S: Final = 1.0  # a Redis with little data is back sooner
_STATES: Final = (
    ConnectionError,
    TimeoutError,
    ReadOnlyError,
    OutOfMemoryError,
    NoPermissionError,
    TryAgainError,
    ClusterError,
    OSError,
)
# Answers that have no class of their own: the disk refuses, too few replicas, a script of somebody else's does not end.
_STATE_CODES: Final = ("MISCONF", "NOREPLICAS", "BUSY")


class RedisStore:
    """A Redis by its URL.

    At most ``pool_size`` commands run at once; further ones wait for their turn. Nothing waits longer than ``timeout_s`` for
    its turn, a connection or an answer, each; then it is ``StorageUnavailable``. A command is repeated once, without a pause,
    when its connection turns out to be broken, as all are after a restart of the server.
    """

    def __init__(self, url: str, *, pool_size: int = 10, timeout_s: float = 5.0) -> None:
        """Reads the URL; touches nothing.

        Args:
            url: ``redis://user:password@host:port/number``, or ``rediss://`` with TLS.
            pool_size: Most connections at once.
            timeout_s: Longest wait.

        Raises:
            ValueError: It is no such URL; the message does not repeat it.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("redis", "rediss") or not parts.hostname:
            raise ValueError("a URL of Redis is redis://user:password@host:port/number, or rediss:// with TLS")
        self.location = f"{parts.scheme}://{parts.hostname}:{parts.port or 6379}{parts.path}"
        self._timeout_s = timeout_s
        # The driver's own blocking pool serves whoever comes by first: of 64 that write without a pause, one write in a
        # hundred took 180 ms; in turn it takes 20 to 55.
        self._turns = asyncio.Semaphore(pool_size)
        self._client = Redis.from_pool(
            ConnectionPool.from_url(
                url,
                max_connections=pool_size,
                socket_timeout=timeout_s,
                socket_connect_timeout=timeout_s,
                retry=Retry(NoBackoff(), 1, supported_errors=(ConnectionError,)),
                client_name="asr-service",
                decode_responses=True,
                encoding_errors="replace",  # what is damaged is found out by whoever reads it
            )
        )

    def __repr__(self) -> str:
        return f"RedisStore({self.location})"

    async def connect(self) -> None:
        """Tries the connection, so that a server does not start in vain; warns if what is written is not durable.

        Raises:
            StorageUnavailable: There is no Redis, or it does not let us in.
        """
        try:
            await self.ping()
        except StorageUnavailable as error:
            raise StorageUnavailable(
                f"Redis at {self.location} cannot be used: {error.__cause__}",
                hint="Check that it is running, and that user and password are right.",
            ) from error
        await self._warn_if_forgetful()

    async def ping(self) -> None:
        """Returns if Redis answers.

        Raises:
            StorageUnavailable: It does not.
        """
        await self.command("PING")

    async def close(self) -> None:
        """Closes all connections; idempotent."""
        await self._client.aclose()

    async def command(self, *parts: str | int) -> Any:
        """What Redis answers to a command.

        Raises:
            StorageUnavailable: It does not, or refuses to write.
        """
        async with self._turn():
            return await self._client.execute_command(*parts)  # type: ignore[no-untyped-call]

    def script(self, text: str) -> AsyncScript:
        """A script for ``run``; it is atomic: Redis does nothing else meanwhile."""
        return self._client.register_script(text)

    async def run(self, script: AsyncScript, key: str, *arguments: str | int) -> Any:
        """What a script answers; raises as ``command`` does.

        Args:
            script: Of this store.
            key: The one that it reads and writes.
            arguments: Its other arguments.
        """
        async with self._turn():
            return await script(keys=[key], args=arguments)

    def subscriptions(self) -> PubSub:
        """The driver's connection for channels, which takes one of the pool for as long as it is open."""
        return self._client.pubsub()

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """One of the connections is free inside, in the order of the calls; raises as ``command`` does."""
        with _failures():
            async with asyncio.timeout(self._timeout_s):
                await self._turns.acquire()
            try:
                yield
            finally:
                self._turns.release()

    async def _warn_if_forgetful(self) -> None:
        try:
            persistence = await self._client.info("persistence")
        except RedisError:  # some providers do not tell
            return
        if not persistence.get("aof_enabled"):
            log.warning(
                "redis_forgets", location=self.location, hint="Set appendonly yes, or a restart loses sessions."
            )


@contextmanager
def _failures() -> Iterator[None]:
    """Raises ``StorageUnavailable`` in place of the driver's errors that mean it; defects of ours pass unchanged."""
    try:
        yield
    except (RedisError, OSError) as error:
        is_state = isinstance(error, _STATES) or (
            isinstance(error, ResponseError) and str(error).partition(" ")[0] in _STATE_CODES
        )
        if not is_state:
            raise
        raise StorageUnavailable(
            "Stored data cannot be reached for the moment.", retry_after_s=RETRY_AFTER_S
        ) from error
