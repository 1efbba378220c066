"""What the journal keeps of a session, as JSON: the domain's own dataclasses, each in an envelope with a version.

Raise ``VERSION`` when an entry of the last release would be misread. Servers of two releases may share a journal while they
are replaced, so whoever finds a version that it does not know leaves the entry to the others.
"""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from asr_service.domain.events.session_events import SessionEnded
from asr_service.domain.repositories.session_journal import (
    JournaledSession,
    SessionNotResumable,
    SessionTakenOver,
    UtteranceOutcome,
)
from asr_service.domain.value_objects.asr_config import SessionConfig
from asr_service.domain.value_objects.audio_metadata import AudioFormat
from asr_service.domain.value_objects.caller import Caller
from asr_service.domain.value_objects.session_checkpoint import SessionCheckpoint

VERSION: Final = 1

ContentT = TypeVar("ContentT")


class EntryUnreadable(Exception):
    """The entry is damaged, or of another version. The message quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What is settled when a session begins."""

    session_id: str
    caller: Caller
    config: SessionConfig
    audio_format: AudioFormat


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A session as a store has it; the texts are those of ``to_json``.

    Attributes:
        origin: Of the ``Origin``.
        outcomes: In the order of the utterances.
    """

    origin: str
    checkpoint: str
    outcomes: Sequence[str]
    ending: str | None
    epoch: int


class _Envelope(BaseModel, Generic[ContentT]):
    """The settings hold for the dataclasses inside too: a field that is not known here would get lost."""

    model_config = ConfigDict(extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")

    version: Literal[1]
    content: ContentT


_ORIGIN: Final = _Envelope[Origin]
_CHECKPOINT: Final = _Envelope[SessionCheckpoint]
_OUTCOME: Final = _Envelope[UtteranceOutcome]
_ENDING: Final = _Envelope[SessionEnded]


def origin_json(session: JournaledSession) -> str:
    return _to_json(_ORIGIN, Origin(session.session_id, session.caller, session.config, session.audio_format))


def checkpoint_json(checkpoint: SessionCheckpoint) -> str:
    return _to_json(_CHECKPOINT, checkpoint)


def outcome_json(outcome: UtteranceOutcome) -> str:
    return _to_json(_OUTCOME, outcome)


def ending_json(ending: SessionEnded) -> str:
    """Without its epoch: the journal has the one that counts, and servers of the last release would not know it."""
    return _to_json(_ENDING, ending, exclude={"epoch"})


def journaled_session(entry: JournalEntry) -> JournaledSession:
    """The session in an entry.

    Raises:
        EntryUnreadable: It is damaged, of another version, or has not all outcomes before its checkpoint.
    """
    origin = _from_json(_ORIGIN, entry.origin)
    session = JournaledSession(
        origin.session_id,
        origin.caller,
        origin.config,
        origin.audio_format,
        checkpoint=_from_json(_CHECKPOINT, entry.checkpoint),
        outcomes=tuple(_from_json(_OUTCOME, text) for text in entry.outcomes),
        ending=None if entry.ending is None else _from_json(_ENDING, entry.ending),
        epoch=entry.epoch,
    )
    utterances = [outcome.utterance for outcome in session.outcomes]
    if utterances != list(range(len(utterances))) or len(utterances) < session.checkpoint.utterances:
        raise EntryUnreadable("outcomes are missing")
    return session


def token_digest(token: str, caller: Caller) -> str:
    """What is stored in place of a token; with another key of its caller the same token has another digest.

    It is random enough that no salt and no slow digest is needed.
    """
    bound = token if caller.key_id is None else f"{token}\0{caller.key_id}"
    return hashlib.sha256(bound.encode("utf-8", "replace")).hexdigest()


def not_resumable() -> SessionNotResumable:
    """The one answer to whoever may not resume, or cannot."""
    return SessionNotResumable(
        "There is no session that this token resumes.",
        field="token",
        hint="Begin a new session, and send it the audio that has no final yet.",
    )


def taken_over() -> SessionTakenOver:
    """The answer to a holder that is none any more."""
    return SessionTakenOver("Another connection goes on with this session.")


def _to_json(envelope: type[_Envelope[ContentT]], content: ContentT, exclude: Collection[str] = frozenset()) -> str:
    """A lone surrogate, which no encoding takes and a client's JSON can hold, becomes a question mark."""
    fields = envelope.model_construct(version=VERSION, content=content).model_dump(
        mode="json", exclude={"content": set(exclude)}
    )
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace").decode("utf-8")


def _from_json(envelope: Any, text: str) -> Any:
    try:
        return envelope.model_validate_json(text).content
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise EntryUnreadable(f"{envelope.__name__}: {place}: {first['type']}") from None
