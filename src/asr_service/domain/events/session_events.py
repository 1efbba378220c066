"""What happens to a session as a whole."""

from dataclasses import dataclass, field
from enum import StrEnum

from asr_service.domain.value_objects.asr_config import EndpointingPolicy, SessionConfig
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


@dataclass(frozen=True, slots=True)
class ResumeOffer:
    """With this a client can take its session up again, should the connection break.

    Attributes:
        token: Secret; it stands for the client's right to the session.
        expires_s: So long after the last that is kept of it.
    """

    token: str = field(repr=False)
    expires_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStarted(SessionEvent):
    """The session takes audio from now on.

    Attributes:
        resume: Told to the client only.
        node_id: The server that has it; not told to the client.
    """

    caller: Caller
    config: SessionConfig
    resume: ResumeOffer | None = None
    node_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionResumed(SessionEvent):
    """The session, broken off before, takes audio again; stands in the place of ``SessionStarted``.

    Attributes:
        utterances: Utterances that were settled before; the next one has this index.
        replay_from: Sample from which on the audio comes again.
        outcomes: Events of utterances that are journaled, for those who keep results: a server that was killed may not
            have come to it. Not told to the client.
        resume: Told to the client only.
        epoch: Number of the claim by which it was taken up; not told to the client.
        node_id: The server that has it now; not told to the client.
    """

    caller: Caller
    config: SessionConfig
    utterances: int
    replay_from: int
    outcomes: tuple[SessionEvent, ...] = ()
    resume: ResumeOffer | None = None
    epoch: int = 1
    node_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioSafe(SessionEvent):
    """What lies before is stored, and will never be asked for again. Told to the client only.

    Attributes:
        replay_from: Sample from which on a resumed session would need the audio.
        utterances: The outcomes of so many are stored.
    """

    replay_from: int
    utterances: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverAnnounced(SessionEvent):
    """The server is about to stop. Told to the client only.

    Attributes:
        deadline_s: Seconds that are left, at most.
        resumable: Whether the session can go on elsewhere.
    """

    deadline_s: float
    resumable: bool


class FlowState(StrEnum):
    """How the speeds of the two sides are to each other."""

    NORMAL = "normal"
    INPUT_WAITS = "input_waits"  # audio comes faster than it can be listened to
    OUTPUT_WAITS = "output_waits"  # the client reads too slowly, and misses partials


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowChanged(SessionEvent):
    """One side has begun to wait for the other, or does so no more. Told to the client only.

    Attributes:
        waiting_ms: So long the client's last frame waited for room.
    """

    state: FlowState
    waiting_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointingChanged(SessionEvent):
    """Utterances end by another policy from now on, the open one included."""

    endpointing: EndpointingPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointForced(SessionEvent):
    """The client asked for an endpoint here: no utterance is open any more.

    Attributes:
        position: All audio before it came before the demand.
        utterance: Index of the one that it ended; ``None``: nobody was speaking.
    """

    position: int
    utterance: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioDiscarded(SessionEvent):
    """The client took back its audio up to here, as far as it was not part of an utterance that had ended.

    Attributes:
        position: What follows it is listened to as if it were the first.
        utterance: Index of the open one, which is dropped and gets no text; ``None``: nobody was speaking.
    """

    position: int
    utterance: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded(SessionEvent):
    """The last event of every session. The three positions account for each sample that came in.

    Attributes:
        reason: Why it ended.
        received_samples: Audio that arrived, after decoding.
        decoded_samples: Audio in which speech was looked for.
        finalized_samples: Audio up to which every utterance has its final, or its failure.
        epoch: Of whoever had the session; another may have claimed it meanwhile. Not told to the client.
    """

    reason: EndReason
    received_samples: int
    decoded_samples: int
    finalized_samples: int
    epoch: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecovered(SessionEvent):
    """What the journal has of a session was found, and whoever had the session may not have come to tell it.

    Told to those who keep results, and to nobody else; it may be told of one session any number of times.

    Attributes:
        outcomes: Events of the utterances that are journaled.
        ending: Its end, if it came to that.
        epoch: The newest claim on it.
    """

    caller: Caller
    config: SessionConfig
    outcomes: tuple[SessionEvent, ...]
    ending: SessionEnded | None
    epoch: int
