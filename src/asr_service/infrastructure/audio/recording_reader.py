"""Reads recordings of any container with PyAV, block by block. Blocking: an event loop calls it in a thread."""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import BinaryIO, TypeAlias

import av
import numpy as np
import structlog
from av.audio import AudioFrame, AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from numpy.typing import NDArray

from asr_service.domain.ports.audio_decoder import AudioNotDecodable, AudioTooLong, EmptyAudio
from asr_service.domain.value_objects.audio_metadata import (
    BYTES_PER_SAMPLE,
    MAX_CHANNELS,
    MAX_SAMPLE_RATE_HZ,
    MIN_SAMPLE_RATE_HZ,
    SAMPLE_RATE_HZ,
)
from asr_service.infrastructure.audio.canonical_converter import CanonicalConverter
from asr_service.infrastructure.audio.sample_formats import scaled

log = structlog.get_logger(__name__)

# Containers of sound, and of films with sound. Play lists and the like are left out on purpose: they make libav open
# other files and addresses.
CONTAINERS = "aac,ac3,aiff,amr,amrnb,amrwb,asf,au,avi,caf,eac3,flac,flv,matroska,mov,mp3,mpeg,mpegts,ogg,tta,w64,wav,wv"
_OPTIONS = {"format_whitelist": CONTAINERS, "protocol_whitelist": "none"}
_GUESSED_DURATION = ("aac", "ac3", "amr", "eac3", "mp3", "mpeg", "mpegts")  # from the bit rate of the first packets
_READ_BYTES = 1 << 18
_BATCH_SECONDS = 0.25  # decoders give frames of 20 ms; mixing and resampling them one by one would cost more

_FrameShape: TypeAlias = tuple[int, int]  # rate, channels


@dataclass(slots=True)
class _Packets:
    """How many packets could be decoded, and how many could not."""

    sound: int = 0
    damaged: int = 0


def read_recording(source: BinaryIO, *, block_seconds: float, max_seconds: float) -> Generator[bytes, None, None]:
    """Decodes the sound track of a recording to canonical audio, in blocks of equal length but for the last.

    Formats are told by content: the source must not carry a name, since libav would believe its ending. Damaged packets
    are left out, with a warning at the end; what is good counts, unless it is less than half of the beginning.

    Args:
        source: Readable and seekable; left open.

    Raises (while iterating):
        AudioNotDecodable, EmptyAudio, AudioTooLong: See ``AudioDecoder.decode_file``.
    """
    with open_recording(source) as container:
        stream = sound_track(container)
        _check_declared_duration(container, max_seconds)
        packets = _Packets()
        audio = _limited(_canonical(_frames(container, stream, packets)), max_seconds)
        blocks = 0
        for block in _regrouped(audio, round(block_seconds * SAMPLE_RATE_HZ) * BYTES_PER_SAMPLE):
            if blocks == 0 and packets.damaged > packets.sound:
                break
            blocks += 1
            yield block
    if blocks == 0:
        raise _nothing_decoded(packets)
    if packets.damaged:
        log.warning("recording_damaged", damaged_packets=packets.damaged, sound_packets=packets.sound)


def open_recording(source: BinaryIO) -> InputContainer:
    """Opens a recording of any known container; the caller closes it.

    Raises:
        EmptyAudio: The source has no bytes.
        AudioNotDecodable: It is of no known kind, or too damaged to be opened.
    """
    if not source.read(1):
        raise EmptyAudio("The file is empty.")
    source.seek(0)
    try:
        return av.open(source, "r", options=_OPTIONS, metadata_errors="ignore", buffer_size=_READ_BYTES)
    except FFmpegError as error:
        raise AudioNotDecodable(
            "The file is no recording that can be read, or it is damaged at its beginning.",
            hint="Send WAV, MP3, FLAC, Ogg, M4A, MP4, WebM or AAC. Raw PCM cannot be guessed: give it a WAV header.",
        ) from error


