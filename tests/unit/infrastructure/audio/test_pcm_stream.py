"""Raw PCM becomes canonical audio as it arrives."""

import asyncio
import math
import threading
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_service.domain.ports.audio_decoder import AudioNotDecodable
from asr_service.domain.value_objects.audio_metadata import AudioEncoding, AudioFormat
from asr_service.infrastructure.audio import pcm_stream
from asr_service.infrastructure.audio.pcm_stream import PcmStreamDecoder
from tests.fixtures.encoded_audio import FLOAT, MULAW, TO_THE_END, interleaved, wav
from tests.fixtures.sounds import as_pcm, babble, dominant_hz, from_pcm, level, tone

CANONICAL = AudioFormat()
HUM = as_pcm(babble(0.3))
STEREO_48K = AudioFormat(AudioEncoding.PCM_S16LE, 48_000, 2)


async def decoded(audio_format: AudioFormat, *packets: bytes) -> bytes:
    decoder = PcmStreamDecoder(audio_format)
    heard = [await decoder.feed(packet) for packet in packets]
    return b"".join(heard + [block async for block in decoder.flush()])


async def test_canonical_audio_is_not_touched() -> None:
    decoder = PcmStreamDecoder(CANONICAL)
    await decoder.feed(HUM[:12])
    packet = HUM[12:3_212]
    assert await decoder.feed(packet) is packet


async def test_half_a_sample_waits_for_its_other_half() -> None:
    decoder = PcmStreamDecoder(CANONICAL)
    assert await decoder.feed(HUM[:101]) == HUM[:100]
    assert await decoder.feed(HUM[101:201]) == HUM[100:200]
    assert await decoder.feed(HUM[201:202]) == HUM[200:202]


async def test_half_a_sample_at_the_end_is_dropped() -> None:
    assert await decoded(CANONICAL, HUM[:101]) == HUM[:100]


@pytest.mark.parametrize("size", [0, 2, 6, 10])
async def test_a_stream_shorter_than_a_header_is_audio(size: int) -> None:
    assert await decoded(CANONICAL, HUM[:size]) == HUM[:size]


async def test_an_empty_packet_changes_nothing() -> None:
    assert await decoded(CANONICAL, b"", HUM, b"") == HUM


@pytest.mark.parametrize(
    ("audio_format", "data"),
    [
        (AudioFormat(AudioEncoding.PCM_S16LE, 44_100), as_pcm(tone(500, 1, rate_hz=44_100))),
        (AudioFormat(AudioEncoding.PCM_F32LE, 48_000), tone(500, 1, rate_hz=48_000).astype("<f4").tobytes()),
        (STEREO_48K, as_pcm(interleaved(tone(500, 1, rate_hz=48_000), tone(500, 1, rate_hz=48_000)))),
        (AudioFormat(AudioEncoding.PCM_F32LE, 16_000), tone(500, 1).astype("<f4").tobytes()),
    ],
)
async def test_any_declared_format_becomes_canonical(audio_format: AudioFormat, data: bytes) -> None:
    audio = from_pcm(await decoded(audio_format, data))
    assert len(audio) == 16_000
    assert dominant_hz(audio) == pytest.approx(500, abs=1)
    assert level(audio) == pytest.approx(level(tone(500, 1)), rel=0.01)


@pytest.mark.parametrize(
    ("encoding", "codes"), [(AudioEncoding.MULAW, b"\x80\x00\xff"), (AudioEncoding.ALAW, b"\xaa\x2a\xd5")]
)
async def test_telephone_encodings_are_read(encoding: AudioEncoding, codes: bytes) -> None:
    loud, negative, silent = from_pcm(await decoded(AudioFormat(encoding, 16_000), codes))
    assert loud > 0.95
    assert negative == -loud
    assert abs(silent) < 0.001


async def test_one_dead_channel_does_not_lower_the_level() -> None:
    voice = babble(1)
    voice[0] = 0.3  # until a channel is heard, both count
    stereo = as_pcm(interleaved(np.zeros_like(voice), voice))
    assert await decoded(AudioFormat(channels=2), stereo) == as_pcm(voice)


async def test_bad_floats_are_silent_and_harm_nothing_else() -> None:
    sound = tone(500, 1, rate_hz=48_000)
    clean = sound.copy()
    sound[[1_000, 2_000, 3_000]] = [math.nan, math.inf, -math.inf]
    clean[[1_000, 2_000, 3_000]] = 0
    audio_format = AudioFormat(AudioEncoding.PCM_F32LE, 48_000)
    assert await decoded(audio_format, sound.astype("<f4").tobytes()) == await decoded(
        audio_format, clean.astype("<f4").tobytes()
    )


