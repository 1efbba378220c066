"""What is kept of a session beside its results."""

from dataclasses import dataclass
from datetime import datetime

from asr_service.domain.value_objects.session_status import EndReason, SessionStatus


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """One session as it is listed. The positions are those of ``SessionEnded``; 0 while it is open.

    Attributes:
        language: What the client asked for; ``None`` means detection.
        name: The client's own label.
        resumable_until: Of a session that was broken off; told by the journal and not stored here.
        node_id: The server that has, or had, it; ``None``: nobody knows.
        epoch: The newest claim on the session that is known here; what is told with an older one counts no more.
    """

    session_id: str
    tenant: str
    key_id: str | None
    name: str | None
    language: str | None
    status: SessionStatus
    started_at: datetime
    ended_at: datetime | None = None
    end_reason: EndReason | None = None
    received_samples: int = 0
    decoded_samples: int = 0
    finalized_samples: int = 0
    node_id: str | None = None
    epoch: int = 1
    resumable_until: datetime | None = None