def sound_track(container: InputContainer) -> AudioStream:
    """The sound track of a recording: the one that a player would choose.

    Raises:
        EmptyAudio: There is none.
        AudioNotDecodable: Its codec is unknown.
    """
    if not container.streams.audio:
        raise EmptyAudio("The file has no sound track.")
    stream = container.streams.best("audio") or container.streams.audio[0]
    if not isinstance(stream, AudioStream) or stream.codec_context is None:
        raise AudioNotDecodable("The codec of the sound track is not known.")
    return stream


def declared_seconds(container: InputContainer) -> float | None:
    """How long the recording says it is."""
    return None if container.duration is None else container.duration / av.time_base


def _check_declared_duration(container: InputContainer, max_seconds: float) -> None:
    seconds = declared_seconds(container)
    guessed = container.format.name in _GUESSED_DURATION
    if seconds is not None and seconds > max_seconds and not guessed:
        raise _too_long(max_seconds)


def _frames(container: InputContainer, stream: AudioStream, packets: _Packets) -> Iterator[AudioFrame]:
    undecoded = container.demux(stream)
    while True:
        try:
            packet = next(undecoded, None)
            if packet is None:
                return
            frames = packet.decode()
        except FFmpegError:
            packets.damaged += 1
            continue
        packets.sound += 1
        for frame in frames:
            if isinstance(frame, AudioFrame):
                yield frame


def _shape(frame: AudioFrame) -> _FrameShape:
    return frame.sample_rate, frame.layout.nb_channels


def _canonical(frames: Iterable[AudioFrame]) -> Iterator[bytes]:
    """Converts frame by frame; rate and channels may change on the way, as in chained Ogg files."""
    for (sample_rate_hz, channels), alike in groupby(frames, key=_shape):
        if not MIN_SAMPLE_RATE_HZ <= sample_rate_hz <= MAX_SAMPLE_RATE_HZ or not 1 <= channels <= MAX_CHANNELS:
            raise AudioNotDecodable(
                f"The sound track has {sample_rate_hz} Hz and {channels} channels; "
                f"{MIN_SAMPLE_RATE_HZ}–{MAX_SAMPLE_RATE_HZ} Hz and 1–{MAX_CHANNELS} channels can be read."
            )
        converter = CanonicalConverter(sample_rate_hz, channels)
        for samples in _batched(alike, round(sample_rate_hz * _BATCH_SECONDS)):
            yield converter.convert(samples)
        yield converter.finish()


def _batched(frames: Iterable[AudioFrame], least: int) -> Iterator[NDArray[np.float32]]:
    batch: list[NDArray[np.float32]] = []
    count = 0
    for frame in frames:
        batch.append(_samples(frame))
        count += frame.samples
        if count >= least:
            yield np.concatenate(batch)
            batch, count = [], 0
    if batch:
        yield np.concatenate(batch)


def _samples(frame: AudioFrame) -> NDArray[np.float32]:
    """The frame as ``[samples, channels]`` with full scale at 1."""
    samples = scaled(frame.to_ndarray())
    return samples.T if frame.format.is_planar else samples.reshape(-1, frame.layout.nb_channels)


def _limited(audio: Iterable[bytes], max_seconds: float) -> Iterator[bytes]:
    left = round(max_seconds * SAMPLE_RATE_HZ) * BYTES_PER_SAMPLE
    for pcm in audio:
        left -= len(pcm)
        if left < 0:
            raise _too_long(max_seconds)
        yield pcm


def _regrouped(audio: Iterable[bytes], block_bytes: int) -> Iterator[bytes]:
    pending = bytearray()
    for pcm in audio:
        pending += pcm
        while len(pending) >= block_bytes:
            yield bytes(pending[:block_bytes])
            del pending[:block_bytes]
    if pending:
        yield bytes(pending)


def _too_long(max_seconds: float) -> AudioTooLong:
    return AudioTooLong(
        f"The recording is longer than the {max_seconds:g} s that are accepted.", hint="Send it in shorter parts."
    )


def _nothing_decoded(packets: _Packets) -> AudioNotDecodable | EmptyAudio:
    if packets.damaged:
        return AudioNotDecodable("The sound track is damaged: hardly any of it can be decoded.")
    return EmptyAudio("The sound track has no audio in it.")
