"""The audio decoder of the service."""

import asyncio
import os
from collections.abc import AsyncGenerator, Generator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from asr_service.domain.ports.audio_decoder import AudioStreamDecoder
from asr_service.domain.value_objects.audio_metadata import AudioEncoding, AudioFormat
from asr_service.infrastructure.audio.container_stream import ContainerStreamDecoder
from asr_service.infrastructure.audio.opus_stream import OpusStreamDecoder
from asr_service.infrastructure.audio.pcm_stream import PcmStreamDecoder
from asr_service.infrastructure.audio.recording_reader import (
    declared_seconds,
    open_recording,
    read_recording,
    sound_track,
)
from asr_service.infrastructure.audio.threaded_blocks import in_threads


class PyAvAudioDecoder:
    """Decodes with PyAV and soxr; all its work on files is done in threads.

    Args:
        max_file_seconds: Longest recording, whether it is a file or a container that was streamed.
        max_container_bytes: Largest container that can be streamed.
        block_seconds: Length of the blocks of files and streamed containers; each takes memory for one of them.
    """

    def __init__(self, *, max_file_seconds: float, max_container_bytes: int, block_seconds: float = 5.0) -> None:
        self._max_container_bytes = max_container_bytes
        self._read = partial(read_recording, block_seconds=block_seconds, max_seconds=max_file_seconds)

    def open_stream(self, audio_format: AudioFormat) -> AudioStreamDecoder:
        """See ``AudioDecoder.open_stream``."""
        if audio_format.encoding is AudioEncoding.CONTAINER:
            return ContainerStreamDecoder(self._read, max_bytes=self._max_container_bytes)
        if audio_format.encoding is AudioEncoding.OPUS:
            return OpusStreamDecoder(audio_format)
        return PcmStreamDecoder(audio_format)

    def decode_file(self, path: Path) -> AsyncGenerator[bytes, None]:
        """See ``AudioDecoder.decode_file``. Ending the iteration early, or cancelling it, closes the file."""
        return in_threads(self._blocks(path))

    async def probe_seconds(self, path: Path) -> float | None:
        """See ``AudioDecoder.probe_seconds``."""
        return await asyncio.to_thread(_probe, path)

    def _blocks(self, path: Path) -> Generator[bytes, None, None]:
        with _nameless(path) as file:
            yield from self._read(file)


def _nameless(path: Path) -> BinaryIO:
    """Opens the file so that its ending cannot mislead libav, which would take raw PCM named ``.aac`` for AAC."""
    return os.fdopen(os.open(path, os.O_RDONLY), "rb")


def _probe(path: Path) -> float | None:
    with _nameless(path) as file, open_recording(file) as container:
        sound_track(container)
        return declared_seconds(container)
