"""The states of an audio session."""

from enum import StrEnum


class SessionStatus(StrEnum):
    """``OPENING -open-> LISTENING -end_input-> DRAINING -last final settled-> CLOSED``; ``abort`` closes any.

    ``INTERRUPTED`` is no state of a session but what is seen of one whose server is gone: it was open, and nobody has it now.
    """

    OPENING = "opening"
    LISTENING = "listening"
    DRAINING = "draining"
    CLOSED = "closed"
    INTERRUPTED = "interrupted"


class EndReason(StrEnum):
    """Why a session is closed."""

    COMPLETED = "completed"  # the input ended, and every utterance was answered
    DISCONNECTED = "disconnected"  # the client went away
    TIMED_OUT = "timed_out"  # the drain deadline passed; what was open then is reported as failed
    FAILED = "failed"  # the server could not go on
    CANCELLED = "cancelled"  # somebody ended it from outside
