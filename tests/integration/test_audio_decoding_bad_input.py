"""Recordings that are damaged, hostile, or none at all: typed errors, or what is good in them; never a crash."""

import io
import random
import tempfile
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from asr_service.domain.ports.audio_decoder import AudioNotDecodable, EmptyAudio, NoRoomForAudio
from asr_service.domain.value_objects.audio_metadata import AudioEncoding, AudioFormat
from asr_service.infrastructure.audio.pyav_decoder import PyAvAudioDecoder
from asr_service.infrastructure.audio.recording_reader import read_recording
from asr_service.shared.errors import AsrError
from tests.fixtures.encoded_audio import chunk, encoded, interleaved, picture, wav
from tests.fixtures.sounds import as_pcm, babble, tone

HISS = np.random.default_rng(1)


def read(data: bytes) -> bytes:
    return b"".join(read_recording(io.BytesIO(data), block_seconds=5, max_seconds=600))


def mp3(seconds: float = 10) -> bytes:
    return encoded(tone(440, seconds, rate_hz=16_000), container="mp3", codec="libmp3lame", rate_hz=16_000)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(as_pcm(babble(5)), id="16-bit PCM"),
        pytest.param(as_pcm(babble(5))[1:], id="16-bit PCM that begins with half a sample"),
        pytest.param(babble(5).astype("<f4").tobytes(), id="float PCM"),
        pytest.param(bytes(100_000), id="zeros"),
        pytest.param(HISS.bytes(100_000), id="random bytes"),
        pytest.param(b"#EXTM3U\n#EXTINF:10,\nfile:///etc/hostname\n", id="play list"),
        pytest.param(b"ffconcat version 1.0\nfile /etc/hostname\n", id="list of files"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + HISS.bytes(1_000), id="picture"),
        pytest.param(b"PK\x03\x04" + HISS.bytes(1_000), id="archive"),
        pytest.param(b"RIFF", id="four bytes"),
    ],
)
def test_what_is_no_recording_is_refused_with_advice(data: bytes) -> None:
    with pytest.raises(AudioNotDecodable) as caught:
        read(data)
    assert caught.value.hint is not None


@pytest.mark.parametrize("ending", ["aac", "mp3", "raw", "wav", "txt", "m3u8"])
async def test_raw_pcm_is_not_taken_for_what_its_name_says(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"recording.{ending}"
    path.write_bytes(as_pcm(babble(2)))
    with pytest.raises(AudioNotDecodable):
        async for _ in PyAvAudioDecoder(max_file_seconds=60, max_container_bytes=0).decode_file(path):
            pass


def test_a_film_without_sound_is_empty() -> None:
    with pytest.raises(EmptyAudio, match="no sound track"):
        read(picture())


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(wav(bytes(1_000), rate_hz=0), id="no rate"),
        pytest.param(wav(bytes(1_000), rate_hz=4_000), id="4 kHz"),
        pytest.param(wav(bytes(1_000), rate_hz=0x7FFFFFFF), id="2 GHz"),
        pytest.param(wav(bytes(1_000), rate_hz=0xFFFFFFFF), id="4 GHz"),
        pytest.param(wav(bytes(1_000), channels=0), id="no channel"),
        pytest.param(wav(bytes(64_000), channels=64), id="64 channels"),
        pytest.param(wav(bytes(64_000), channels=300), id="300 channels"),
        pytest.param(wav(bytes(262_140), channels=65_535), id="65535 channels"),
        pytest.param(wav(bytes(1_000), bits=0), id="no bits"),
        pytest.param(wav(bytes(1_000), bits=99), id="99 bits"),
        pytest.param(wav(bytes(1_000), tag=0x7777), id="unknown codec"),
    ],
)
def test_an_absurd_header_is_a_typed_error(data: bytes) -> None:
    with pytest.raises((AudioNotDecodable, EmptyAudio)):
        read(data)


