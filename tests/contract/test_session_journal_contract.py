"""What every journal promises: the fake and SQLite here, PostgreSQL and Redis among the integration tests."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from asr_service.domain.repositories.session_journal import SessionJournal, SessionNotResumable, SessionTakenOver
from asr_service.domain.value_objects.caller import Caller
from asr_service.infrastructure.persistence.database import Database
from asr_service.infrastructure.persistence.session_journal import SqlSessionJournal
from tests.fakes.clocks import FakeClock
from tests.fakes.session_journal import InMemorySessionJournal
from tests.fixtures.journaled_sessions import ADA, CONFIG, OPTIONS, checkpoint, ending, failure, final, journaled

EXPIRES_S = 600.0
TOKEN = secrets.token_urlsafe(32)


@dataclass(frozen=True)
class Keeping:
    """A journal at work.

    Attributes:
        journal: Empty so far.
        reopened: Another one on the same store, as another process would have it.
        expire: Lets the time of a session run out.
    """

    journal: SessionJournal
    reopened: SessionJournal
    expire: Callable[[str], Awaitable[None]]


def keeping_in_memory() -> Keeping:
    journal = InMemorySessionJournal()

    async def expire(session_id: str) -> None:
        journal.expire(session_id)

    return Keeping(journal, journal, expire)


async def keeping_in(url: str, clock: FakeClock) -> AsyncIterator[Keeping]:
    """The SQL adapter on a database that is empty so far; closed at the end."""
    databases = Database(url), Database(url)
    for database in databases:
        await database.migrate()
        await database.connect()

    async def expire(_session_id: str) -> None:
        clock.advance(EXPIRES_S)

    first, second = (SqlSessionJournal(database, EXPIRES_S, clock) for database in databases)
    yield Keeping(first, second, expire)
    for database in databases:
        await database.close()


class SessionJournalContract:
    """The suite; a subclass provides ``keeping``."""

    @pytest.fixture
    def journal(self, keeping: Keeping) -> SessionJournal:
        return keeping.journal

    async def test_a_session_that_has_just_begun_can_be_claimed(self, journal: SessionJournal) -> None:
        await journal.begin(journaled(), TOKEN)
        assert await journal.claim(TOKEN, ADA) == replace(journaled(), epoch=2)

    async def test_what_was_written_is_claimed_as_it_was(self, journal: SessionJournal) -> None:
        place = checkpoint(2, position=51_200, probabilities=(0.1 + 0.2, 1e-9, 1.0))
        await journal.begin(journaled(), TOKEN)
        await journal.advance("ses_1", 1, [final(0), failure(1)], place, ending())
        session = replace(journaled(), checkpoint=place, outcomes=(final(0), failure(1)), ending=ending(), epoch=2)
        assert await journal.claim(TOKEN, ADA) == session

    async def test_another_process_finds_it_and_goes_on_with_it(self, keeping: Keeping) -> None:
        await keeping.journal.begin(journaled(), TOKEN)
        await keeping.journal.advance("ses_1", 1, [final(0)], checkpoint(1))
        taken = await keeping.reopened.claim(TOKEN, ADA)
        await keeping.reopened.advance("ses_1", taken.epoch, [final(1)], None)
        session = await keeping.journal.claim(TOKEN, ADA)
        assert session.outcomes == (final(0), final(1))
        assert session.epoch == 3

    async def test_each_part_is_written_by_itself_and_keeps_the_others(self, journal: SessionJournal) -> None:
        await journal.begin(journaled(), TOKEN)
        await journal.advance("ses_1", 1, [final(0)], None)
        await journal.advance("ses_1", 1, [], checkpoint(1, position=512))
        await journal.advance("ses_1", 1, [], None, ending())
        await journal.advance("ses_1", 1, [], None)
        session = await journal.claim(TOKEN, ADA)
        assert session.outcomes == (final(0),)
        assert session.checkpoint == checkpoint(1, position=512)
        assert session.ending == ending()

    async def test_the_newest_checkpoint_counts(self, journal: SessionJournal) -> None:
        await journal.begin(journaled(), TOKEN)
        for number in range(3):
            await journal.advance("ses_1", 1, [final(number)], checkpoint(number + 1, position=512 * number))
        assert (await journal.claim(TOKEN, ADA)).checkpoint == checkpoint(3, position=1_024)

    async def test_writing_again_changes_nothing(self, journal: SessionJournal) -> None:
        await journal.begin(journaled(), TOKEN)
        for _ in range(2):
            await journal.advance("ses_1", 1, [final(0), failure(1)], checkpoint(2), ending())
        await journal.begin(journaled(), TOKEN)
        session = await journal.claim(TOKEN, ADA)
        assert session.outcomes == (final(0), failure(1))
        assert (session.checkpoint, session.ending, session.epoch) == (checkpoint(2), ending(), 2)

    async def test_beginning_again_late_takes_the_session_from_nobody(self, journal: SessionJournal) -> None:
        await journal.begin(journaled(), TOKEN)
        taken = await journal.claim(TOKEN, ADA)
        await journal.begin(journaled(), TOKEN)
        await journal.advance("ses_1", taken.epoch, [final(0)], None)
        assert (await journal.claim(TOKEN, ADA)).outcomes == (final(0),)

    async def test_of_two_outcomes_for_an_utterance_the_first_counts(self, journal: SessionJournal) -> None:
        await journal.begin(journaled(), TOKEN)
        await journal.advance("ses_1", 1, [final(0, "first")], None)
        await journal.advance("ses_1", 1, [final(0, "second"), final(1, "first"), failure(1)], None)
        assert (await journal.claim(TOKEN, ADA)).outcomes == (final(0, "first"), final(1, "first"))

    async def test_two_hundred_outcomes_come_back_in_order(self, journal: SessionJournal) -> None:
        await journal.begin(journaled(), TOKEN)
        for start in range(0, 200, 25):
            await journal.advance("ses_1", 1, [final(start + number) for number in range(25)], None)
        assert (await journal.claim(TOKEN, ADA)).outcomes == tuple(final(number) for number in range(200))

    async def test_every_session_is_found_by_another_process_and_taken_from_nobody(self, keeping: Keeping) -> None:
        for number in range(150):
            await keeping.journal.begin(journaled(f"ses_{number}"), f"token {number}")
        await keeping.journal.advance("ses_7", 1, [final(0, session_id="ses_7")], checkpoint(1), ending("ses_7"))
        found = [session async for session in keeping.reopened.sessions()]
        assert sorted(session.session_id for session in found) == sorted(f"ses_{number}" for number in range(150))
        (finished,) = [session for session in found if session.ending is not None]
        assert finished == replace(
            journaled("ses_7"),
            checkpoint=checkpoint(1),
            outcomes=(final(0, session_id="ses_7"),),
            ending=ending("ses_7"),
        )
        await keeping.journal.advance("ses_7", 1, [], None)

    async def test_what_is_expired_or_cannot_be_read_is_not_found(self, keeping: Keeping) -> None:
        await keeping.journal.begin(journaled("ses_expired"), "one token")
        await keeping.expire("ses_expired")
        await keeping.journal.begin(journaled("ses_damaged"), "another token")
        await keeping.journal.advance("ses_damaged", 1, [], checkpoint(3))
        await keeping.journal.begin(journaled("ses_1"), TOKEN)
        assert [session.session_id async for session in keeping.reopened.sessions()] == ["ses_1"]

    async def test_it_says_of_those_that_can_be_claimed_until_when(self, keeping: Keeping) -> None:
        await keeping.journal.begin(journaled("ses_expired"), "one token")
        await keeping.expire("ses_expired")
        await keeping.journal.begin(journaled("ses_1"), TOKEN)
        expiries = await keeping.reopened.expiries(["ses_1", "ses_expired", "ses_unknown"])
        assert list(expiries) == ["ses_1"]
        assert expiries["ses_1"].utcoffset() == timedelta(0)
        assert await keeping.reopened.expiries([]) == {}

    @pytest.mark.parametrize("missing", [0, 1, 2])
    async def test_a_session_with_a_gap_is_not_resumable(self, journal: SessionJournal, missing: int) -> None:
        await journal.begin(journaled(), TOKEN)
        outcomes = [final(number) for number in range(3) if number != missing]
        await journal.advance("ses_1", 1, outcomes, checkpoint(3))
        with pytest.raises(SessionNotResumable):
            await journal.claim(TOKEN, ADA)

    async def test_who_was_taken_over_writes_nothing_more(self, journal: SessionJournal) -> None:
        await journal.begin(journaled(), TOKEN)
        await journal.advance("ses_1", 1, [final(0)], checkpoint(1))
        taken = await journal.claim(TOKEN, ADA)
        with pytest.raises(SessionTakenOver):
            await journal.advance("ses_1", 1, [final(1)], checkpoint(2), ending())
        with pytest.raises(SessionTakenOver):
            await journal.advance("ses_1", 1, [], None)
        await journal.advance("ses_1", taken.epoch, [], None)
        assert await journal.claim(TOKEN, ADA) == replace(taken, epoch=3)

    async def test_an_epoch_that_is_not_yet_writes_nothing(self, journal: SessionJournal) -> None:
        await journal.begin(journaled(), TOKEN)
        with pytest.raises(SessionTakenOver):
            await journal.advance("ses_1", 2, [final(0)], None)
        assert (await journal.claim(TOKEN, ADA)).outcomes == ()

    async def test_of_claims_at_once_each_has_an_epoch_of_its_own(self, keeping: Keeping) -> None:
        await keeping.journal.begin(journaled(), TOKEN)
        journals = [keeping.journal, keeping.reopened] * 10
        claimed = await asyncio.gather(*(journal.claim(TOKEN, ADA) for journal in journals))
        assert sorted(session.epoch for session in claimed) == list(range(2, 22))

    async def test_a_write_beside_a_claim_is_refused_or_in_what_is_claimed(self, keeping: Keeping) -> None:
        for number in range(10):
            session_id, token = f"ses_{number}", secrets.token_urlsafe(32)
            await keeping.journal.begin(journaled(session_id), token)
            written, claimed = await asyncio.gather(
                keeping.journal.advance(session_id, 1, [final(0)], checkpoint(1)),
                keeping.reopened.claim(token, ADA),
                return_exceptions=True,
            )
            assert not isinstance(claimed, BaseException)
            refused = isinstance(written, SessionTakenOver)
            assert (written is None) is not refused
            assert claimed.outcomes == (() if refused else (final(0),))

    async def test_who_may_not_resume_learns_nothing(self, keeping: Keeping) -> None:
        journal = keeping.journal
        await journal.begin(journaled(), TOKEN)
        await journal.begin(journaled("ses_2"), "another token")
        tries = [
            ("", ADA),
            (TOKEN[:-1], ADA),
            (TOKEN.swapcase(), ADA),
            ("ses_1", ADA),
            ("\x00\ud800 %", ADA),
            (TOKEN, Caller("other")),
            (TOKEN, Caller(ADA.tenant.upper())),
            (TOKEN, replace(ADA, key_id="key_2")),
            (TOKEN, replace(ADA, key_id=None)),
        ]
        answers = [await refusal(journal, token, caller) for token, caller in tries]
        await journal.advance("ses_1", 1, [], None)  # nobody has taken it
        await keeping.expire("ses_1")
        answers.append(await refusal(journal, TOKEN, ADA))
        assert len(set(answers)) == 1

    async def test_a_session_without_a_key_is_resumed_without_one(self, journal: SessionJournal) -> None:
        keyless = replace(ADA, key_id=None)
        await journal.begin(replace(journaled(), caller=keyless), TOKEN)
        assert await refusal(journal, TOKEN, ADA)
        assert (await journal.claim(TOKEN, keyless)).caller == keyless

    async def test_nothing_is_written_to_an_expired_session(self, keeping: Keeping) -> None:
        await keeping.journal.begin(journaled(), TOKEN)
        await keeping.expire("ses_1")
        with pytest.raises(SessionTakenOver):
            await keeping.journal.advance("ses_1", 1, [final(0)], checkpoint(1))
        with pytest.raises(SessionNotResumable):
            await keeping.journal.claim(TOKEN, ADA)

    async def test_nothing_is_written_to_an_unknown_session(self, journal: SessionJournal) -> None:
        with pytest.raises(SessionTakenOver):
            await journal.advance("ses_1", 1, [final(0)], checkpoint(1))

    async def test_sessions_do_not_mix(self, journal: SessionJournal) -> None:
        for session_id in ("ses_1", "ses_10", "ses_2"):
            await journal.begin(journaled(session_id), f"token of {session_id}")
            await journal.advance(session_id, 1, [final(0, session_id, session_id=session_id)], checkpoint(1))
        for session_id in ("ses_10", "ses_2", "ses_1"):
            session = await journal.claim(f"token of {session_id}", ADA)
            assert session.session_id == session_id
            assert session.outcomes == (final(0, session_id, session_id=session_id),)

    @pytest.mark.parametrize("strange", ["\x00", "\ud800", "\U0010ffff", "' OR 1=1 --", "{%_\\}", "x" * 100_000])
    async def test_a_strange_text_costs_nothing_else(self, journal: SessionJournal, strange: str) -> None:
        text = f"label {strange}"
        config = replace(CONFIG, name=text, options=replace(OPTIONS, prompt=text))
        await journal.begin(journaled(config=config), TOKEN)
        await journal.advance("ses_1", 1, [final(0, text)], None)
        session = await journal.claim(TOKEN, ADA)
        [outcome] = session.outcomes
        assert session.config.name is not None
        assert session.config.name.startswith("label ")
        assert session.config.options.prompt == session.config.name
        assert outcome == final(0, session.config.name)


async def refusal(journal: SessionJournal, token: str, caller: Caller) -> tuple[object, ...]:
    """All that is told to one who may not resume."""
    with pytest.raises(SessionNotResumable) as refused:
        await journal.claim(token, caller)
    error = refused.value
    return type(error), str(error), error.hint, error.field, error.retry_after_s


class SqlSessionJournalContract(SessionJournalContract):
    """What only clocks that can be turned show; a subclass provides ``keeping``, with ``clock``."""

    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    async def test_every_write_gives_a_session_its_full_time_again(
        self, journal: SessionJournal, clock: FakeClock
    ) -> None:
        await journal.begin(journaled(), TOKEN)
        clock.advance(EXPIRES_S - 1)
        await journal.begin(journaled(), TOKEN)
        clock.advance(EXPIRES_S - 1)
        await journal.advance("ses_1", 1, [], None)
        clock.advance(EXPIRES_S - 1)
        await journal.claim(TOKEN, ADA)
        clock.advance(EXPIRES_S - 1)
        await journal.advance("ses_1", 2, [final(0)], None)

    async def test_a_beginning_that_is_repeated_late_revives_what_it_wrote(
        self, journal: SessionJournal, clock: FakeClock
    ) -> None:
        await journal.begin(journaled(), TOKEN)
        clock.advance(EXPIRES_S)
        await journal.begin(journaled(), TOKEN)
        await journal.advance("ses_1", 1, [final(0)], None)
        assert (await journal.claim(TOKEN, ADA)).outcomes == (final(0),)


class TestInMemorySessionJournal(SessionJournalContract):
    @pytest.fixture
    def keeping(self) -> Keeping:
        return keeping_in_memory()


class TestSqliteSessionJournal(SqlSessionJournalContract):
    @pytest.fixture
    async def keeping(self, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Keeping]:
        async for keeping in keeping_in(f"sqlite:///{tmp_path}/asr.db", clock):
            yield keeping
