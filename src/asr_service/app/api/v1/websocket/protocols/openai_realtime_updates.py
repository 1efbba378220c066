"""What clients of OpenAI's Realtime interface may say about a session, in the shapes of its beta and of today.

An update changes what it names: a field that is left out keeps its value, and ``null`` takes it back to what holds
without it; for turn detection that is: none. Whichever shape a client writes is understood. Unknown fields are left
alone, and values beyond what is possible become the nearest ones, as every answer says what is in force.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from asr_service.app.api.v1.websocket.protocols.codec import MalformedMessage
from asr_service.app.api.v1.websocket.protocols.openai_realtime_config import (
    BETA_FORMATS,
    G711,
    PCM,
    PCM_RATE_HZ,
    Eagerness,
    Kind,
    RealtimeConfig,
    TurnDetection,
)
from asr_service.app.dto.model_names import ends_by_commits, named_model, not_found
from asr_service.app.dto.session_config import MAX_HOTWORDS, MAX_PROMPT_CHARACTERS, Hotword, parsed, supported_language
from asr_service.domain.ports.recognizer import RecognizerCapabilities
from asr_service.domain.value_objects.asr_config import SessionConfig
from asr_service.domain.value_objects.language import UnsupportedLanguage

_PCM_RATES_HZ = (8_000, 16_000, PCM_RATE_HZ, 48_000)  # all but one an extension
_G711_RATE_HZ = 8_000


class _Tolerant(BaseModel):
    """Unknown fields are left alone: there are many that only a conversation has a use for."""

    model_config = ConfigDict(extra="ignore")


class _TurnDetectionDto(_Tolerant):
    type: Literal["server_vad", "semantic_vad"] | None = None
    threshold: float | None = Field(default=None, ge=0, le=1)
    prefix_padding_ms: int | None = Field(default=None, ge=0)
    silence_duration_ms: int | None = Field(default=None, ge=0)
    eagerness: Eagerness | None = None


class _TranscriptionDto(_Tolerant):
    model: str | None = Field(default=None, max_length=200)
    language: str | None = Field(default=None, max_length=40)
    languages: list[str] | None = Field(default=None, max_length=100)
    prompt: str | None = Field(default=None, max_length=MAX_PROMPT_CHARACTERS)
    keywords: list[Hotword] | None = Field(default=None, max_length=MAX_HOTWORDS)


class _FormatDto(_Tolerant):
    type: str
    rate: int | None = None


class _InputDto(_Tolerant):
    format: _FormatDto | None = None
    transcription: _TranscriptionDto | None = None
    turn_detection: _TurnDetectionDto | None = None


class _AudioDto(_Tolerant):
    input: _InputDto | None = None


class _SessionDto(_Tolerant):
    """Both shapes in one: ``audio`` is today's, the fields after it are the beta's."""

    type: Kind | None = None
    audio: _AudioDto | None = None
    input_audio_format: str | None = None
    input_audio_transcription: _TranscriptionDto | None = None
    turn_detection: _TurnDetectionDto | None = None


@dataclass(frozen=True, slots=True)
class SessionUpdates:
    """Reads session objects for one recognizer and the server's settings.

    Attributes:
        capabilities: Of the recognizer.
        defaults: The server's.
        selected: The name by which the client has asked for this recognizer; ``None``: by none, or an alias.
    """

    capabilities: RecognizerCapabilities
    defaults: SessionConfig
    selected: str | None = None

    def initial(self) -> RealtimeConfig:
        """What holds before the client has said anything."""
        return RealtimeConfig.initial(self.capabilities, self.defaults)

    def other_model(self, session: object) -> tuple[str, str] | None:
        """The model that a session object asks for, if it is another than the recognizer's, and the field that does so.

        Raises:
            MalformedMessage: A field is wrong.
        """
        wanted = parsed(_SessionDto, session, MalformedMessage)
        given = wanted.audio.input if wanted.audio is not None else None
        for transcription, where in (
            (wanted.input_audio_transcription, "input_audio_transcription.model"),
            (given and given.transcription, "audio.input.transcription.model"),
        ):
            if transcription and transcription.model and not self._is_known(transcription.model):
                return transcription.model, where
        return None

    def _is_known(self, name: str) -> bool:
        return named_model(name, live=True) in (None, self.capabilities.model, self.selected)

    def apply(self, config: RealtimeConfig, session: object) -> RealtimeConfig:
        """The configuration with what a session object says.

        Raises:
            MalformedMessage: A field is wrong; ``field`` is its path inside of the session object.
            UnsupportedLanguage, ModelNotFound: The recognizer does not know it.
        """
        wanted = parsed(_SessionDto, session, MalformedMessage)
        if wanted.type is not None:
            config = replace(config, kind=wanted.type)
        if (name := wanted.input_audio_format) is not None:
            config = _with_format(config, _FormatDto(type=BETA_FORMATS.get(name, name)), "input_audio_format")
        config = self._with_detection(config, wanted)
        config = self._with_transcription(config, wanted, "input_audio_transcription", "input_audio_transcription")
        given = wanted.audio.input if wanted.audio is not None else None
        if given is None:
            return config
        if given.format is not None:
            config = _with_format(config, given.format, "audio.input.format")
        config = self._with_detection(config, given)
        return self._with_transcription(config, given, "transcription", "audio.input.transcription")

    def _with_detection(self, config: RealtimeConfig, given: _SessionDto | _InputDto) -> RealtimeConfig:
        if "turn_detection" not in given.model_fields_set:
            return config
        wanted = given.turn_detection
        detection = None if wanted is None else self._detection(config.turn_detection, wanted)
        return replace(config, turn_detection=detection)

    def _detection(self, before: TurnDetection | None, wanted: _TurnDetectionDto) -> TurnDetection:
        server = self.defaults.endpointing
        before = before or TurnDetection.of(server)
        given = wanted.model_dump(exclude_none=True)
        eagerness = before.eagerness
        if wanted.type is not None:
            eagerness = None if wanted.type == "server_vad" else eagerness or "auto"
        longest_padding_ms = min(1_000, server.max_utterance_ms // 2 - server.min_speech_ms)
        return TurnDetection(
            threshold=min(max(given.get("threshold", before.threshold), 0.15), 0.95),
            prefix_padding_ms=min(given.get("prefix_padding_ms", before.prefix_padding_ms), longest_padding_ms),
            silence_ms=min(max(given.get("silence_duration_ms", before.silence_ms), 100), 10_000),
            eagerness=eagerness and given.get("eagerness", eagerness),
        )

    def _with_transcription(
        self, config: RealtimeConfig, given: _SessionDto | _InputDto, name: str, where: str
    ) -> RealtimeConfig:
        if name not in given.model_fields_set:
            return config
        wanted: _TranscriptionDto | None = getattr(given, name)
        if wanted is None:
            fresh = self.initial()
            return replace(config, model=fresh.model, options=fresh.options, languages=())
        changes = {key: getattr(wanted, key) for key in wanted.model_fields_set}
        if name_of_model := changes.get("model"):
            if not self._is_known(name_of_model):
                raise not_found(name_of_model, field=f"{where}.model")
            config = replace(config, model=name_of_model)
            untouched = "turn_detection" not in given.model_fields_set
            if ends_by_commits(name_of_model) and untouched and config.turn_detection == self.initial().turn_detection:
                config = replace(config, turn_detection=None)  # its clients commit, and leave this unsaid
        if "languages" in changes:
            config = replace(config, languages=tuple(changes["languages"] or ()))
        return replace(config, options=replace(config.options, **self._options(changes, where)))

    def _options(self, changes: dict[str, Any], where: str) -> dict[str, Any]:
        """The changed options of the recognizer; what it cannot do stays as it was, which the answer shows."""
        options: dict[str, Any] = {}
        if "prompt" in changes and self.capabilities.prompt:
            options["prompt"] = changes["prompt"] or None
        if "keywords" in changes and self.capabilities.hotwords:
            options["hotwords"] = tuple(changes["keywords"] or ())
        if "language" in changes or "languages" in changes:
            expected: list[str] = changes.get("languages") or []
            # Of several languages each utterance's is detected: the recognizer cannot be told to choose among them.
            only = changes.get("language") or (expected[0] if len(expected) == 1 else None)
            try:
                options["language"] = supported_language(only, self.capabilities)
            except UnsupportedLanguage as unsupported:
                unsupported.field = f"{where}.language"
                raise
        return options


def _with_format(config: RealtimeConfig, wanted: _FormatDto, where: str) -> RealtimeConfig:
    if wanted.type in G711:
        if wanted.rate not in (None, _G711_RATE_HZ):
            raise MalformedMessage(f"{wanted.type} has {_G711_RATE_HZ} Hz.", field=f"{where}.rate")
        return replace(config, format_type=wanted.type, rate_hz=_G711_RATE_HZ)
    if wanted.type != PCM:
        raise MalformedMessage(
            f"{wanted.type[:40]!r} is no format of audio.",
            field=where if where == "input_audio_format" else f"{where}.type",
            hint=f"Use one of: {', '.join((PCM, *G711) if where != 'input_audio_format' else BETA_FORMATS)}.",
        )
    rate_hz = wanted.rate if wanted.rate is not None else PCM_RATE_HZ
    if rate_hz not in _PCM_RATES_HZ:
        rates = ", ".join(map(str, _PCM_RATES_HZ))
        raise MalformedMessage("Audio of this rate is not taken.", field=f"{where}.rate", hint=f"Use one of: {rates}.")
    return replace(config, format_type=PCM, rate_hz=rate_hz)
