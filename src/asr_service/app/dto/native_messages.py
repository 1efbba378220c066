"""Every message of the native protocol, as JSON: the one source of its types, its schemas and its reference page.

What the server says are typed dictionaries: the codec fills them, mypy checks it, and encoding costs no more than that
of a plain dictionary. Nothing is validated at run time; the tests validate each frame against the schemas. What
clients say are the models that the codec reads it with, and the ``type`` before them.
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from asr_service.app.dto.session_config import OptionsDto, ResumeDto, SessionConfigDto
from asr_service.app.dto.wish_outcomes import WishOutcome
from asr_service.domain.events.session_events import FlowState
from asr_service.domain.value_objects.asr_config import Casing, Numbers
from asr_service.domain.value_objects.hypothesis import Timing
from asr_service.domain.value_objects.language import Script

MAX_PING_ID_CHARACTERS = 64

Seq: TypeAlias = Annotated[int, Field(ge=1, description="counts the messages of the connection")]
Utterance: TypeAlias = Annotated[int, Field(ge=0, description="number of the utterance, from 0")]
StartMs: TypeAlias = Annotated[int, Field(ge=0, description="where it begins, from the start of the audio")]
EndMs: TypeAlias = Annotated[int, Field(ge=0, description="where it ends; this place belongs to it no more")]
Language: TypeAlias = Annotated[str | None, Field(description="ISO 639-1 code; null: not known")]
Confidence: TypeAlias = Annotated[float | None, Field(ge=0, le=1, description="0–1; null: not known")]
Durable: TypeAlias = Annotated[bool, Field(description="it is stored, and will not be told anew")]
PingId: TypeAlias = Annotated[str, Field(max_length=MAX_PING_ID_CHARACTERS)] | int | None


class StartMessage(SessionConfigDto):
    """Opens a session. Everything but ``type`` may be left out."""

    type: Literal["start"]


class ResumeMessage(ResumeDto):
    """Takes up a session that was broken off; in the place of ``start``."""

    type: Literal["resume"]


class ConfigureMessage(OptionsDto):
    """Other options from the next utterance on; what is left out stays."""

    type: Literal["configure"]


class EndpointMessage(BaseModel):
    """Ends the open utterance now."""

    type: Literal["endpoint"]


class PingMessage(BaseModel):
    """Is answered by ``pong``; keeps a silent connection open."""

    type: Literal["ping"]
    id: PingId = Field(default=None, description="comes back in the answer")


class EndMessage(BaseModel):
    """No more audio. What is still owed comes, then ``ended``."""

    type: Literal["end"]


ClientMessageDto: TypeAlias = (
    StartMessage | ResumeMessage | ConfigureMessage | EndpointMessage | PingMessage | EndMessage
)


Languages: TypeAlias = Annotated[list[str], Field(description="ISO 639-1 codes; empty: in none")]


class TextFeaturesJson(TypedDict):
    """What can be made of texts after they are recognized."""

    scripts: Annotated[bool, Field(description="Chinese in the script that is asked for")]
    written_numbers: Languages
    spoken_numbers: Languages
    punctuation: Languages
    casing: bool
    masking: Annotated[bool, Field(description="there are words to mask")]
    unmasking: Annotated[bool, Field(description="a client may have nothing masked")]


class CapabilitiesJson(TypedDict):
    """What the engine can do, and what is made of its texts."""

    languages: list[str]
    word_times: bool
    hotwords: bool
    prompt: bool
    spoken_numbers: bool
    punctuation: bool
    casing: Annotated[bool, Field(description="capital letters as in print")]
    text: TextFeaturesJson


class EndpointingJson(TypedDict):
    """When utterances begin and end."""

    threshold: float
    silence_ms: int
    min_speech_ms: int
    max_utterance_ms: int
    prefix_padding_ms: int
    sentence_silence_ms: int | None
    on_demand: bool


class PartialsJson(TypedDict):
    """Whether and how often text is shown while somebody speaks."""

    enabled: bool
    interval_ms: int
    max_interval_ms: int


class ConfigJson(TypedDict):
    """What is in force."""

    language: Annotated[str | None, Field(description="null: detected for each utterance")]
    script: Script
    numbers: Numbers
    casing: Casing
    mask: Annotated[bool | None, Field(description="null: as the server is set")]
    word_times: bool
    hotwords: Annotated[int, Field(ge=0, description="how many")]
    endpointing: EndpointingJson
    partials: PartialsJson
    store: bool
    model: Annotated[str | None, Field(description="the name by which the models are chosen")]


class ResumeOfferJson(TypedDict):
    """With this the session can be taken up again."""

    token: Annotated[str, Field(description="secret; it stands for the right to the session")]
    expires_s: Annotated[float, Field(description="so long after the last that was stored")]


class StartedMessage(TypedDict):
    """The session takes audio."""

    type: Literal["started"]
    seq: Seq
    protocol: Annotated[Literal[1], Field(description="version of the protocol")]
    session_id: str
    engine: str
    model: Annotated[str, Field(description="of finals; partials may come from a smaller one")]
    capabilities: CapabilitiesJson
    unsupported: Annotated[list[str], Field(description="wishes that cannot be fulfilled")]
    wishes: Annotated[dict[str, WishOutcome], Field(description="what becomes of each option that was asked for")]
    config: ConfigJson
    resume: Annotated[ResumeOfferJson | None, Field(description="null: the session cannot be resumed")]


class ResumedMessage(TypedDict):
    """The session goes on; in the place of ``started``."""

    type: Literal["resumed"]
    seq: Seq
    protocol: Annotated[Literal[1], Field(description="version of the protocol")]
    session_id: str
    engine: str
    model: Annotated[str, Field(description="of finals; partials may come from a smaller one")]
    capabilities: CapabilitiesJson
    unsupported: Annotated[list[str], Field(description="wishes that cannot be fulfilled")]
    wishes: Annotated[dict[str, WishOutcome], Field(description="what becomes of each option that was asked for")]
    config: ConfigJson
    resume: Annotated[ResumeOfferJson | None, Field(description="null: the session cannot be resumed")]
    utterances: Annotated[int, Field(ge=0, description="that were answered before")]
    audio_from_ms: Annotated[int, Field(ge=0, description="send the audio from here on")]


class SafeMessage(TypedDict):
    """What is stored."""

    type: Literal["safe"]
    seq: Seq
    utterances: Annotated[int, Field(ge=0, description="the answers of so many are stored")]
    audio_ms: Annotated[int, Field(ge=0, description="audio before will never be asked for again")]


class GoingAwayMessage(TypedDict):
    """The server is about to stop."""

    type: Literal["going_away"]
    seq: Seq
    deadline_s: Annotated[float, Field(ge=0, description="seconds that are left, at most")]
    resumable: Annotated[bool, Field(description="whether the session can go on elsewhere")]


class FlowMessage(TypedDict):
    """The two sides go at different speeds, or do so no more. A hint: nothing has to be done."""

    type: Literal["flow"]
    seq: Seq
    state: FlowState
    waiting_ms: Annotated[int, Field(ge=0, description="so long the last frame of the client waited for room")]


class SpeechStartedMessage(TypedDict):
    """An utterance begins."""

    type: Literal["speech_started"]
    seq: Seq
    utterance: Utterance
    start_ms: StartMs


class PartialMessage(TypedDict):
    """The text of an utterance so far; the next one replaces it."""

    type: Literal["partial"]
    seq: Seq
    utterance: Utterance
    revision: Annotated[int, Field(ge=1, description="counts the partials of the utterance")]
    start_ms: StartMs
    end_ms: EndMs
    text: Annotated[str, Field(description="stable and volatile together")]
    stable: Annotated[str, Field(description="later partials of the utterance only extend it")]
    volatile: Annotated[str, Field(description="may still change")]
    language: Language


class SpeechEndedMessage(TypedDict):
    """An utterance has ended; its ``final`` or ``failed`` follows."""

    type: Literal["speech_ended"]
    seq: Seq
    utterance: Utterance
    start_ms: StartMs
    end_ms: EndMs
    forced: Annotated[bool, Field(description="cut for its length, or by endpoint")]


class WordJson(TypedDict):
    """A word of a final."""

    text: str
    start_ms: StartMs
    end_ms: EndMs
    confidence: Confidence


class FinalMessage(TypedDict):
    """The one text of an utterance."""

    type: Literal["final"]
    seq: Seq
    utterance: Utterance
    start_ms: StartMs
    end_ms: EndMs
    text: Annotated[str, Field(description="empty: no word was heard")]
    language: Language
    language_confidence: Annotated[Confidence, Field(description="null: the language was given")]
    timing: Annotated[Timing, Field(description="where the times of words come from")]
    words: list[WordJson]
    average_logprob: Annotated[float | None, Field(description="of the text's tokens; null: not known")]
    durable: Durable


class FailedMessage(TypedDict):
    """The utterance stays without text; in the place of its ``final``."""

    type: Literal["failed"]
    seq: Seq
    utterance: Utterance
    start_ms: StartMs
    end_ms: EndMs
    code: str
    message: str
    durable: Durable


class EndedMessage(TypedDict):
    """The last message of a session."""

    type: Literal["ended"]
    seq: Seq
    reason: Literal["completed", "timed_out", "failed"]
    received_ms: Annotated[int, Field(ge=0, description="audio that came")]
    decoded_ms: Annotated[int, Field(ge=0, description="audio that was listened to")]
    final_ms: Annotated[int, Field(ge=0, description="audio up to which every utterance is answered")]


class ErrorMessage(TypedDict):
    """Something was refused, or has failed."""

    type: Literal["error"]
    seq: Seq
    code: str
    message: str
    hint: Annotated[str | None, Field(description="what would help")]
    field: Annotated[str | None, Field(description="of the message that was refused, with dots inside of objects")]
    retry_after_s: Annotated[float | None, Field(ge=0, description="when it may be better")]
    fatal: Annotated[bool, Field(description="nothing follows, and the connection is closed")]


class PongMessage(TypedDict):
    """The answer to ``ping``."""

    type: Literal["pong"]
    seq: Seq
    id: PingId


ServerMessage: TypeAlias = (
    StartedMessage
    | ResumedMessage
    | SafeMessage
    | GoingAwayMessage
    | FlowMessage
    | SpeechStartedMessage
    | PartialMessage
    | SpeechEndedMessage
    | FinalMessage
    | FailedMessage
    | EndedMessage
    | ErrorMessage
    | PongMessage
)
