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