async def test_a_constant_offset_is_kept() -> None:
    offset = np.full(48_000, 0.25)
    audio = from_pcm(await decoded(AudioFormat(sample_rate_hz=48_000), as_pcm(offset)))
    assert audio[1_000:-1_000] == pytest.approx(0.25, abs=0.0005)


async def test_a_wav_header_wins_over_the_declared_format() -> None:
    stereo = as_pcm(interleaved(tone(500, 1, rate_hz=44_100), tone(500, 1, rate_hz=44_100)))
    audio = from_pcm(await decoded(CANONICAL, wav(stereo, rate_hz=44_100, channels=2)))
    assert len(audio) == 16_000
    assert dominant_hz(audio) == pytest.approx(500, abs=1)


async def test_a_wav_header_in_packets_of_960_bytes_is_dropped() -> None:
    data = wav(HUM, announced_bytes=TO_THE_END)
    assert await decoded(CANONICAL, *(data[i : i + 960] for i in range(0, len(data), 960))) == HUM


async def test_a_damaged_wav_header_is_refused() -> None:
    with pytest.raises(AudioNotDecodable, match="0 Hz"):
        await decoded(CANONICAL, wav(HUM, rate_hz=0))


@pytest.mark.parametrize(
    ("beginning", "name"),
    [
        (b"ID3\x04\x00\x00\x00\x00\x00\x00\x00\x00", "MP3"),
        (b"OggS\x00\x02\x00\x00\x00\x00\x00\x00", "Ogg"),
        (b"fLaC\x00\x00\x00\x22\x10\x00\x10\x00", "FLAC"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81", "WebM"),
        (b"\x00\x00\x00\x1cftypM4A ", "M4A"),
        (b"FORM\x00\x00\x10\x00AIFF", "AIFF"),
    ],
)
async def test_another_kind_of_file_is_refused_with_advice(beginning: bytes, name: str) -> None:
    decoder = PcmStreamDecoder(CANONICAL)
    assert await decoder.feed(beginning[:5]) == b""
    with pytest.raises(AudioNotDecodable, match=name) as caught:
        await decoder.feed(beginning[5:])
    assert caught.value.hint is not None
    assert "container" in caught.value.hint


async def test_only_the_beginning_is_searched_for_headers() -> None:
    pcm = HUM[:400] + b"OggS" + HUM[:400] + wav(HUM[:100])
    assert await decoded(CANONICAL, pcm[:400], pcm[400:]) == pcm


@pytest.mark.parametrize(("seconds", "elsewhere"), [(0.1, False), (5.0, True)])
async def test_only_long_packets_are_worked_on_in_a_thread(
    seconds: float, elsewhere: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []

    class Watched(pcm_stream.CanonicalConverter):
        def convert(self, frames: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> bytes:
            threads.append(threading.current_thread())
            return super().convert(frames)

    monkeypatch.setattr(pcm_stream, "CanonicalConverter", Watched)
    await decoded(AudioFormat(sample_rate_hz=48_000), as_pcm(tone(500, seconds, rate_hz=48_000)))
    assert [thread is not threading.main_thread() for thread in threads] == [elsewhere]


STREAMS = [
    (CANONICAL, HUM[:4_001]),
    (STEREO_48K, as_pcm(interleaved(babble(0.1, seed=1), babble(0.1, seed=2)))),
    (AudioFormat(AudioEncoding.PCM_F32LE, 44_100, 3), babble(0.2, seed=3).astype("<f4").tobytes()[:-3]),
    (AudioFormat(AudioEncoding.MULAW, 8_000), bytes(range(256)) * 8),
    (CANONICAL, wav(HUM[:3_000], rate_hz=22_050, channels=2)),
    (CANONICAL, wav(HUM[:3_000], tag=FLOAT, bits=32, rate_hz=16_000, announced_bytes=0)),
    (
        STEREO_48K,
        wav(HUM[:1_000], tag=MULAW, bits=8, rate_hz=8_000) + wav(HUM[1_000:2_000], tag=MULAW, bits=8, rate_hz=8_000),
    ),
]


@given(st.sampled_from(STREAMS), st.lists(st.integers(0, 20_000), max_size=30))
def test_the_cut_does_not_change_a_bit(stream: tuple[AudioFormat, bytes], cuts: list[int]) -> None:
    audio_format, data = stream
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    packets = [data[start:end] for start, end in pairwise(edges)]
    assert asyncio.run(decoded(audio_format, *packets)) == asyncio.run(decoded(audio_format, data))


@given(st.sampled_from(STREAMS))
def test_byte_by_byte_is_the_same_as_at_once(stream: tuple[AudioFormat, bytes]) -> None:
    audio_format, data = stream[0], stream[1][:1_500]
    packets = [data[i : i + 1] for i in range(len(data))]
    assert asyncio.run(decoded(audio_format, *packets)) == asyncio.run(decoded(audio_format, data))
