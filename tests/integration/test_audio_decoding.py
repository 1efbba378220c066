"""Recordings of all the kinds that people have, made with PyAV and read back."""

import asyncio
import io
import threading
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from asr_service.domain.ports.audio_decoder import AudioTooLong
from asr_service.domain.value_objects.audio_metadata import AudioEncoding, AudioFormat
from asr_service.infrastructure.audio import recording_reader
from asr_service.infrastructure.audio.pyav_decoder import PyAvAudioDecoder
from asr_service.infrastructure.audio.recording_reader import read_recording
from asr_service.infrastructure.audio.sample_formats import PcmFormat, SampleFormat, read_frames
from tests.fixtures.encoded_audio import ALAW, MULAW, TO_THE_END, encoded, interleaved, wav
from tests.fixtures.sounds import as_pcm, babble, dominant_hz, from_pcm, level, tone
from tests.fixtures.tidiness import open_files

SECONDS = 3.0
PITCH_HZ = 440.0

# Container, codec, rate, layout, and how much longer than the sound the decoded audio may be: encoders pad the last
# frame, and raw AAC cannot say so.
RECORDINGS = [
    ("wav", "pcm_u8", 8_000, "mono", 0.0),
    ("wav", "pcm_s16le", 44_100, "stereo", 0.0),
    ("wav", "pcm_s24le", 48_000, "mono", 0.0),
    ("wav", "pcm_s32le", 96_000, "stereo", 0.0),
    ("wav", "pcm_f32le", 22_050, "mono", 0.0),
    ("wav", "pcm_f64le", 32_000, "mono", 0.0),
    ("wav", "pcm_mulaw", 8_000, "mono", 0.0),
    ("wav", "pcm_alaw", 8_000, "stereo", 0.0),
    ("w64", "pcm_s16le", 16_000, "mono", 0.0),
    ("aiff", "pcm_s16be", 44_100, "mono", 0.0),
    ("mp3", "libmp3lame", 44_100, "stereo", 0.0),
    ("mp3", "libmp3lame", 16_000, "mono", 0.0),
    ("flac", "flac", 48_000, "stereo", 0.0),
    ("ogg", "libopus", 48_000, "mono", 0.0),
    ("ogg", "vorbis", 44_100, "stereo", 0.03),
    ("ogg", "flac", 16_000, "mono", 0.0),
    ("ipod", "aac", 44_100, "stereo", 0.05),
    ("webm", "libopus", 48_000, "stereo", 0.03),
    ("matroska", "vorbis", 44_100, "stereo", 0.03),
    ("adts", "aac", 48_000, "mono", 0.05),
    ("mpegts", "aac", 48_000, "mono", 0.05),
]


async def decoded(path: Path, *, max_seconds: float = 60) -> bytes:
    decoder = PyAvAudioDecoder(max_file_seconds=max_seconds, max_container_bytes=0)
    return b"".join([block async for block in decoder.decode_file(path)])


def read(data: bytes, *, max_seconds: float = 60) -> bytes:
    return b"".join(read_recording(io.BytesIO(data), block_seconds=5, max_seconds=max_seconds))


def assert_is_the_tone(pcm: bytes, *, padding_s: float) -> None:
    audio = from_pcm(pcm)
    assert SECONDS - 0.001 <= len(audio) / 16_000 <= SECONDS + padding_s + 0.001
    middle = audio[8_000:40_000]
    assert dominant_hz(middle) == pytest.approx(PITCH_HZ, abs=1)
    assert level(middle) == pytest.approx(level(tone(PITCH_HZ, SECONDS)), rel=0.06)


@pytest.mark.parametrize(("container", "codec", "rate_hz", "layout", "padding_s"), RECORDINGS)
async def test_recordings_keep_length_pitch_and_level(
    tmp_path: Path, container: str, codec: str, rate_hz: int, layout: str, padding_s: float
) -> None:
    sound = tone(PITCH_HZ, SECONDS, rate_hz=rate_hz)
    path = tmp_path / "recording"
    path.write_bytes(encoded(sound, container=container, codec=codec, rate_hz=rate_hz, layout=layout))
    assert_is_the_tone(await decoded(path), padding_s=padding_s)


@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts"])
def test_a_film_is_read_for_its_sound(container: str) -> None:
    sound = tone(PITCH_HZ, SECONDS, rate_hz=48_000)
    film = encoded(sound, container=container, codec="aac", rate_hz=48_000, layout="stereo", with_picture=True)
    assert_is_the_tone(read(film), padding_s=0.05)


@pytest.mark.parametrize("announced_bytes", [0, TO_THE_END])
def test_a_wav_file_of_unknown_length_is_read_to_its_end(announced_bytes: int) -> None:
    pcm = as_pcm(babble(2))
    assert read(wav(pcm, announced_bytes=announced_bytes)) == pcm