def test_eight_channels_of_192_khz_are_read() -> None:
    sound = tone(440, 0.5, rate_hz=192_000)
    assert len(read(wav(as_pcm(interleaved(*[sound] * 8)), rate_hz=192_000, channels=8))) == 16_000


def test_tags_that_are_no_text_do_no_harm() -> None:
    pcm = as_pcm(babble(1))
    tags = b"INFO" + chunk(b"INAM", b"caf\xe9 \xff\xfe\x80")
    assert read(wav(pcm, before=chunk(b"LIST", tags))) == pcm


def test_audio_before_a_damage_counts_and_the_damage_is_logged() -> None:
    good = mp3()
    half = len(good) // 2
    with capture_logs() as logs:
        audio = read(good[:half] + HISS.bytes(4_000) + good[half:])
    assert len(audio) / 32_000 == pytest.approx(10, abs=0.5)
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("recording_damaged", "warning")]
    assert logs[0]["damaged_packets"] > 0


def test_a_sound_recording_is_not_logged() -> None:
    with capture_logs() as logs:
        read(mp3())
    assert logs == []


@pytest.mark.parametrize(
    ("container", "codec", "least_share"),
    [("ogg", "libopus", 0.4), ("webm", "libopus", 0.4), ("mp3", "libmp3lame", 0.45), ("flac", "flac", 0.4)],
)
def test_half_a_recording_gives_half_the_audio(container: str, codec: str, least_share: float) -> None:
    data = encoded(babble(10), container=container, codec=codec, rate_hz=16_000)
    with capture_logs():
        audio = read(data[: len(data) // 2])
    assert least_share <= len(audio) / 320_000 <= 0.6


def test_an_m4a_file_without_its_index_is_refused() -> None:
    data = encoded(tone(440, 5, rate_hz=44_100), container="ipod", codec="aac", rate_hz=44_100)
    with pytest.raises(AudioNotDecodable, match="damaged"):
        read(data[: len(data) // 2])


def test_a_file_that_is_mostly_damage_is_refused() -> None:
    header, frames = mp3()[:200], bytearray(mp3(2)[200:])
    for start in range(0, len(frames), 40):
        frames[start : start + 36] = HISS.bytes(36)
    with pytest.raises(AudioNotDecodable), capture_logs():
        read(header + frames)


@pytest.mark.parametrize("seed", range(8))
def test_random_damage_never_causes_anything_but_typed_errors(seed: int) -> None:
    dice = random.Random(seed)
    sound = tone(440, 1, rate_hz=16_000)
    kinds = [
        ("wav", "pcm_s16le"),
        ("flac", "flac"),
        ("ogg", "libopus"),
        ("webm", "libopus"),
        ("ipod", "aac"),
        ("mp3", "libmp3lame"),
    ]
    originals = [encoded(sound, container=container, codec=codec, rate_hz=16_000) for container, codec in kinds]
    outcomes = set()
    with capture_logs():
        for _ in range(60):
            data = bytearray(dice.choice(originals))
            reach = min(len(data), dice.choice([64, 600, len(data)]))
            for _ in range(dice.choice([1, 3, 30])):
                data[dice.randrange(reach)] = dice.randrange(256)
            try:
                outcomes.add(type(read(bytes(data[: dice.randint(len(data) // 2, len(data))]))))
            except AsrError as error:
                outcomes.add(type(error))
    assert bytes in outcomes
    assert AudioNotDecodable in outcomes


def test_libav_writes_nothing_to_the_error_output(capfd: pytest.CaptureFixture[str]) -> None:
    with capture_logs():
        assert read(mp3()[:2_000] + HISS.bytes(4_000) + mp3()[2_000:])
    assert capfd.readouterr() == ("", "")


async def test_no_room_for_a_streamed_container_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "not-there"))
    decoder = PyAvAudioDecoder(max_file_seconds=60, max_container_bytes=10_000_000)
    stream = decoder.open_stream(AudioFormat(AudioEncoding.CONTAINER))
    with pytest.raises(NoRoomForAudio):
        await stream.feed(bytes(2_000_000))
