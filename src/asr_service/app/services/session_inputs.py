"""What is put into the inbox of a live session, for the one task that owns it."""

from dataclasses import dataclass
from typing import TypeAlias

from asr_service.domain.value_objects.asr_config import EndpointingPolicy, RecognitionOptions
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.domain.value_objects.session_checkpoint import SessionCheckpoint
from asr_service.domain.value_objects.session_status import EndReason
from asr_service.shared.errors import AsrError

# --- by the client, in the order in which it said them


@dataclass(frozen=True, slots=True)
class PushedAudio:
    """The next bytes, in the client's format."""

    data: bytes


@dataclass(frozen=True, slots=True)
class OtherOptions:
    """They hold from the next utterance on."""

    options: RecognitionOptions


@dataclass(frozen=True, slots=True)
class OtherEndpointing:
    """It holds from the audio on that follows."""

    policy: EndpointingPolicy


@dataclass(frozen=True, slots=True)
class ForcedEndpoint:
    """The open utterance ends here."""


@dataclass(frozen=True, slots=True)
class DiscardedAudio:
    """The open utterance is dropped, and what might have begun one."""


@dataclass(frozen=True, slots=True)
class EndOfInput:
    """No more audio follows."""


ClientItem: TypeAlias = PushedAudio | OtherOptions | OtherEndpointing | ForcedEndpoint | DiscardedAudio | EndOfInput

# --- by the house


@dataclass(frozen=True, slots=True)
class Recognized:
    """The answer to a recognition request."""

    request_id: str
    hypothesis: Hypothesis


@dataclass(frozen=True, slots=True)
class NotRecognized:
    """A recognition request failed."""

    request_id: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class SafelyKept:
    """A checkpoint is in the journal."""

    checkpoint: SessionCheckpoint


@dataclass(frozen=True, slots=True)
class HandOver:
    """The server is about to stop."""

    deadline_s: float


@dataclass(frozen=True, slots=True)
class Abort:
    """The session is over; ``error``: this is why."""

    reason: EndReason
    error: AsrError | None = None


Answer: TypeAlias = Recognized | NotRecognized | SafelyKept | HandOver | Abort