def test_the_ending_of_the_name_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "recording.txt"
    path.write_bytes(encoded(tone(PITCH_HZ, SECONDS), container="flac", codec="flac", rate_hz=16_000))
    assert_is_the_tone(asyncio.run(decoded(path)), padding_s=0)


def test_one_dead_channel_does_not_lower_the_level() -> None:
    sound = tone(PITCH_HZ, SECONDS)
    assert_is_the_tone(read(wav(as_pcm(interleaved(sound, np.zeros_like(sound))), channels=2)), padding_s=0)


def test_two_recordings_of_different_formats_in_one_file_are_both_read() -> None:
    first = encoded(tone(PITCH_HZ, 1, rate_hz=44_100), container="ogg", codec="flac", rate_hz=44_100, layout="stereo")
    second = encoded(tone(PITCH_HZ, 2, rate_hz=16_000), container="ogg", codec="flac", rate_hz=16_000)
    with capture_logs():
        audio = from_pcm(read(first + second))
    assert len(audio) / 16_000 == pytest.approx(3, abs=0.01)
    assert level(audio[20_000:40_000]) == pytest.approx(level(tone(PITCH_HZ, 1)), rel=0.01)


@pytest.mark.parametrize(
    ("sample_format", "codec", "tag"), [(SampleFormat.MULAW, "mu-law", MULAW), (SampleFormat.ALAW, "A-law", ALAW)]
)
def test_the_telephone_tables_are_those_of_libav(sample_format: SampleFormat, codec: str, tag: int) -> None:
    codes = bytes(range(256))
    by_libav = np.frombuffer(read(wav(codes, tag=tag, bits=8)), "<i2")
    ours = read_frames(codes, PcmFormat(sample_format, 16_000, 1))[:, 0] * 32_768
    assert ours.tolist() == by_libav.tolist()


def test_an_mp3_of_unknown_length_is_stopped_at_the_limit() -> None:
    # Without the header that tells the length, libav only guesses it: the guess must not decide.
    data = encoded(tone(PITCH_HZ, 20, rate_hz=44_100), container="mp3", codec="libmp3lame", rate_hz=44_100)
    blocks = read_recording(io.BytesIO(data), block_seconds=1, max_seconds=10)
    heard = list(islice(blocks, 9))
    assert [len(block) for block in heard] == [32_000] * 9
    with pytest.raises(AudioTooLong):
        list(blocks)


@pytest.mark.parametrize("streamed", [False, True], ids=["file", "streamed container"])
async def test_memory_is_bounded_since_nothing_is_decoded_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, streamed: bool
) -> None:
    converted: list[int] = []

    class Counting(recording_reader.CanonicalConverter):
        def convert(self, frames: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> bytes:
            converted.append(len(frames))
            return super().convert(frames)

    monkeypatch.setattr(recording_reader, "CanonicalConverter", Counting)
    path = tmp_path / "long.flac"
    path.write_bytes(encoded(np.zeros(16_000 * 600), container="flac", codec="flac", rate_hz=16_000))
    decoder = PyAvAudioDecoder(max_file_seconds=3_600, max_container_bytes=1 << 20, block_seconds=5)
    stream = decoder.open_stream(AudioFormat(AudioEncoding.CONTAINER))
    await stream.feed(path.read_bytes())
    blocks = stream.flush() if streamed else decoder.decode_file(path)
    assert len(await anext(blocks)) == 5 * 32_000
    assert sum(converted) < 6 * 16_000
    await blocks.aclose()


async def test_leaving_early_closes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "recording.wav"
    path.write_bytes(wav(as_pcm(babble(12))))
    blocks = PyAvAudioDecoder(max_file_seconds=60, max_container_bytes=0).decode_file(path)
    await anext(blocks)
    assert str(path) in open_files()
    await blocks.aclose()
    assert str(path) not in open_files()


async def test_a_cancelled_read_closes_the_file_after_its_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoding, go_on = threading.Event(), threading.Event()

    class Slow(recording_reader.CanonicalConverter):
        def convert(self, frames: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> bytes:
            decoding.set()
            go_on.wait()
            return super().convert(frames)

    monkeypatch.setattr(recording_reader, "CanonicalConverter", Slow)
    path = tmp_path / "recording.wav"
    path.write_bytes(wav(as_pcm(babble(12))))
    reading = asyncio.create_task(decoded(path))
    await asyncio.to_thread(decoding.wait)
    reading.cancel()
    await asyncio.wait([reading], timeout=0)
    assert not reading.done(), "the thread still reads, and the file must not be closed under it"
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert str(path) not in open_files()
