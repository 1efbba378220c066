"""What happens to a session as a whole."""

from dataclasses import dataclass

from asr_service.domain.value_objects.asr_config import SessionConfig
from asr_service.domain.value_objects.caller import Caller
from asr_service.domain.value_objects.session_status import EndReason


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEvent:
    """One fact about one session, told to four audiences: the client, the store, other parties, the metrics.

    Attributes:
        session_id: Whose.
        at_s: When, on the monotonic clock of this process, as the session was last told the time.
    """

    session_id: str
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStarted(SessionEvent):
    """The session takes audio from now on."""

    caller: Caller
    config: SessionConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded(SessionEvent):
    """The last event of every session. The three positions account for each sample that came in.

    Attributes:
        reason: Why it ended.
        received_samples: Audio that arrived, after decoding.
        decoded_samples: Audio in which speech was looked for.
        finalized_samples: Audio up to which every utterance has its final, or its failure.
    """

    reason: EndReason
    received_samples: int
    decoded_samples: int
    finalized_samples: int
