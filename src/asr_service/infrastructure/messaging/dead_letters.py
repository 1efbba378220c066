"""What subscribers have given up, for people: who gave up what and why, and a second chance."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

from asr_service.infrastructure.messaging.integration_events import EventEnvelope, EventUnreadable, envelope_of
from asr_service.infrastructure.messaging.redis_streams import DeadLetter, RedisStreams
from asr_service.shared.errors import NotFound

_PAGE = 100


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A dead letter without what was said.

    Attributes:
        letter_id: To name it by.
        given_up_at: By the clock of Redis.
        event_type, session_id: ``None``: what is in the letter is no event, and cannot be replayed.
    """

    letter_id: str
    given_up_at: datetime
    subscriber: str
    error: str
    attempts: int
    event_type: str | None
    session_id: str | None


class DeadLetters:
    """The dead letters of all subscribers; raises ``StorageUnavailable`` when Redis does."""

    def __init__(self, streams: RedisStreams) -> None:
        self._streams = streams

    async def list(self) -> AsyncIterator[GivenUp]:
        """All of them, the oldest first."""
        last: str | None = None
        while letters := await self._streams.dead_letters(last, _PAGE):
            for letter in letters:
                yield _given_up(letter)
            last = letters[-1].letter_id

    async def replay(self, letter_id: str) -> None:
        """Has the subscriber try again; should it give up once more, there is a new letter.

        Raises:
            NotFound: There is no such letter.
            EventUnreadable: There is no event in it.
        """
        letter = await self._streams.dead_letter(letter_id)
        if letter is None:
            raise NotFound("There is no such dead letter.", hint="asr-service events dead-letters list shows them.")
        await self._streams.replay(letter, envelope_of(letter.text).session_id)


def _given_up(letter: DeadLetter) -> GivenUp:
    envelope = _envelope(letter)
    return GivenUp(
        letter.letter_id,
        datetime.fromtimestamp(int(letter.letter_id.partition("-")[0]) / 1_000, UTC),
        letter.group,
        letter.error,
        letter.attempts,
        envelope.type if envelope else None,
        envelope.session_id if envelope else None,
    )


def _envelope(letter: DeadLetter) -> EventEnvelope | None:
    try:
        return envelope_of(letter.text)
    except EventUnreadable:
        return None
