"""Entries of the journal: what cannot be read is said so, and what is in it is not."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from asr_service.domain.repositories.session_journal import JournaledSession
from asr_service.infrastructure.persistence.journal_entries import (
    VERSION,
    EntryUnreadable,
    JournalEntry,
    checkpoint_json,
    ending_json,
    journaled_session,
    origin_json,
    outcome_json,
)
from tests.fixtures.journaled_sessions import checkpoint, ending, failure, final, journaled

LONGEST_UTTERANCE_WINDOWS = 28_000 // 32
LONGEST_VOICE_STATE_BYTES = 4_096


def entry(session: JournaledSession) -> JournalEntry:
    return JournalEntry(
        origin_json(session),
        checkpoint_json(session.checkpoint),
        [outcome_json(outcome) for outcome in session.outcomes],
        None if session.ending is None else ending_json(session.ending),
        session.epoch,
    )


SESSION = replace(journaled(), outcomes=(final(0), failure(1)), checkpoint=checkpoint(2), ending=ending(), epoch=7)


def test_an_entry_is_read_back_as_it_was_written() -> None:
    assert journaled_session(entry(SESSION)) == SESSION


def changed(text: str, change: Callable[[dict[str, object]], object]) -> str:
    fields = json.loads(text)
    change(fields)
    return json.dumps(fields)


@pytest.mark.parametrize("part", ["origin", "checkpoint", "ending"])
@pytest.mark.parametrize(
    "change",
    [
        lambda fields: fields.update(version=VERSION + 1),
        lambda fields: fields.pop("version"),
        lambda fields: fields["content"].update(of_a_later_release=1),
        lambda fields: fields["content"].popitem(),
    ],
    ids=["later version", "no version", "a field too many", "a field too few"],
)
def test_an_entry_of_another_version_is_unreadable(part: str, change: Callable[[dict[str, object]], object]) -> None:
    written = entry(SESSION)
    with pytest.raises(EntryUnreadable):
        journaled_session(replace(written, **{part: changed(getattr(written, part), change)}))


@pytest.mark.parametrize("damaged", ["", "null", "[]", '{"version":1', "4711", "\x00"])
def test_a_damaged_entry_is_unreadable_and_not_quoted(damaged: str) -> None:
    with pytest.raises(EntryUnreadable) as failed:
        journaled_session(replace(entry(SESSION), origin=damaged))
    assert "4711" not in str(failed.value)
    assert failed.value.__cause__ is None


def test_a_field_inside_that_is_not_known_makes_an_entry_unreadable_and_is_named() -> None:
    written = entry(SESSION)
    later = changed(written.checkpoint, lambda fields: fields["content"]["segmenter"].update(tempo="4711"))  # type: ignore[index]
    with pytest.raises(EntryUnreadable, match=r"segmenter\.tempo") as failed:
        journaled_session(replace(written, checkpoint=later))
    assert "4711" not in str(failed.value)


@pytest.mark.parametrize("outcomes", [(), (final(0),), (final(1),), (failure(1), final(0)), (final(0), final(2))])
def test_an_entry_without_all_outcomes_is_unreadable(outcomes: tuple[object, ...]) -> None:
    session = replace(SESSION, outcomes=outcomes)  # type: ignore[arg-type]
    with pytest.raises(EntryUnreadable, match="outcomes are missing"):
        journaled_session(entry(session))


def test_outcomes_after_the_checkpoint_are_part_of_the_session() -> None:
    session = replace(SESSION, checkpoint=checkpoint(0))
    assert journaled_session(entry(session)).outcomes == SESSION.outcomes


def test_the_largest_checkpoint_is_small() -> None:
    place = checkpoint(
        1, position=512, probabilities=tuple(1 / (3 + number) for number in range(LONGEST_UTTERANCE_WINDOWS))
    )
    text = checkpoint_json(replace(place, voice=bytes(LONGEST_VOICE_STATE_BYTES)))
    assert len(text.encode()) < 32_768
