"""The port of the wire protocols: frames in, messages out; events in, frames out.

A codec is pure: no I/O, no clock, no await. It holds the state of one connection and can be replayed from a file. What
a connection says is a series of exchanges, each ``StartSession AudioData* EndInput``; most protocols have one exchange
per connection, FunASR's may have several.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeAlias

from asr_service.domain.events.session_events import SessionEvent
from asr_service.domain.ports.recognizer import RecognizerCapabilities
from asr_service.domain.value_objects.asr_config import EndpointingPolicy, RecognitionOptions, SessionConfig
from asr_service.domain.value_objects.audio_metadata import AudioFormat
from asr_service.shared.errors import AsrError, InvalidRequest

Frame: TypeAlias = str | bytes
"""A WebSocket message: text or binary. Of another transport: what its front makes of the bytes that come."""

MAX_JSON_CHARACTERS = 1 << 20  # of a text frame: room for every hotword; more would hold up all other connections
# The same where text frames carry audio: the largest message that the server takes, 16 MiB. Reading it takes about 70 ms.
MAX_AUDIO_JSON_CHARACTERS = 1 << 24


class MalformedMessage(InvalidRequest):
    """A frame that the protocol does not know. The session goes on; the frame is answered with an error and dropped."""

    code = "malformed_message"


class UnsupportedOption(InvalidRequest):
    """The recognizer cannot fulfil a wish. The session goes on without it."""

    code = "unsupported_option"


def read_json(text: str, *, hint: str | None = None, max_characters: int = MAX_JSON_CHARACTERS) -> Any:
    """The value of a JSON text that can be sent back, logged and stored.

    ``json.loads`` takes more than that: NaN, halves of surrogate pairs, and nesting that can only just be read.

    Raises:
        MalformedMessage: It is no such text, or longer than ``max_characters``.
    """
    if len(text) > max_characters:
        raise MalformedMessage(f"The text frame is longer than {max_characters} characters.", hint=hint)
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise MalformedMessage("The text frame is no JSON.", hint=hint) from error
    return value


@dataclass(frozen=True, slots=True)
class StartSession:
    """Opens a session; the first message of an exchange. ``resumable``: the protocol has words for taking it up again."""

    config: SessionConfig
    audio_format: AudioFormat
    resumable: bool = False


@dataclass(frozen=True, slots=True)
class SelectModel:
    """Asks for a recognizer by name, before a session begins.

    Attributes:
        name: As the client wrote it.
        where: In which field, for the complaint if there is none of that name.
        go_on: Called with the capabilities that hold from then on; gives what else the client means. Not called if the
            recognizer cannot be had: the frame is refused then, and what held before holds on.
    """

    name: str
    where: str
    go_on: "Callable[[RecognizerCapabilities], list[ClientMessage]]" = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ResumeSession:
    """Takes up a session that was broken off; in the place of ``StartSession``.

    Attributes:
        token: From the offer that was made when it was started.
        told: The client has the outcomes of the utterances before this one.
        go_on: Called with the capabilities of the session's recognizer, before anything else is told of it, and whether it is
            another than the session had, because there is none of that name any more.
    """

    token: str = field(repr=False)
    told: int
    go_on: Callable[[RecognizerCapabilities, bool], None] = field(
        default=lambda _capabilities, _substituted: None, compare=False, repr=False
    )


@dataclass(frozen=True, slots=True)
class AudioData:
    """Bytes of the declared format, cut anywhere."""

    data: bytes


@dataclass(frozen=True, slots=True)
class ChangeOptions:
    """Other recognition options, from the next utterance on."""

    options: RecognitionOptions


@dataclass(frozen=True, slots=True)
class ChangeEndpointing:
    """Another policy for when utterances end, from here on."""

    endpointing: EndpointingPolicy


@dataclass(frozen=True, slots=True)
class ForceEndpoint:
    """Ends the open utterance now; audio may follow."""


@dataclass(frozen=True, slots=True)
class DiscardAudio:
    """Takes back the open utterance, and the audio so far; more may follow."""


@dataclass(frozen=True, slots=True)
class EndInput:
    """No more audio in this exchange."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Frames to send back at once; the session is not concerned."""

    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class Refuse:
    """A frame that was not understood: report the error, and go on."""

    error: AsrError


@dataclass(frozen=True, slots=True)
class GiveUp:
    """What follows would be of no use: report the error, and close the connection."""

    error: AsrError


ClientMessage: TypeAlias = (
    SelectModel
    | StartSession
    | ResumeSession
    | AudioData
    | ChangeOptions
    | ChangeEndpointing
    | ForceEndpoint
    | DiscardAudio
    | EndInput
    | Reply
    | Refuse
    | GiveUp
)


class Codec(Protocol):
    """One connection's protocol.

    Attributes:
        name: As it is shown in logs and metrics.
    """

    name: ClassVar[str]

    @property
    def reusable(self) -> bool:
        """Whether a new exchange may follow; asked when one is over, whose ``SessionEnded`` has been encoded."""
        ...

    def greet(self) -> list[Frame]:
        """What the client is sent as soon as it is connected; called once, before anything else."""
        ...

    def decode(self, frame: Frame) -> list[ClientMessage]:
        """What the client means by a frame. Never raises: what is not understood becomes ``Refuse`` or ``GiveUp``."""
        ...

    def encode(self, event: SessionEvent) -> list[Frame]:
        """The frames that tell the client of an event; none, if the protocol has no words for it."""
        ...

    def encode_error(self, error: AsrError, *, fatal: bool) -> list[Frame]:
        """The frames that report an error; ``fatal``: the session is over and the connection will be closed."""
        ...


class CodecFactory(Protocol):
    """Makes the codec of a new connection."""

    def __call__(self, capabilities: RecognizerCapabilities, defaults: SessionConfig) -> Codec:
        """A fresh codec; ``capabilities`` are the recognizer's, ``defaults`` hold for what the client leaves open.

        Raises:
            InvalidRequest: Of a protocol whose wishes come with the connection itself: they cannot be fulfilled, and the
                client is not let in.
        """
        ...
