"""Streams of events in Redis: what is appended stays until it is trimmed, and each group of readers sees all of it.

The sessions are shared out among a fixed number of partitions, a stream each. One node at a time reads a partition for a
group; it holds a lease. So the events of a session are handled in their order, and whoever takes a partition over begins
with what the last reader left unacknowledged. All keys of a partition are in one slot of a cluster.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.exceptions import ResponseError

from asr_service.infrastructure.messaging.redis_commands import RedisCommands

PARTITIONS: Final = 4
"""As many connections wait for events in each server; with another number the events of a session would change places."""

MAX_DEAD_LETTERS: Final = 10_000
LEASE_MS: Final = 15_000  # longer than a handler waits between two attempts, and than its store may take for one
GONE_AFTER_MS: Final = 3_600_000  # by far longer than a reader that lost its lease can be in the midst of a read
_CLAIMED_AT_ONCE: Final = 50

_RENEW: Final = (
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0"
)
_RELEASE: Final = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


@dataclass(frozen=True, slots=True)
class StreamEntry:
    """An event in a stream.

    Attributes:
        entry_id: Redis's, which grows within the stream.
        text: The event's JSON.
        group: The only group that it is for; ``None``: all of them.
    """

    entry_id: str
    text: str
    group: str | None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that a group has given up.

    Attributes:
        error: What was wrong, as a slug.
        attempts: How often it was tried.
    """

    letter_id: str
    text: str
    group: str
    error: str
    attempts: int


class RedisStreams:
    """The streams, the leases on them, and the dead letters; raises ``StorageUnavailable`` when Redis does."""

    def __init__(self, store: RedisCommands, *, max_events: int, prefix: str = "asr") -> None:
        """Takes an open store.

        Args:
            store: With a connection for each partition that is read, and some more.
            max_events: About so many are kept, in all partitions together; the oldest go, read or not.
            prefix: Of all keys, without braces.
        """
        self._store = store
        self._max_length = max(1, max_events // PARTITIONS)
        self._prefix = f"{prefix}:events"

    async def append(self, session_id: str, text: str, group: str | None = None) -> None:
        """Adds an event at the end of its partition."""
        key = self._key(partition_of(session_id))
        only = () if group is None else ("group", group)
        await self._store.command("XADD", key, "MAXLEN", "~", self._max_length, "*", "event", text, *only)

    async def take(self, group: str, partition: int, node_id: str) -> bool:
        """Takes the lease on a partition, if it is free; returns whether it was."""
        return bool(await self._store.command("SET", self._lease_key(group, partition), node_id, "NX", "PX", LEASE_MS))

    async def renew(self, group: str, partition: int, node_id: str) -> bool:
        """Holds the lease for another full time, if this node has it still; returns whether it has."""
        return bool(await self._store.command("EVAL", _RENEW, 1, self._lease_key(group, partition), node_id, LEASE_MS))

    async def release(self, group: str, partition: int, node_id: str) -> None:
        """Gives the lease back, if this node has it."""
        await self._store.command("EVAL", _RELEASE, 1, self._lease_key(group, partition), node_id)

    async def join(self, group: str, partition: int) -> None:
        """Makes the group, which begins with the oldest event there is; harmless if it is there."""
        try:
            await self._store.command("XGROUP", "CREATE", self._key(partition), group, "0", "MKSTREAM")
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def claim(self, group: str, partition: int, node_id: str, after: str) -> tuple[str, list[StreamEntry]]:
        """The oldest unacknowledged events of a partition from an id on, which are this node's now.

        Returns:
            Where to go on, ``0-0`` at the end; and the events.
        """
        answer = await self._of_group(
            group, partition, "XAUTOCLAIM", self._key(partition), group, node_id, 0, after, "COUNT", _CLAIMED_AT_ONCE
        )
        if not answer:
            return "0-0", []
        cursor, entries, *_deleted = answer
        return str(cursor), _entries(entries)

    async def read(
        self, group: str, partition: int, node_id: str, *, count: int, wait_ms: int | None
    ) -> list[StreamEntry]:
        """The next events that nobody of the group has had; waits for one, unless ``wait_ms`` is ``None``."""
        wait = () if wait_ms is None else ("BLOCK", wait_ms)
        command = ("XREADGROUP", "GROUP", group, node_id, "COUNT", count, *wait, "STREAMS", self._key(partition), ">")
        answer = await self._of_group(group, partition, *command)
        if not answer:
            return []
        ((_key, entries),) = answer.items() if isinstance(answer, dict) else answer
        return _entries(entries)

    async def _of_group(self, group: str, partition: int, *command: str | int) -> Any:
        """What Redis answers; nothing if the group was not there: a Redis that keeps nothing on the disk was restarted."""
        try:
            return await self._store.command(*command)
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            await self.join(group, partition)
            return None

    async def acknowledge(self, group: str, partition: int, entry_id: str) -> None:
        """The event is handled, and will not come again."""
        await self._store.command("XACK", self._key(partition), group, entry_id)

    async def forget_gone_readers(self, group: str, partition: int) -> None:
        """Takes readers of a group off its books that have had nothing to do with it for an hour, and hold no event."""
        key = self._key(partition)
        for reader in await self._of_group(group, partition, "XINFO", "CONSUMERS", key, group) or ():
            if not reader["pending"] and reader["idle"] > GONE_AFTER_MS:
                await self._store.command("XGROUP", "DELCONSUMER", key, group, reader["name"])

    async def bury(self, text: str, group: str, error: str, attempts: int) -> None:
        """Makes a dead letter of an event; about ``MAX_DEAD_LETTERS`` are kept."""
        letter = ("event", text, "group", group, "error", error, "attempts", attempts)
        await self._store.command("XADD", self._dead_key, "MAXLEN", "~", MAX_DEAD_LETTERS, "*", *letter)

    async def dead_letters(self, after: str | None, count: int) -> list[DeadLetter]:
        """The oldest dead letters after the one of this id."""
        start = "-" if after is None else f"({after}"
        return [
            _letter(*entry) for entry in await self._store.command("XRANGE", self._dead_key, start, "+", "COUNT", count)
        ]

    async def dead_letter(self, letter_id: str) -> DeadLetter | None:
        """The dead letter of an id, if there is one."""
        try:
            found = await self._store.command("XRANGE", self._dead_key, letter_id, letter_id)
        except ResponseError:  # it is no id
            return None
        return _letter(*found[0]) if found else None

    async def replay(self, letter: DeadLetter, session_id: str) -> None:
        """Puts a dead letter back into its session's partition, for the group that gave it up, and forgets it."""
        await self.append(session_id, letter.text, letter.group)
        await self._store.command("XDEL", self._dead_key, letter.letter_id)

    @property
    def _dead_key(self) -> str:
        return f"{self._prefix}:dead"

    def _key(self, partition: int) -> str:
        return f"{self._prefix}:{{{partition}}}"

    def _lease_key(self, group: str, partition: int) -> str:
        return f"{self._key(partition)}:{group}:reader"


def partition_of(session_id: str) -> int:
    """Where the events of a session are; the same in every release."""
    return zlib.crc32(session_id.encode()) % PARTITIONS


def _entries(answer: Sequence[Any]) -> list[StreamEntry]:
    """Entries as the driver gives them; what was trimmed meanwhile is left out."""
    return [
        StreamEntry(str(entry_id), fields.get("event", ""), fields.get("group"))
        for entry_id, fields in answer
        if fields is not None
    ]


def _letter(letter_id: str, fields: dict[str, str]) -> DeadLetter:
    return DeadLetter(letter_id, fields["event"], fields["group"], fields["error"], int(fields["attempts"]))
