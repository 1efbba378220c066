"""What clients of the native interfaces may ask for, as JSON."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from asr_service.domain.ports.recognizer import RecognizerCapabilities
from asr_service.domain.value_objects.asr_config import (
    Casing,
    Chunking,
    EndpointingPolicy,
    Numbers,
    PartialPolicy,
    RecognitionOptions,
    SessionConfig,
)
from asr_service.domain.value_objects.audio_metadata import (
    MAX_CHANNELS,
    MAX_OPUS_CHANNELS,
    MAX_SAMPLE_RATE_HZ,
    MIN_SAMPLE_RATE_HZ,
    SAMPLE_RATE_HZ,
    AudioEncoding,
    AudioFormat,
)
from asr_service.domain.value_objects.language import Script, UnsupportedLanguage, parse_language
from asr_service.shared.errors import InvalidRequest

MAX_HOTWORDS = 200
MAX_HOTWORD_CHARACTERS = 64
MAX_PROMPT_CHARACTERS = 2_000
Hotword = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_HOTWORD_CHARACTERS)]
Model = TypeVar("Model", bound=BaseModel)
_PLAIN_OPTIONS = {"prompt", "hotwords", "script", "numbers", "word_times", "casing", "mask"}


class _Strict(BaseModel):
    """An unknown field is an error: it would be a wish that nobody fulfils."""

    model_config = ConfigDict(extra="forbid")


class AudioFormatDto(_Strict):
    """The format of the binary frames."""

    encoding: AudioEncoding = AudioEncoding.PCM_S16LE
    sample_rate: int = Field(default=SAMPLE_RATE_HZ, ge=MIN_SAMPLE_RATE_HZ, le=MAX_SAMPLE_RATE_HZ)
    channels: int = Field(default=1, ge=1, le=MAX_CHANNELS)

    @model_validator(mode="after")
    def _opus_has_two_channels_at_most(self) -> Self:
        if self.encoding is AudioEncoding.OPUS and self.channels > MAX_OPUS_CHANNELS:
            raise ValueError(f"Opus has at most {MAX_OPUS_CHANNELS} channels")
        return self

    def to_domain(self) -> AudioFormat:
        return AudioFormat(self.encoding, self.sample_rate, self.channels)


class EndpointingDto(_Strict):
    """When an utterance begins and ends; what is left out keeps the server's setting."""

    threshold: float | None = Field(default=None, ge=0.15, le=0.95)
    silence_ms: int | None = Field(default=None, ge=100, le=10_000)
    min_speech_ms: int | None = Field(default=None, ge=32, le=2_000)
    max_utterance_ms: int | None = Field(default=None, ge=2_000, le=28_000)
    prefix_padding_ms: int | None = Field(default=None, ge=0, le=1_000)
    sentence_silence_ms: int | None = Field(
        default=None,
        ge=100,
        le=10_000,
        description="silence that ends a complete sentence; null: punctuation ends nothing",
    )
    on_demand: bool | None = Field(default=None, description="whether silence ends nothing")

    def to_domain(self, defaults: EndpointingPolicy) -> EndpointingPolicy:
        """The policy that results.

        Raises:
            SettingNotAllowed: Each value is allowed, but not all of them together.
        """
        changes = self.model_dump(exclude={"sentence_silence_ms"}, exclude_none=True)
        shorter = defaults.sentence_silence_ms
        if "sentence_silence_ms" in self.model_fields_set:
            shorter = self.sentence_silence_ms
        elif shorter is not None and shorter >= changes.get("silence_ms", defaults.silence_ms):
            shorter = None  # the server's setting would shorten nothing
        return replace(defaults, sentence_silence_ms=shorter, **changes)


class PartialsDto(_Strict):
    """Whether and how often text is shown while somebody speaks."""

    enabled: bool | None = None
    interval_ms: int | None = Field(default=None, ge=100, le=10_000)
    max_interval_ms: int | None = Field(default=None, ge=100, le=10_000)

    def to_domain(self, defaults: PartialPolicy) -> PartialPolicy:
        return replace(defaults, **self.model_dump(exclude_none=True))


