"""FunASR's configuration frame, read as tolerantly as clients write it."""

import json
import math
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from asr_service.app.api.v1.websocket.protocols.codec import MalformedMessage
from asr_service.app.dto.session_config import MAX_HOTWORDS, supported_language
from asr_service.domain.ports.recognizer import RecognizerCapabilities
from asr_service.domain.value_objects.asr_config import (
    RECORDING_ENDPOINTING,
    PartialPolicy,
    RecognitionOptions,
    SessionConfig,
)
from asr_service.domain.value_objects.audio_metadata import (
    MAX_SAMPLE_RATE_HZ,
    MIN_SAMPLE_RATE_HZ,
    SAMPLE_RATE_HZ,
    AudioEncoding,
    AudioFormat,
)

DEFAULT_NAME = "wav-default-id"
_CHUNK_MS = 60  # unit of chunk_size
_MIN_PARTIAL_MS, _MAX_PARTIAL_MS = 300, 2_000
_MAX_NAME_CHARACTERS = 200
_MAX_HOTWORD_CHARACTERS = 64
_PCM_FORMATS = ("pcm", "wav")  # clients strip the header of a .wav, or send it along: the decoder sees which


class Mode(StrEnum):
    """What a client wants to be sent."""

    TWO_PASS = "2pass"  # noqa: S105 - no password
    ONLINE = "online"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class FunAsrConfig:
    """What the configuration frames of a connection have said so far."""

    mode: Mode = Mode.TWO_PASS
    wav_name: str = DEFAULT_NAME
    encoding: AudioEncoding = AudioEncoding.PCM_S16LE
    sample_rate_hz: int = SAMPLE_RATE_HZ
    partial_ms: int | None = None
    language: str | None = None
    hotwords: tuple[str, ...] | None = None

    def updated(self, message: dict[str, Any], capabilities: RecognizerCapabilities) -> "FunAsrConfig":
        """With the keys that a frame carries; unknown keys are other servers' business.

        Raises:
            MalformedMessage: A value cannot be understood.
            UnsupportedLanguage: The recognizer does not know ``svs_lang``.
        """
        changes: dict[str, Any] = {}
        if "mode" in message:
            changes["mode"] = _mode(message["mode"])
        if "wav_name" in message:
            changes["wav_name"] = str(message["wav_name"])[:_MAX_NAME_CHARACTERS]
        if "wav_format" in message:
            raw = str(message["wav_format"]).lower() in _PCM_FORMATS
            changes["encoding"] = AudioEncoding.PCM_S16LE if raw else AudioEncoding.CONTAINER
        if "audio_fs" in message:
            changes["sample_rate_hz"] = _sample_rate(message["audio_fs"])
        if "chunk_size" in message:
            changes["partial_ms"] = _partial_ms(message["chunk_size"])
        if "hotwords" in message:
            changes["hotwords"] = parse_hotwords(message["hotwords"])
        if "svs_lang" in message:
            changes["language"] = supported_language(str(message["svs_lang"]), capabilities)
        return replace(self, **changes)

    def options(self, defaults: RecognitionOptions) -> RecognitionOptions:
        return replace(
            defaults,
            language=self.language or defaults.language,
            hotwords=defaults.hotwords if self.hotwords is None else self.hotwords,
        )

    def session_config(self, defaults: SessionConfig) -> SessionConfig:
        """What this means for a session."""
        offline = self.mode is Mode.OFFLINE
        interval_ms = self.partial_ms or defaults.partials.interval_ms
        return replace(
            defaults,
            name=self.wav_name,
            options=self.options(defaults.options),
            endpointing=RECORDING_ENDPOINTING if offline else defaults.endpointing,
            partials=PartialPolicy(enabled=not offline, interval_ms=interval_ms),
        )

    def audio_format(self) -> AudioFormat:
        return AudioFormat(self.encoding, self.sample_rate_hz, channels=1)


def truth(value: object) -> bool | None:
    """A boolean, also where a client wrote it as text or number; ``None`` if it is none of these."""
    if isinstance(value, str):
        return {"true": True, "1": True, "false": False, "0": False}.get(value.strip().lower())
    return bool(value) if isinstance(value, bool | int | float) else None


def parse_hotwords(value: object) -> tuple[str, ...]:
    """Hotwords in any form that clients send, most important first, without the weights.

    A JSON object of words and weights (often as text inside the JSON), a list, or text that is separated by commas,
    semicolons or line breaks and, only if there are none of these, by spaces.
    """
    if isinstance(value, str):
        try:
            decoded = json.loads(value)
        except ValueError:
            decoded = None
        value = decoded if isinstance(decoded, dict | list) else _split(value)
    if isinstance(value, dict):
        value = [word for word, _ in sorted(value.items(), key=lambda entry: -_weight(entry[1]))]
    words = (str(word).strip() for word in value) if isinstance(value, list) else ()
    return tuple(word for word in words if 0 < len(word) <= _MAX_HOTWORD_CHARACTERS)[:MAX_HOTWORDS]


def _split(text: str) -> list[str]:
    separated = re.split(r"[,，;；\r\n\t]+", text)
    return separated if len(separated) > 1 else text.split()


def _weight(value: object) -> float:
    try:
        weight = float(str(value))
    except ValueError:
        return 0.0
    return weight if math.isfinite(weight) else 0.0


def _mode(value: object) -> Mode:
    """Unknown modes are two-pass, as in the C++ server; a client in the field really sends ``office``."""
    try:
        return Mode(str(value).strip().lower())
    except ValueError:
        return Mode.TWO_PASS


def _sample_rate(value: object) -> int:
    try:
        rate = int(float(str(value)))
    except (ValueError, OverflowError):
        rate = 0
    if not MIN_SAMPLE_RATE_HZ <= rate <= MAX_SAMPLE_RATE_HZ:
        raise MalformedMessage(
            f"audio_fs is {str(value)[:20]!r}.",
            field="audio_fs",
            hint=f"Use a rate in Hz from {MIN_SAMPLE_RATE_HZ} to {MAX_SAMPLE_RATE_HZ}, for instance 16000.",
        )
    return rate


def _partial_ms(value: object) -> int | None:
    """The interval of partials that ``[a, b, c]`` asks for: b chunks of 60 ms. Also read as the text ``"5,10,5"``."""
    parts = value.strip("[] ").split(",") if isinstance(value, str) else value
    if not isinstance(parts, list) or len(parts) < 2:
        return None
    try:
        chunks = int(parts[1])
    except (TypeError, ValueError):
        return None
    return min(max(chunks * _CHUNK_MS, _MIN_PARTIAL_MS), _MAX_PARTIAL_MS)
