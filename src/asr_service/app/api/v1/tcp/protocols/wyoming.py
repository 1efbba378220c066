"""Wyoming, the protocol of Home Assistant's voice services.

Client: ``describe``; ``transcribe``, ``audio-start``, ``audio-chunk``* with audio as their payload, ``audio-stop``. Server:
``info``; ``transcript`` with the whole text, after which the connection is closed. If the text is streamed, it comes
piece by piece before: ``transcript-start``, ``transcript-chunk``*, and behind the whole ``transcript-stop``. Frames are
those of ``wyoming_framing``.
"""

import json
from dataclasses import replace
from typing import Any, ClassVar

from asr_service import __version__
from asr_service.app.api.v1.websocket.protocols.codec import (
    AudioData,
    ChangeOptions,
    ClientMessage,
    EndInput,
    Frame,
    GiveUp,
    MalformedMessage,
    Reply,
    StartSession,
    read_json,
)
from asr_service.app.dto.session_config import supported_language, usable_hotwords
from asr_service.domain.events.recognition_events import UtteranceFailed, UtteranceFinalized
from asr_service.domain.events.session_events import SessionEnded, SessionEvent
from asr_service.domain.ports.recognizer import RecognizerCapabilities
from asr_service.domain.value_objects.asr_config import RecognitionOptions, SessionConfig
from asr_service.domain.value_objects.audio_metadata import (
    BYTES_PER_SAMPLE,
    MAX_SAMPLE_RATE_HZ,
    MIN_SAMPLE_RATE_HZ,
    AudioEncoding,
    AudioFormat,
)
from asr_service.domain.value_objects.session_status import EndReason
from asr_service.domain.value_objects.transcript import join_texts
from asr_service.shared.errors import AsrError

_MAX_CHANNELS = 2
_PROJECT_NAME = "asr-service"
_FORMAT_FIELDS = (  # name, least, most
    ("rate", MIN_SAMPLE_RATE_HZ, MAX_SAMPLE_RATE_HZ),
    ("width", BYTES_PER_SAMPLE, BYTES_PER_SAMPLE),
    ("channels", 1, _MAX_CHANNELS),
)


