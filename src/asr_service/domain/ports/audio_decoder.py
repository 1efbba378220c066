"""From whatever a client sends to canonical audio: 16 kHz mono s16le."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Protocol

from asr_service.domain.value_objects.audio_metadata import AudioFormat
from asr_service.shared.errors import AsrError, InvalidRequest


class AudioNotDecodable(InvalidRequest):
    """The bytes are no audio that the service can read, or they are damaged."""

    code = "audio_not_decodable"


class EmptyAudio(InvalidRequest):
    """There is no audio in the input."""

    code = "empty_audio"


class AudioTooLong(InvalidRequest):
    """The recording is longer, or larger, than the service is set to accept."""

    code = "audio_too_long"


class NoRoomForAudio(AsrError):
    """The bytes of a container cannot be kept until they can be decoded: no disk space, or no folder to write to."""

    code = "no_room_for_audio"


class AudioStreamDecoder(Protocol):
    """Decodes one live stream. The output does not depend on how the input is cut, but for Opus: there each call takes one
    packet, and an empty one stands for a packet that was lost.

    Calls on one stream must not overlap. A stream needs no closing; after ``flush``, or an error, it is of no further use.
    """

    async def feed(self, data: bytes) -> bytes:
        """Takes the next bytes, any number of them; returns the canonical audio that is complete by now.

        Raises:
            AudioNotDecodable: The bytes cannot be audio of the declared format.
            AudioTooLong: A container has grown over the limit.
            NoRoomForAudio: A container cannot be kept.
        """
        ...

    def flush(self) -> AsyncGenerator[bytes, None]:
        """Ends the input and gives what is left; a container that can only be read as a whole is decoded here.

        Raw PCM leaves one block at most, a container as many of a few seconds as it has: nothing is decoded ahead, so
        that memory does not grow with its length. No block is empty. Whoever stops early closes the generator, and with
        it what the stream was kept in. A stream without a single byte has no audio, and that is no error. Part of a
        last, incomplete sample is dropped.

        Raises (while iterating):
            AudioNotDecodable: As for ``feed``.
            EmptyAudio: A container has bytes, and no audio in them.
            AudioTooLong: The audio in a container is longer than the limit.
            NoRoomForAudio: As for ``feed``.
        """
        ...


class AudioDecoder(Protocol):
    """Makes decoders for streams, and reads files."""

    def open_stream(self, audio_format: AudioFormat) -> AudioStreamDecoder:
        """A decoder for one stream. A WAV header at the start of raw PCM is understood, and wins over the format.

        Raw PCM that begins like another kind of file is refused with ``AudioNotDecodable``, not heard as noise.
        """
        ...

    def decode_file(self, path: Path) -> AsyncGenerator[bytes, None]:
        """Reads a recording of any common container in blocks of a few seconds, so that memory does not grow with it.

        Nothing is read ahead: the next block is decoded when it is asked for. Whoever stops early closes the generator,
        and with it the file.

        Raises (while iterating):
            OSError: The file cannot be opened.
            EmptyAudio: The file has no bytes, or no audio in it.
            AudioNotDecodable: It is no audio, or damaged before the first sample; audio before a later damage counts.
            AudioTooLong: It is longer than the limit.
        """
        ...

    async def probe_seconds(self, path: Path) -> float | None:
        """How long the recording says it is, for showing progress; ``None`` when it does not say.

        An estimate where the format has no place for a length (MP3 without a header of its own, raw AAC).

        Raises:
            OSError: The file cannot be opened.
            EmptyAudio, AudioNotDecodable: As for ``decode_file``.
        """
        ...
