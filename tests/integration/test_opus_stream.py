"""Opus packets become canonical audio, whatever their duration; losses keep the time."""

from pathlib import Path

import numpy as np
import pytest

from asr_service.domain.ports.audio_decoder import AudioNotDecodable
from asr_service.domain.value_objects.audio_metadata import AudioEncoding, AudioFormat
from asr_service.infrastructure.audio.opus_stream import OpusStreamDecoder
from tests.fixtures.encoded_audio import wav
from tests.fixtures.sounds import as_pcm, babble
from tests.fixtures.transcoding import opus_packets

MONO = AudioFormat(AudioEncoding.OPUS)
STEREO = AudioFormat(AudioEncoding.OPUS, channels=2)
DELAY_MS = 60  # of the encoder, and what fills its last packet


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "babble.wav"
    path.write_bytes(wav(as_pcm(babble(2))))
    return path


async def decoded(audio_format: AudioFormat, packets: list[bytes]) -> bytes:
    decoder = OpusStreamDecoder(audio_format)
    heard = [await decoder.feed(packet) for packet in packets]
    return b"".join(heard + [block async for block in decoder.flush()])


@pytest.mark.parametrize("frame_ms", [5, 10, 20, 40, 60])
@pytest.mark.parametrize(("audio_format", "layout"), [(MONO, "mono"), (STEREO, "stereo")])
async def test_packets_of_any_duration_are_heard(
    recording: Path, frame_ms: int, audio_format: AudioFormat, layout: str
) -> None:
    packets = opus_packets(recording, layout=layout, frame_ms=frame_ms)
    pcm = await decoded(audio_format, packets)
    assert len(pcm) == len(packets) * frame_ms * 32
    assert 0 <= len(pcm) // 32 - 2_000 <= DELAY_MS
    level, whole_level = (
        np.abs(np.frombuffer(sound, "<i2").astype(float)).mean() for sound in (pcm, as_pcm(babble(2)))
    )
    spread = audio_format.channels**0.5  # FFmpeg spreads one channel over two with equal power
    assert level == pytest.approx(whole_level / spread, rel=0.15)


async def test_a_lost_packet_is_as_much_silence_as_the_one_before(recording: Path) -> None:
    packets = opus_packets(recording, layout="mono")
    whole = await decoded(MONO, packets)
    broken = await decoded(MONO, [*packets[:50], b"", b"", *packets[52:]])
    assert len(broken) == len(whole)
    middle = slice(50 * 640 + 160, 52 * 640 - 160)  # the filter of the resampler rings at both ends
    assert np.abs(np.frombuffer(broken[middle], "<i2")).max() < np.abs(np.frombuffer(whole[middle], "<i2")).max() / 20


async def test_what_is_lost_before_the_first_packet_is_nothing() -> None:
    assert await decoded(MONO, [b"", b""]) == b""


@pytest.mark.parametrize("damaged", [b"\xff", b"\x03", b"\xfb\x00", b"\x7f\xff\xff"])
async def test_what_is_no_packet_is_named(damaged: bytes) -> None:
    with pytest.raises(AudioNotDecodable, match=f"{len(damaged)} bytes") as caught:
        await OpusStreamDecoder(MONO).feed(damaged)
    assert caught.value.hint is not None
