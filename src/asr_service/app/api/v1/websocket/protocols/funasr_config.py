"""FunASR's configuration frame, read as tolerantly as clients write it."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from asr_service.app.api.v1.websocket.protocols.codec import MalformedMessage, UnsupportedOption, read_json
from asr_service.app.dto.session_config import supported_language, usable_hotwords
from asr_service.domain.ports.recognizer import RecognizerCapabilities
from asr_service.domain.value_objects.asr_config import (
    RECORDING_ENDPOINTING,
    Chunking,
    Numbers,
    RecognitionOptions,
    SessionConfig,
    SettingNotAllowed,
)
from asr_service.domain.value_objects.audio_metadata import (
    MAX_SAMPLE_RATE_HZ,
    MIN_SAMPLE_RATE_HZ,
    SAMPLE_RATE_HZ,
    AudioEncoding,
    AudioFormat,
)
from asr_service.shared.errors import InvalidRequest

DEFAULT_NAME = "wav-default-id"
_CHUNK_MS = 60  # unit of chunk_size
_MIN_PARTIAL_MS, _MAX_PARTIAL_MS = 300, 2_000
_MAX_NAME_CHARACTERS = 200
_DEFAULT_WEIGHT, _MAX_WEIGHT = 20.0, 1_000.0  # of a hotword; FunASR's own examples say 20 to 30
_PCM_FORMATS = ("pcm", "wav", "")  # clients strip the header of a .wav, or send it along: the decoder sees which


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
    chunk_size: tuple[int, int, int] | None = None
    encoder_look_back: int | None = None
    decoder_look_back: int | None = None
    language: str | None = None
    hotwords: tuple[str, ...] | None = None
    numbers: Numbers | None = None
    svs_numbers: Numbers | None = None

    def updated(
        self, message: dict[str, Any], capabilities: RecognizerCapabilities
    ) -> tuple["FunAsrConfig", list[InvalidRequest]]:
        """With what a frame says, and what of it cannot be fulfilled; unknown keys are other servers' business."""
        changes: dict[str, Any] = {}
        problems: list[InvalidRequest] = []
        for key, field, read in _READINGS:
            if message.get(key) is None:
                continue  # null is the same as nothing
            try:
                changes[field] = read(message[key], capabilities)
            except InvalidRequest as problem:
                problems.append(problem)
        return replace(self, **changes), problems

    def options(self, defaults: RecognitionOptions) -> RecognitionOptions:
        return replace(
            defaults,
            language=self.language or defaults.language,
            hotwords=defaults.hotwords if self.hotwords is None else self.hotwords,
            numbers=self._numbers(defaults.numbers),
            chunking=Chunking(self.chunk_size, self.encoder_look_back, self.decoder_look_back).or_else(
                defaults.chunking
            ),
        )

    def _numbers(self, default: Numbers) -> Numbers:
        """Two keys ask for inverse text normalization, of different models; clients send both, and it takes both."""
        said = [numbers for numbers in (self.numbers, self.svs_numbers) if numbers is not None]
        if not said:
            return default
        return Numbers.SPOKEN if Numbers.SPOKEN in said else said[0]

    def session_config(self, defaults: SessionConfig) -> SessionConfig:
        """What this means for a session."""
        offline = self.mode is Mode.OFFLINE
        return replace(
            defaults,
            name=self.wav_name,
            options=self.options(defaults.options),
            endpointing=RECORDING_ENDPOINTING if offline else defaults.endpointing,
            partials=replace(
                defaults.partials,
                enabled=defaults.partials.enabled and not offline,
                interval_ms=self.partial_ms or defaults.partials.interval_ms,
            ),
            live=not offline,
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
            decoded = read_json(value)
        except MalformedMessage:
            decoded = None
        value = decoded if isinstance(decoded, dict | list) else _split(value)
    if isinstance(value, dict):
        value = [word for word, _ in sorted(value.items(), key=lambda entry: -_weight(entry[1]))]
    return usable_hotwords(value) if isinstance(value, list) else ()


def _split(text: str) -> list[str]:
    separated = re.split(r"[,，;；\r\n\t]+", text)
    return separated if len(separated) > 1 else text.split()


def _weight(value: object) -> float:
    try:
        weight = float(str(value))
    except ValueError:
        return _DEFAULT_WEIGHT
    return _DEFAULT_WEIGHT if math.isnan(weight) else min(max(weight, 0.0), _MAX_WEIGHT)


def _mode(value: object) -> Mode:
    """Unknown modes are two-pass, as in the C++ server; a client in the field really sends ``office``."""
    try:
        return Mode(str(value).strip().lower())
    except ValueError:
        return Mode.TWO_PASS


def _name(value: object) -> str:
    return str(value)[:_MAX_NAME_CHARACTERS]


def _encoding(value: object) -> AudioEncoding:
    return AudioEncoding.PCM_S16LE if str(value).strip().lower() in _PCM_FORMATS else AudioEncoding.CONTAINER


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
    parts = _parts(value)
    chunks = _integer(parts[1]) if len(parts) >= 2 else None
    return None if chunks is None else min(max(chunks * _CHUNK_MS, _MIN_PARTIAL_MS), _MAX_PARTIAL_MS)


def _chunk_size(value: object, capabilities: RecognizerCapabilities) -> tuple[int, int, int] | None:
    """The same for a streaming model; ``None``: it is no list of three numbers, or the model has no chunks to choose."""
    numbers = [number for part in _parts(value) if (number := _integer(part)) is not None]
    if len(numbers) != 3 or len(_parts(value)) != 3 or not capabilities.chunking:
        return None
    size = (numbers[0], numbers[1], numbers[2])
    _check(lambda: Chunking(size))
    return size


def _encoder_look_back(value: object, capabilities: RecognizerCapabilities) -> int | None:
    chunks = _integer(value) if capabilities.chunking else None
    _check(lambda: Chunking(encoder_look_back=chunks))
    return chunks


def _decoder_look_back(value: object, capabilities: RecognizerCapabilities) -> int | None:
    chunks = _integer(value) if capabilities.chunking else None
    _check(lambda: Chunking(decoder_look_back=chunks))
    return chunks


def _check(make: Callable[[], Chunking]) -> None:
    """Has the session go on with the server's chunks if the client's are not allowed: old clients send anything."""
    try:
        make()
    except SettingNotAllowed as error:
        raise UnsupportedOption(f"{error}.", field=error.field) from error


def _parts(value: object) -> list[object]:
    parts = value.strip("[] ").split(",") if isinstance(value, str) else value
    return parts if isinstance(parts, list) else []


def _integer(value: object) -> int | None:
    """A number as clients write it; ``None`` if it is none."""
    try:
        return int(float(value)) if isinstance(value, str | int | float) else None
    except (ValueError, OverflowError):
        return None


def _numbers(value: object, capabilities: RecognizerCapabilities) -> Numbers | None:
    """Without inverse text normalization numbers stay as they are spoken; with it they are written in digits.

    Where nothing can write them, what the engine makes of them is the nearest to it.
    """
    wanted = truth(value)
    if wanted is None:
        return None
    if not wanted:
        return Numbers.SPOKEN
    return Numbers.WRITTEN if capabilities.text.written_numbers else Numbers.AS_RECOGNIZED


_READINGS: tuple[tuple[str, str, Callable[[Any, RecognizerCapabilities], object]], ...] = (
    ("mode", "mode", lambda value, _: _mode(value)),
    ("wav_name", "wav_name", lambda value, _: _name(value)),
    ("wav_format", "encoding", lambda value, _: _encoding(value)),
    ("audio_fs", "sample_rate_hz", lambda value, _: _sample_rate(value)),
    ("chunk_size", "partial_ms", lambda value, _: _partial_ms(value)),
    ("chunk_size", "chunk_size", _chunk_size),
    ("encoder_chunk_look_back", "encoder_look_back", _encoder_look_back),
    ("decoder_chunk_look_back", "decoder_look_back", _decoder_look_back),
    ("hotwords", "hotwords", lambda value, _: parse_hotwords(value)),
    ("itn", "numbers", _numbers),
    ("svs_itn", "svs_numbers", _numbers),
    ("svs_lang", "language", lambda value, capabilities: supported_language(str(value), capabilities)),
)
"""Keys of the frame, the field of the configuration that each sets, and how its value is read."""