class WyomingCodec:
    """One connection; one utterance of a person, which may be several to the service."""

    name: ClassVar[str] = "wyoming"
    reusable: ClassVar[bool] = False

    def __init__(
        self, capabilities: RecognizerCapabilities, defaults: SessionConfig, *, streaming: bool = False
    ) -> None:
        self._capabilities = capabilities
        self._config = replace(defaults, partials=replace(defaults.partials, enabled=False))
        self._streaming = streaming
        self._format: AudioFormat | None = None  # as audio-start or the first chunk says
        self._begun = False
        self._ended = False
        self._payload_is_audio = False
        self._texts: list[str] = []
        self._streamed_text = ""
        self._language: str | None = None
        self._failed = False
        self._readers = {
            "describe": self._describe,
            "ping": self._ping,
            "transcribe": self._transcribe,
            "audio-start": self._audio_start,
            "audio-chunk": self._audio_chunk,
            "audio-stop": self._audio_stop,
        }

    # --- from the client

    def greet(self) -> list[Frame]:
        return []

    def decode(self, frame: Frame) -> list[ClientMessage]:
        try:
            return self._payload(frame) if isinstance(frame, bytes) else self._event(frame)
        except AsrError as error:
            return [GiveUp(error)]

    def _payload(self, data: bytes) -> list[ClientMessage]:
        return [AudioData(data)] if self._payload_is_audio else []

    def _event(self, text: str) -> list[ClientMessage]:
        self._payload_is_audio = False
        event = read_json(text)
        if not isinstance(event, dict) or not isinstance(data := event.get("data") or {}, dict):
            raise MalformedMessage("The event is no JSON object with an object as its data.")
        kind = event.get("type")
        reader = self._readers.get(kind) if isinstance(kind, str) else None
        return [] if reader is None else reader(data)  # there are events of other services, and will be new ones

    def _describe(self, _data: dict[str, Any]) -> list[ClientMessage]:
        return [Reply((_event("info", asr=[self._program()]),))]

    def _ping(self, data: dict[str, Any]) -> list[ClientMessage]:
        return [Reply((_event("pong", text=_text(data, "text")),))]

    def _transcribe(self, data: dict[str, Any]) -> list[ClientMessage]:
        self._config = replace(self._config, options=self._options(data))
        return [ChangeOptions(self._config.options)] if self._begun and not self._ended else []

    def _options(self, data: dict[str, Any]) -> RecognitionOptions:
        language = supported_language(_text(data, "language"), self._capabilities)
        hotwords = usable_hotwords([*_texts(data, "transcript_names"), *_texts(data, "transcript_terms")])
        options = self._config.options
        return replace(
            options,
            language=language or options.language,
            hotwords=hotwords or options.hotwords,
        )

    def _audio_start(self, data: dict[str, Any]) -> list[ClientMessage]:
        if not self._ended:
            self._set_format(data)
        return []

    def _audio_chunk(self, data: dict[str, Any]) -> list[ClientMessage]:
        if self._ended:
            return []
        self._set_format(data)
        self._payload_is_audio = True
        return self._begin()

    def _audio_stop(self, _data: dict[str, Any]) -> list[ClientMessage]:
        if self._ended:
            return []
        begin = self._begin()
        self._ended = True
        return [*begin, EndInput()]

    def _begin(self) -> list[ClientMessage]:
        if self._begun:
            return []
        self._begun = True
        return [StartSession(self._config, self._format or AudioFormat())]

    def _set_format(self, data: dict[str, Any]) -> None:
        known = self._format or AudioFormat()
        fields = {"rate": known.sample_rate_hz, "width": BYTES_PER_SAMPLE, "channels": known.channels}
        for name, least, most in _FORMAT_FIELDS:
            value = fields[name] if data.get(name) is None else data[name]
            if type(value) is not int or not least <= value <= most:
                allowed = least if least == most else f"{least}–{most}"
                raise MalformedMessage(f"The audio's {name} must be {allowed}.", field=name)
            fields[name] = value
        wanted = AudioFormat(AudioEncoding.PCM_S16LE, fields["rate"], fields["channels"])
        if self._begun and wanted != self._format:
            raise MalformedMessage("The format of the audio changes in mid-stream.")
        self._format = wanted

    # --- to the client

    def encode(self, event: SessionEvent) -> list[Frame]:
        match event:
            case UtteranceFinalized(hypothesis=hypothesis) if hypothesis.text:
                self._texts.append(hypothesis.text)
                self._language = hypothesis.language or self._language
                return self._stream()
            case UtteranceFailed():
                self._failed = True
                return [_event("error", text=event.message, code=event.code)]
            case SessionEnded(reason=EndReason.COMPLETED | EndReason.TIMED_OUT):
                return self._transcript()
        return []

    def encode_error(self, error: AsrError, *, fatal: bool) -> list[Frame]:
        return [error_event(error)]

    def _stream(self) -> list[Frame]:
        """What the last final adds to the text."""
        if not self._streaming:
            return []
        start = [] if self._streamed_text else [_event("transcript-start", **self._language_field())]
        text = join_texts(self._texts)
        new, self._streamed_text = text[len(self._streamed_text) :], text
        return [*start, _event("transcript-chunk", text=new)]

    def _transcript(self) -> list[Frame]:
        """The whole text; none if some of it is missing, which has been told: half a command may mean something else."""
        if self._failed:
            return []
        whole = _event("transcript", text=join_texts(self._texts), **self._language_field())
        if not self._streaming:
            return [whole]
        start = [] if self._streamed_text else [_event("transcript-start", **self._language_field())]
        return [*start, whole, _event("transcript-stop")]

    def _language_field(self) -> dict[str, str]:
        return {} if self._language is None else {"language": self._language}

    def _program(self) -> dict[str, Any]:
        capabilities = self._capabilities
        about = {"version": __version__, "installed": True, "attribution": {"name": _PROJECT_NAME, "url": ""}}
        model = {
            "name": capabilities.model,
            "description": f"{capabilities.model}, by {capabilities.engine}",
            "languages": sorted(capabilities.languages),
            **about,
        }
        return {
            "name": _PROJECT_NAME,
            "description": "Self-hosted speech recognition",
            "models": [model],
            "supports_transcript_streaming": self._streaming,
            "requires_external_vad": True,  # the client says where the audio stops
            **about,
        }


def error_event(error: AsrError) -> Frame:
    """The event that reports an error."""
    return _event("error", text=error.explanation, code=error.code)


def _event(kind: str, **data: Any) -> Frame:
    return json.dumps({"type": kind, "data": data}, ensure_ascii=False)


def _text(data: dict[str, Any], name: str) -> str | None:
    value = data.get(name)
    if not isinstance(value, str | None):
        raise MalformedMessage(f"The {name} is no text.", field=name)
    return value


def _texts(data: dict[str, Any], name: str) -> list[str]:
    """The list of names or terms."""
    value = data.get(name) or []
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise MalformedMessage(f"The {name} are no list of texts.", field=name)
    return value
