"""Live decoding of raw PCM."""

import asyncio
from collections.abc import AsyncGenerator

from asr_service.domain.ports.audio_decoder import AudioNotDecodable
from asr_service.domain.value_objects.audio_metadata import SAMPLE_RATE_HZ, AudioFormat
from asr_service.infrastructure.audio.canonical_converter import CanonicalConverter
from asr_service.infrastructure.audio.sample_formats import SAMPLE_FORMATS, PcmFormat, SampleFormat, read_frames
from asr_service.infrastructure.audio.signatures import SIGNATURE_BYTES, container_name, is_wav
from asr_service.infrastructure.audio.wav_stream import WavStream

_CANONICAL = PcmFormat(SampleFormat.S16, SAMPLE_RATE_HZ, 1)
_INLINE_SECONDS = 1.0  # about 0.2 ms of work; a thread pays for itself only beyond


class PcmStreamDecoder:
    """Decodes one stream of raw PCM, with or without a WAV header before it.

    Canonical input comes out as it went in, without being touched. The first 12 bytes are held until all of them are
    there, since they may be a header.
    """

    def __init__(self, audio_format: AudioFormat) -> None:
        """``audio_format`` has one of the raw encodings."""
        self._declared = audio_format
        self._format = PcmFormat(
            SAMPLE_FORMATS[audio_format.encoding], audio_format.sample_rate_hz, audio_format.channels
        )
        self._head: bytes | None = b""  # None once it is known what kind of stream this is
        self._wav: WavStream | None = None
        self._carry = b""  # the beginning of a frame whose end has not arrived
        self._converter: CanonicalConverter | None = None

    async def feed(self, data: bytes) -> bytes:
        """See ``AudioStreamDecoder.feed``. More than a second of audio that needs work is worked on in a thread."""
        untouched = self._head is None and self._format == _CANONICAL
        if len(data) > _INLINE_SECONDS * self._format.bytes_per_s and not untouched:
            return await asyncio.to_thread(self._take, data)
        return self._take(data)

    async def flush(self) -> AsyncGenerator[bytes, None]:
        """See ``AudioStreamDecoder.flush``."""
        head, self._head = self._head, None
        rest = self._convert(head) if head else b""
        rest += self._converter.finish() if self._converter else b""
        if rest:
            yield rest

    def _take(self, data: bytes) -> bytes:
        if self._head is not None:
            self._head += data
            if len(self._head) < SIGNATURE_BYTES:
                return b""
            data, self._head = self._head, None
            self._recognize(data)
        if self._wav is not None:
            data = self._wav.feed(data)
            self._format = self._wav.format or self._format
        return self._convert(data)

    def _recognize(self, head: bytes) -> None:
        """Sees what the stream begins with."""
        if is_wav(head):
            self._wav = WavStream()
        elif (name := container_name(head)) is not None:
            raise AudioNotDecodable(
                f"The stream begins like {name}, while {self._declared.encoding} was declared.",
                hint="Declare the encoding as a container, and send the whole file.",
            )

    def _convert(self, audio: bytes) -> bytes:
        if self._carry:
            audio = self._carry + audio
        whole = len(audio) - len(audio) % self._format.frame_bytes
        if whole < len(audio):
            audio, self._carry = audio[:whole], audio[whole:]
        else:
            self._carry = b""
        if self._format == _CANONICAL or not audio:
            return audio
        if self._converter is None:
            self._converter = CanonicalConverter(self._format.sample_rate_hz, self._format.channels)
        return self._converter.convert(read_frames(audio, self._format))
