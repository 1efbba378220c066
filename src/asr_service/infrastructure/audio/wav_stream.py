"""Takes a WAV file apart while it arrives."""

import struct

from asr_service.domain.ports.audio_decoder import AudioNotDecodable
from asr_service.domain.value_objects.audio_metadata import MAX_CHANNELS, MAX_SAMPLE_RATE_HZ, MIN_SAMPLE_RATE_HZ
from asr_service.infrastructure.audio.sample_formats import PcmFormat, SampleFormat
from asr_service.infrastructure.audio.signatures import SIGNATURE_BYTES, is_wav

_CHUNK_HEADER_BYTES = 8
_FORMAT_CHUNK_BYTES = range(16, 4097)
_MAX_SKIPPED_BYTES = 1 << 20  # chunks before the audio: cover art fits, a damaged size field does not
_OPEN_ENDED = (0, 0xFFFFFFFF)  # announced by writers that do not know the length yet
_CHUNK_NAME_CHARACTERS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _")

_PCM, _FLOAT, _ALAW, _MULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE  # format tags (mmreg.h)
_SAMPLE_FORMATS = {
    (_PCM, 1): SampleFormat.U8,
    (_PCM, 2): SampleFormat.S16,
    (_PCM, 3): SampleFormat.S24,
    (_PCM, 4): SampleFormat.S32,
    (_FLOAT, 4): SampleFormat.F32,
    (_FLOAT, 8): SampleFormat.F64,
    (_ALAW, 1): SampleFormat.ALAW,
    (_MULAW, 1): SampleFormat.MULAW,
}


class WavStream:
    """Drops everything of a WAV stream but its audio; what it returns does not depend on how the stream is cut.

    An announced length of 0 or 0xFFFFFFFF means that audio goes on to the end. After a true length, other chunks are
    dropped, and a further WAV header of the same format begins more audio, as clients send that wrap every packet.
    Bytes that are no chunk are audio whose length was announced wrongly, rather than nothing.
    """

    def __init__(self) -> None:
        self.format: PcmFormat | None = None
        self._pending = bytearray()
        self._audio_left: int | None = 0  # None: to the end
        self._skip_left = 0
        self._skipped_before_audio = 0
        self._after_audio = False

    def feed(self, data: bytes) -> bytes:
        """Takes the next bytes; returns the audio among them. ``format`` is set before the first audio comes.

        Raises:
            AudioNotDecodable: The header is damaged, or what follows is no PCM.
        """
        if self._audio_left is None:
            return data
        self._pending += data
        audio = bytearray()
        while self._pending and self._advance(audio):
            pass
        return bytes(audio)

    def _advance(self, audio: bytearray) -> bool:
        """Deals with the next stretch of one kind; false when more bytes are needed for that."""
        if self._audio_left is None:
            audio += self._taken(len(self._pending))
        elif self._audio_left:
            stretch = self._taken(self._audio_left)
            self._audio_left -= len(stretch)
            audio += stretch
        elif self._skip_left:
            self._skip_left -= len(self._taken(self._skip_left))
        else:
            return self._take_chunk_header()
        return True

    def _taken(self, count: int) -> bytes:
        stretch = bytes(self._pending[:count])
        del self._pending[:count]
        return stretch

    def _take_chunk_header(self) -> bool:
        name = bytes(self._pending[:4])
        if len(self._pending) < _CHUNK_HEADER_BYTES:
            return False
        if name in (b"RIFF", b"RF64"):
            return self._take_file_header()
        if name == b"fmt ":
            return self._take_format()
        size = int.from_bytes(self._pending[4:8], "little")
        if name == b"data":
            self._begin_audio(size)
        elif self._after_audio and not _CHUNK_NAME_CHARACTERS.issuperset(name):
            self._audio_left = None
            return True
        else:
            self._skip_chunk(size)
        self._taken(_CHUNK_HEADER_BYTES)
        return True

    def _take_file_header(self) -> bool:
        if len(self._pending) < SIGNATURE_BYTES:
            return False
        if not is_wav(self._taken(SIGNATURE_BYTES)):
            raise AudioNotDecodable("A RIFF file that is no WAV file follows in the stream.")
        return True

    def _take_format(self) -> bool:
        size = int.from_bytes(self._pending[4:8], "little")
        if size not in _FORMAT_CHUNK_BYTES:
            raise AudioNotDecodable(f"The WAV header is damaged: a format chunk of {size} bytes.")
        if len(self._pending) < _CHUNK_HEADER_BYTES + size + size % 2:
            return False
        chunk = self._taken(_CHUNK_HEADER_BYTES + size + size % 2)[_CHUNK_HEADER_BYTES:]
        pcm_format = _parse_format(chunk)
        if self.format not in (None, pcm_format):
            raise AudioNotDecodable("A second WAV header in the stream announces another format than the first.")
        self.format = pcm_format
        return True

    def _begin_audio(self, size: int) -> None:
        if self.format is None:
            raise AudioNotDecodable("The WAV header is damaged: the audio comes before its format.")
        self._after_audio = True
        if size in _OPEN_ENDED:
            self._audio_left = None
        else:
            self._audio_left, self._skip_left = size, size % 2

    def _skip_chunk(self, size: int) -> None:
        self._skip_left = size + size % 2
        if not self._after_audio:
            self._skipped_before_audio += self._skip_left
            if self._skipped_before_audio > _MAX_SKIPPED_BYTES:
                raise AudioNotDecodable("The WAV header is damaged: no audio within its first megabyte.")


def _parse_format(chunk: bytes) -> PcmFormat:
    tag, channels, sample_rate_hz, _, frame_bytes, bits = struct.unpack_from("<HHIIHH", chunk)
    if tag == _EXTENSIBLE and len(chunk) >= 26:
        tag = int.from_bytes(chunk[24:26], "little")  # a GUID that begins with the plain tag
    if not 1 <= channels <= MAX_CHANNELS:
        raise AudioNotDecodable(f"The WAV header announces {channels} channels; 1–{MAX_CHANNELS} can be read.")
    if not MIN_SAMPLE_RATE_HZ <= sample_rate_hz <= MAX_SAMPLE_RATE_HZ:
        raise AudioNotDecodable(
            f"The WAV header announces {sample_rate_hz} Hz; {MIN_SAMPLE_RATE_HZ}–{MAX_SAMPLE_RATE_HZ} can be read."
        )
    width_bytes = frame_bytes // channels or (bits + 7) // 8
    sample_format = _SAMPLE_FORMATS.get((tag, width_bytes))
    if sample_format is None:
        raise AudioNotDecodable(
            f"The WAV header announces samples of {bits} bits with the format tag {tag:#06x}, which is no plain PCM.",
            hint="Declare the encoding as a container, and send the whole file.",
        )
    return PcmFormat(sample_format, sample_rate_hz, channels)
