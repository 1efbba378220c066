"""Live decoding of Opus packets."""

from collections.abc import AsyncGenerator

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from asr_service.domain.ports.audio_decoder import AudioNotDecodable
from asr_service.domain.value_objects.audio_metadata import AudioFormat
from asr_service.infrastructure.audio.canonical_converter import CanonicalConverter
from asr_service.infrastructure.audio.sample_formats import scaled

_RATE_HZ = 48_000  # libopus decodes to it whatever was encoded (RFC 6716, section 2.1.3)
_LAYOUTS = {1: "mono", 2: "stereo"}


class OpusStreamDecoder:
    """Decodes one stream of Opus packets; each call of ``feed`` takes one whole packet.

    An empty packet stands for a lost one, and is as much silence as the packet before it had audio; before the first there
    is nothing to go by, and it is nothing. The delay of the encoder (6.5 ms with libopus's defaults) stays at the
    beginning. A packet takes 0.1 ms or so, so it is decoded where it arrives.
    """

    def __init__(self, audio_format: AudioFormat) -> None:
        """``audio_format`` has one or two channels; its rate means nothing."""
        self._decoder = av.CodecContext.create("libopus", "r")
        self._decoder.sample_rate = _RATE_HZ
        self._decoder.layout = _LAYOUTS[audio_format.channels]
        self._converter = CanonicalConverter(_RATE_HZ, audio_format.channels)
        self._last_shape = (0, audio_format.channels)

    async def feed(self, data: bytes) -> bytes:
        """See ``AudioStreamDecoder.feed``."""
        samples = self._decoded(data) if data else np.zeros(self._last_shape, np.float32)
        self._last_shape = samples.shape
        return self._converter.convert(samples) if samples.size else b""

    async def flush(self) -> AsyncGenerator[bytes, None]:
        """See ``AudioStreamDecoder.flush``."""
        if rest := self._converter.finish():
            yield rest

    def _decoded(self, packet: bytes) -> NDArray[np.float32]:
        channels = self._last_shape[1]
        try:
            frames = self._decoder.decode(av.Packet(packet))
        except FFmpegError as error:
            raise AudioNotDecodable(
                f"A binary frame of {len(packet)} bytes is no Opus packet.",
                hint="Send one packet in each frame, without an Ogg or WebM container; those are the encoding container.",
            ) from error
        return np.concatenate([scaled(frame.to_ndarray()).reshape(-1, channels) for frame in frames])
