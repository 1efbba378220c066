"""The journal of live sessions in Redis; importing this needs the extra ``redis``.

A session is one hash: what it consists of under names, its outcomes under the numbers of their utterances. So it expires,
or is evicted, as a whole. Beside it a key named for the digest of the token says which session that is. All keys of a call
are in one slot of a cluster, the one of the session, or of the token.
"""

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from asr_service.domain.events.session_events import SessionEnded
from asr_service.domain.repositories.session_journal import JournaledSession, SessionNotResumable, UtteranceOutcome
from asr_service.domain.value_objects.caller import Caller
from asr_service.domain.value_objects.session_checkpoint import SessionCheckpoint
from asr_service.infrastructure.persistence.columns import storable
from asr_service.infrastructure.persistence.journal_entries import (
    EntryUnreadable,
    JournalEntry,
    checkpoint_json,
    ending_json,
    journaled_session,
    not_resumable,
    origin_json,
    outcome_json,
    taken_over,
    token_digest,
)
from asr_service.infrastructure.persistence.redis_store import RedisStore
from asr_service.shared.clock import Clock, SystemClock

log = structlog.get_logger(__name__)

_SCANNED_AT_ONCE: Final = 500

_BEGIN: Final = """
local expires_ms, digest, tenant, epoch, origin, checkpoint = unpack(ARGV)
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1],
    'digest', digest, 'tenant', tenant, 'epoch', epoch, 'origin', origin, 'checkpoint', checkpoint)
end
redis.call('PEXPIRE', KEYS[1], expires_ms)
"""

_ADVANCE: Final = """
local expires_ms, epoch, checkpoint, ending = unpack(ARGV, 1, 4)
if redis.call('HGET', KEYS[1], 'epoch') ~= epoch then
  return false
end
if checkpoint ~= '' then
  redis.call('HSET', KEYS[1], 'checkpoint', checkpoint)
end
if ending ~= '' then
  redis.call('HSET', KEYS[1], 'ending', ending)
end
for place = 5, #ARGV, 2 do
  redis.call('HSETNX', KEYS[1], ARGV[place], ARGV[place + 1])
end
redis.call('PEXPIRE', KEYS[1], expires_ms)
return redis.call('HGET', KEYS[1], 'digest')
"""

_CLAIM: Final = """
local expires_ms, digest = unpack(ARGV)
if redis.call('HGET', KEYS[1], 'digest') ~= digest then
  return false
end
redis.call('HINCRBY', KEYS[1], 'epoch', 1)
redis.call('PEXPIRE', KEYS[1], expires_ms)
return redis.call('HGETALL', KEYS[1])
"""


