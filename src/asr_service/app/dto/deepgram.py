"""What Deepgram's clients ask for in the query of a live stream, and the shape in which they are refused."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from asr_service.app.dto.session_config import MAX_HOTWORDS, EndpointingDto, Hotword, parsed, supported_language
from asr_service.domain.ports.recognizer import RecognizerCapabilities
from asr_service.domain.value_objects.asr_config import Numbers, SessionConfig
from asr_service.domain.value_objects.audio_metadata import (
    MAX_CHANNELS,
    MAX_SAMPLE_RATE_HZ,
    MIN_SAMPLE_RATE_HZ,
    AudioEncoding,
    AudioFormat,
)
from asr_service.shared.errors import AsrError, InvalidRequest

_ENCODINGS = {
    "linear16": AudioEncoding.PCM_S16LE,
    "mulaw": AudioEncoding.MULAW,
    "alaw": AudioEncoding.ALAW,
    "flac": AudioEncoding.CONTAINER,
    "opus": AudioEncoding.CONTAINER,
    "ogg-opus": AudioEncoding.CONTAINER,
}
_DETECTED = "multi"  # Deepgram's word for speech that changes its language
_MIN_SILENCE_MS, _MAX_SILENCE_MS = 100, 10_000
_TRUE, _FALSE = ("true", "True"), ("false", "False")
# Wishes that would change the text or where it goes; what only concerns its looks (punctuate, smart_format, …) is accepted.
_UNSUPPORTED = (
    "callback",
    "detect_entities",
    "diarize",
    "diarize_model",
    "multichannel",
    "redact",
    "replace",
    "search",
)
_LISTS = ("keyterm", "keywords")


def _silence_ms(value: object) -> object:
    """``endpointing``: milliseconds, or whether there is to be any."""
    if value in _TRUE:
        return None
    return _MAX_SILENCE_MS if value in _FALSE else value


SilenceMs: TypeAlias = Annotated[Annotated[int, Field(ge=0, le=_MAX_SILENCE_MS)] | None, BeforeValidator(_silence_ms)]


class ListenQuery(BaseModel):
    """The parameters that mean something here; the rest is accepted."""

    model_config = ConfigDict(extra="ignore")

    encoding: Literal["linear16", "mulaw", "alaw", "flac", "opus", "ogg-opus"] | None = None
    sample_rate: int | None = Field(default=None, ge=MIN_SAMPLE_RATE_HZ, le=MAX_SAMPLE_RATE_HZ)
    channels: int = Field(default=1, ge=1, le=MAX_CHANNELS)
    language: str | None = Field(default=None, max_length=40)
    interim_results: bool = False
    endpointing: SilenceMs = None
    utterance_end_ms: int | None = Field(default=None, ge=1_000, le=_MAX_SILENCE_MS)
    vad_events: bool = False
    numerals: bool = False
    profanity_filter: bool = False
    keyterm: list[Hotword] = Field(default=[], max_length=MAX_HOTWORDS)
    keywords: list[Hotword] = Field(default=[], max_length=MAX_HOTWORDS)

    def audio_format(self) -> AudioFormat | None:
        """The format of the audio; ``None``: its first bytes say it.

        Raises:
            InvalidRequest: Raw audio needs a sample rate.
        """
        if self.encoding is None:
            return None
        encoding = _ENCODINGS[self.encoding]
        if encoding is AudioEncoding.CONTAINER:
            return AudioFormat(encoding)
        if self.sample_rate is None:
            raise InvalidRequest(f"sample_rate is required with encoding={self.encoding}.", field="sample_rate")
        return AudioFormat(encoding, self.sample_rate, self.channels)

    def session_config(self, defaults: SessionConfig, capabilities: RecognizerCapabilities) -> SessionConfig:
        """What this means for a session.

        Raises:
            UnsupportedLanguage: The recognizer does not know the language.
            InvalidRequest: There are no words to mask.
        """
        if self.profanity_filter and not capabilities.text.masking:
            raise InvalidRequest("profanity_filter is not supported.", field="profanity_filter", hint="Leave it out.")
        language = supported_language(None if self.language == _DETECTED else self.language, capabilities)
        words = (*self.keyterm, *(keyword.partition(":")[0] for keyword in self.keywords))  # keyword:weight
        silence_ms = None if self.endpointing is None else max(_MIN_SILENCE_MS, self.endpointing)
        options = defaults.options
        return replace(
            defaults,
            options=replace(
                options,
                language=language or (None if self.language else options.language),
                hotwords=tuple(word for word in words if word)[:MAX_HOTWORDS] or options.hotwords,
                numbers=Numbers.WRITTEN if self.numerals and capabilities.text.written_numbers else options.numbers,
                mask=True if self.profanity_filter else options.mask,
            ),
            endpointing=EndpointingDto(silence_ms=silence_ms).to_domain(defaults.endpointing),
            partials=replace(defaults.partials, enabled=defaults.partials.enabled and self.interim_results),
        )


@dataclass(frozen=True, slots=True)
class ListenRequest:
    """What comes with the handshake.

    Attributes:
        parameters: The query, in its order.
        request_id: A UUID; it stands in every result.
        created: When, as ISO 8601 in UTC.
    """

    parameters: tuple[tuple[str, str], ...] = field(repr=False)
    request_id: str
    created: str

    def query(self) -> ListenQuery:
        """The parameters, understood.

        Raises:
            InvalidRequest: One is wrong, or cannot be fulfilled.
        """
        for name, value in self.parameters:
            if name in _UNSUPPORTED and value not in ("", *_FALSE):
                raise InvalidRequest(f"{name} is not supported.", field=name, hint="Leave it out.")
        return parsed(ListenQuery, _collected(self.parameters))


def _collected(parameters: Iterable[tuple[str, str]]) -> Mapping[str, str | list[str]]:
    """Lists of what may be repeated; of the rest the last counts."""
    collected: dict[str, Any] = {}
    for name, value in parameters:
        if name in _LISTS:
            collected.setdefault(name, []).append(value)
        else:
            collected[name] = value
    return collected


def refusal_body(error: AsrError, request_id: str) -> dict[str, str]:
    """The answer to a handshake that is refused."""
    return {"err_code": error.code.upper(), "err_msg": error.explanation, "request_id": request_id}
