"""The write side of sessions."""

from typing import Protocol

from asr_service.domain.entities.session_record import SessionRecord


class SessionRepository(Protocol):
    """Keeps what is known of sessions."""

    async def save(self, record: SessionRecord) -> None:
        """Inserts the record, or replaces the one with the same ``session_id``, unless that is of a later epoch."""
        ...

    async def get(self, session_id: str) -> SessionRecord | None:
        """The record, whoever's it is; ``None`` if there is none."""
        ...