class RedisSessionJournal:
    """Implements ``SessionJournal``; raises ``StorageUnavailable`` when Redis does.

    What is written is as durable as Redis is: with ``appendonly yes`` a crash of Redis loses nothing, one of its machine
    the last second, and with ``appendfsync always`` not even that.
    """

    def __init__(self, store: RedisStore, expires_s: float, *, prefix: str = "asr", clock: Clock | None = None) -> None:
        """Takes an open store.

        Args:
            store: May be shared with others, of other prefixes.
            expires_s: Seconds that a session is kept after the last write.
            prefix: Of all keys; without braces, which say what of a key decides on its slot.
            clock: For ``expiries``, which are told by the wall clock; by default the machine's.
        """
        self._store = store
        self._clock = clock or SystemClock()
        self._expires_ms = round(expires_s * 1_000)
        self._prefix = f"{prefix}:journal"
        self._begin, self._advance, self._claim = (store.script(text) for text in (_BEGIN, _ADVANCE, _CLAIM))

    async def begin(self, session: JournaledSession, token: str) -> None:
        digest = token_digest(token, session.caller)
        await self._store.run(
            self._begin,
            self._session_key(session.session_id),
            self._expires_ms,
            digest,
            storable(session.caller.tenant),
            session.epoch,
            origin_json(session),
            checkpoint_json(session.checkpoint),
        )
        await self._store.command("SET", self._token_key(digest), session.session_id, "PX", self._token_expires_ms)

    async def advance(
        self,
        session_id: str,
        epoch: int,
        outcomes: Sequence[UtteranceOutcome],
        checkpoint: SessionCheckpoint | None,
        ending: SessionEnded | None = None,
    ) -> None:
        digest = await self._store.run(
            self._advance,
            self._session_key(session_id),
            self._expires_ms,
            epoch,
            "" if checkpoint is None else checkpoint_json(checkpoint),
            "" if ending is None else ending_json(ending),
            *(part for outcome in outcomes for part in (outcome.utterance, outcome_json(outcome))),
        )
        if digest is None:
            raise taken_over()
        await self._prolong(digest)

    async def claim(self, token: str, caller: Caller) -> JournaledSession:
        digest = token_digest(token, caller)
        session_id = await self._store.command("GET", self._token_key(digest))
        if session_id is None:
            raise not_resumable()
        fields = await self._store.command("HGETALL", self._session_key(session_id))
        if fields.get("tenant") != storable(caller.tenant):
            raise not_resumable()
        self._read(fields)  # before it is taken: who cannot read a session takes it from nobody
        taken = await self._store.run(self._claim, self._session_key(session_id), self._expires_ms, digest)
        if taken is None:
            raise not_resumable()
        await self._prolong(digest)
        return self._read(dict(zip(taken[::2], taken[1::2], strict=True)))

    async def sessions(self) -> AsyncGenerator[JournaledSession, None]:
        cursor, seen = 0, set[str]()  # Redis may give out a key twice
        while True:
            command = ("SCAN", cursor, "MATCH", f"{self._prefix}:{{*", "COUNT", _SCANNED_AT_ONCE)
            answer: tuple[int, list[str]] = await self._store.command(*command)
            cursor, keys = answer
            for key in keys:
                if key not in seen and (session := await self._find(key)) is not None:
                    yield session
            seen.update(keys)
            if not cursor:
                return

    async def _find(self, key: str) -> JournaledSession | None:
        fields = await self._store.command("HGETALL", key)
        if not fields:  # it has expired meanwhile
            return None
        try:
            return self._read(fields)
        except SessionNotResumable:
            return None

    async def expiries(self, session_ids: Collection[str]) -> Mapping[str, datetime]:
        left_ms = {
            session_id: int(await self._store.command("PTTL", self._session_key(session_id)))
            for session_id in session_ids
        }
        now = self._clock.now()
        return {session_id: now + timedelta(milliseconds=ms) for session_id, ms in left_ms.items() if ms > 0}

    async def _prolong(self, digest: str) -> None:
        await self._store.command("PEXPIRE", self._token_key(digest), self._token_expires_ms)

    @property
    def _token_expires_ms(self) -> int:
        """Twice as long as the session: so it is there however long the session has yet, even if this renewal is the last."""
        return 2 * self._expires_ms

    def _read(self, fields: Mapping[str, str]) -> JournaledSession:
        try:
            return journaled_session(_entry(fields))
        except EntryUnreadable as error:
            log.warning("journal_entry_unreadable", reason=str(error))
            raise not_resumable() from error

    def _session_key(self, session_id: str) -> str:
        return f"{self._prefix}:{{{session_id}}}"

    def _token_key(self, digest: str) -> str:
        return f"{self._prefix}:token:{{{digest}}}"


def _entry(fields: Mapping[str, str]) -> JournalEntry:
    utterances = sorted(int(name) for name in fields if name.isdecimal())
    try:
        return JournalEntry(
            fields["origin"],
            fields["checkpoint"],
            [fields[str(utterance)] for utterance in utterances],
            fields.get("ending"),
            int(fields["epoch"]),
        )
    except (KeyError, ValueError) as error:
        raise EntryUnreadable(f"a field is missing or no number: {type(error).__name__}") from None