class OptionsDto(_Strict):
    """What is asked of the recognizer; may change while a session runs. What is left out stays as it was."""

    language: str | None = Field(default=None, max_length=40, description="ISO 639-1 code, or auto")
    prompt: str | None = Field(default=None, max_length=MAX_PROMPT_CHARACTERS)
    hotwords: list[Hotword] | None = Field(default=None, max_length=MAX_HOTWORDS)
    script: Script | None = None
    numbers: Numbers | None = None
    word_times: bool | None = None
    casing: Casing | None = None
    mask: bool | None = Field(default=None, description="whether listed words are masked; null: as the server is set")
    chunk_size: list[int] | None = Field(
        default=None,
        min_length=3,
        max_length=3,
        description="of a streaming Paraformer: frames of 60 ms before, in (5–50) and after a chunk; null: the server's",
    )
    encoder_chunk_look_back: int | None = Field(
        default=None, ge=0, le=10, description="of a streaming Paraformer, in chunks; null: the server's"
    )
    decoder_chunk_look_back: int | None = Field(
        default=None, ge=0, le=10, description="of a streaming Paraformer, in chunks; null: the server's"
    )

    @field_validator("chunk_size")
    @classmethod
    def _chunks_are_allowed(cls, size: list[int] | None) -> list[int] | None:
        Chunking(_triple(size))
        return size

    def to_options(self, current: RecognitionOptions, capabilities: RecognizerCapabilities) -> RecognitionOptions:
        """The options that result.

        Raises:
            UnsupportedLanguage: The recognizer does not know the language.
        """
        changes = self.model_dump(include=_PLAIN_OPTIONS, exclude_unset=True, exclude_none=True)
        if "hotwords" in changes:
            changes["hotwords"] = tuple(changes["hotwords"])
        if "language" in self.model_fields_set:
            changes["language"] = supported_language(self.language, capabilities)
        return replace(current, chunking=self._chunking().or_else(current.chunking), **changes)

    def _chunking(self) -> Chunking:
        return Chunking(_triple(self.chunk_size), self.encoder_chunk_look_back, self.decoder_chunk_look_back)


def _triple(size: list[int] | None) -> tuple[int, int, int] | None:
    return None if size is None else (size[0], size[1], size[2])


class SessionConfigDto(OptionsDto):
    """All that a client may choose at the start of a session."""

    name: str | None = Field(default=None, max_length=200, description="the client's own label for the stream")
    model: str | None = Field(
        default=None, max_length=200, description="name of a model as under /api/v1/models; null: the one that you get"
    )
    store: bool = Field(default=True, description="whether the session and its finals are kept")
    resume: bool | None = Field(default=None, description="whether it can be taken up again; null: if it is kept")
    audio: AudioFormatDto = AudioFormatDto()
    endpointing: EndpointingDto = EndpointingDto()
    partials: PartialsDto = PartialsDto()

    @property
    def resumable(self) -> bool:
        """Whether the client wants to take the session up again, should the connection break."""
        return self.store if self.resume is None else self.resume

    def to_domain(self, defaults: SessionConfig, capabilities: RecognizerCapabilities) -> SessionConfig:
        """The session's configuration.

        Raises:
            UnsupportedLanguage: The recognizer does not know the language.
        """
        return SessionConfig(
            name=self.name,
            stored=self.store,
            options=self.to_options(defaults.options, capabilities),
            endpointing=self.endpointing.to_domain(defaults.endpointing),
            partials=self.partials.to_domain(defaults.partials),
        )


class ResumeDto(_Strict):
    """What a client says that takes a session up again."""

    token: str = Field(min_length=1, max_length=200, description="from the session's started or resumed message")
    finals: int = Field(default=0, ge=0, le=1_000_000_000, description="how many utterances it has the outcomes of")


def usable_hotwords(words: Iterable[object]) -> tuple[str, ...]:
    """Those that may be hotwords, for protocols that refuse none: the first 200, without what is empty or too long."""
    stripped = (str(word).strip() for word in words)
    return tuple(word for word in stripped if 0 < len(word) <= MAX_HOTWORD_CHARACTERS)[:MAX_HOTWORDS]


def supported_language(text: str | None, capabilities: RecognizerCapabilities) -> str | None:
    """The code of a language that the recognizer knows; ``None`` has it detected.

    Raises:
        UnsupportedLanguage: It is no language code, or the recognizer does not know it.
    """
    language = parse_language(text)
    if language is not None and language not in capabilities.languages:
        raise UnsupportedLanguage(
            f"The model {capabilities.model} does not know the language {language!r}.",
            field="language",
            hint=f"It knows: {', '.join(sorted(capabilities.languages))}.",
        )
    return language


def parsed(model: type[Model], value: object, error: type[InvalidRequest] = InvalidRequest) -> Model:
    """Reads JSON data into a model.

    Raises:
        InvalidRequest: Of the given class; it names the first field that is wrong, and what is allowed there.
    """
    try:
        return model.model_validate(value)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False, include_input=False)[0]
        path = tuple(map(str, first["loc"]))
        field = ".".join(path)
        complaint = "Input should be an object" if first["type"] == "model_type" else first["msg"]
        raise error(
            f"{field}: {complaint}." if field else f"{complaint}.",
            field=field or None,
            hint=f"Allowed fields: {_fields_beside(path, model)}." if first["type"] == "extra_forbidden" else None,
        ) from invalid


def _fields_beside(path: tuple[str, ...], model: type[BaseModel]) -> str:
    """The fields of the object, perhaps inside of others, in which the last name of the path was found."""
    for name in path[:-1]:
        inner = model.model_fields[name].annotation
        assert isinstance(inner, type)
        assert issubclass(inner, BaseModel)
        model = inner
    return ", ".join(model.model_fields)
