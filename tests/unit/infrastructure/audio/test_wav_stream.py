"""The audio of a WAV file is found, however the file is written and however it arrives."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_service.domain.ports.audio_decoder import AudioNotDecodable
from asr_service.infrastructure.audio.sample_formats import PcmFormat, SampleFormat
from asr_service.infrastructure.audio.wav_stream import WavStream
from tests.fixtures.encoded_audio import ALAW, FLOAT, MULAW, PCM, TO_THE_END, chunk, wav

AUDIO = bytes(range(1, 201))


def read(data: bytes) -> tuple[bytes, PcmFormat | None]:
    stream = WavStream()
    return stream.feed(data), stream.format


def extensible(tag: int, *, bits: int, channels: int, rate_hz: int) -> bytes:
    """A WAV file with the long form of the format chunk."""
    guid = struct.pack("<H", tag) + bytes.fromhex("000000001000800000aa00389b71")
    form = struct.pack("<HHIIHH", 0xFFFE, channels, rate_hz, 0, channels * bits // 8, bits)
    content = form + struct.pack("<HHI", 22, bits, 3) + guid
    return b"RIFF\0\0\0\0WAVE" + chunk(b"fmt ", content) + chunk(b"data", AUDIO)


@pytest.mark.parametrize(
    ("tag", "bits", "sample_format"),
    [
        (PCM, 8, SampleFormat.U8),
        (PCM, 16, SampleFormat.S16),
        (PCM, 24, SampleFormat.S24),
        (PCM, 32, SampleFormat.S32),
        (FLOAT, 32, SampleFormat.F32),
        (FLOAT, 64, SampleFormat.F64),
        (ALAW, 8, SampleFormat.ALAW),
        (MULAW, 8, SampleFormat.MULAW),
    ],
)
def test_the_header_tells_the_format(tag: int, bits: int, sample_format: SampleFormat) -> None:
    audio, pcm_format = read(wav(AUDIO, tag=tag, bits=bits, rate_hz=44_100, channels=2))
    assert audio == AUDIO
    assert pcm_format == PcmFormat(sample_format, 44_100, 2)


def test_the_long_form_of_the_header_is_read() -> None:
    audio, pcm_format = read(extensible(PCM, bits=24, channels=6, rate_hz=48_000))
    assert audio == AUDIO
    assert pcm_format == PcmFormat(SampleFormat.S24, 48_000, 6)


def test_24_bits_in_4_bytes_are_read_as_32() -> None:
    header = bytearray(wav(AUDIO, bits=32))
    header[34:36] = struct.pack("<H", 24)
    assert read(bytes(header))[1] == PcmFormat(SampleFormat.S32, 16_000, 1)


def test_chunks_around_the_audio_are_dropped() -> None:
    data = wav(AUDIO, before=chunk(b"LIST", b"odd") + chunk(b"bext", bytes(700)), after=chunk(b"id3 ", b"a title"))
    assert read(data)[0] == AUDIO


def test_the_header_of_a_file_of_more_than_4_gib_is_read() -> None:
    data = b"RF64" + wav(AUDIO, announced_bytes=TO_THE_END, before=chunk(b"ds64", bytes(28)))[4:]
    assert read(data)[0] == AUDIO


@pytest.mark.parametrize("announced_bytes", [0, TO_THE_END])
def test_a_length_that_was_not_known_means_to_the_end(announced_bytes: int) -> None:
    stream = WavStream()
    audio = stream.feed(wav(AUDIO, announced_bytes=announced_bytes)) + stream.feed(b"LIST") + stream.feed(b"\0" * 9)
    assert audio == AUDIO + b"LIST" + b"\0" * 9


def test_audio_beyond_a_wrong_length_is_still_audio() -> None:
    assert read(wav(AUDIO + b"\x10\x00\x20\x00" * 9, announced_bytes=len(AUDIO)))[0] == AUDIO + b"\x10\x00\x20\x00" * 9


def test_a_file_that_ends_early_gives_what_it_has() -> None:
    assert read(wav(AUDIO, announced_bytes=1_000))[0] == AUDIO


def test_a_header_around_every_packet_is_dropped() -> None:
    assert read(wav(AUDIO[:80]) + wav(AUDIO[80:]))[0] == AUDIO


def test_another_format_in_the_middle_is_refused() -> None:
    with pytest.raises(AudioNotDecodable, match="another format"):
        read(wav(AUDIO) + wav(AUDIO, rate_hz=8_000))


def test_another_riff_file_in_the_middle_is_refused() -> None:
    with pytest.raises(AudioNotDecodable, match="no WAV"):
        read(wav(AUDIO) + b"RIFF\0\0\0\0AVI LIST")


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (wav(AUDIO, channels=0), "0 channels"),
        (wav(AUDIO, channels=9), "9 channels"),
        (wav(AUDIO, channels=65_535), "65535 channels"),
        (wav(AUDIO, rate_hz=0), "0 Hz"),
        (wav(AUDIO, rate_hz=7_999), "7999 Hz"),
        (wav(AUDIO, rate_hz=0xFFFFFFFF), "4294967295 Hz"),
        (wav(AUDIO, bits=0), "no plain PCM"),
        (wav(AUDIO, tag=0x55), "0x0055"),
        (wav(AUDIO, bits=40), "40 bits"),
        (b"RIFF\0\0\0\0WAVE" + chunk(b"data", AUDIO), "before its format"),
        (b"RIFF\0\0\0\0WAVE" + chunk(b"fmt ", bytes(14)), "format chunk of 14"),
        (b"RIFF\0\0\0\0WAVEfmt \xff\xff\xff\xff" + AUDIO, "format chunk of 4294967295"),
        (b"RIFF\0\0\0\0WAVEJUNK\x00\x00\x20\x00" + AUDIO, "first megabyte"),
    ],
)
def test_a_damaged_header_is_named(data: bytes, complaint: str) -> None:
    with pytest.raises(AudioNotDecodable, match=complaint):
        read(data)


def test_a_codec_in_a_wav_file_comes_with_advice() -> None:
    with pytest.raises(AudioNotDecodable) as caught:
        read(wav(AUDIO, tag=0x11, bits=8))
    assert caught.value.hint is not None
    assert "container" in caught.value.hint


@given(
    st.sampled_from(
        [
            wav(AUDIO),
            wav(AUDIO, announced_bytes=TO_THE_END, after=b"LIST"),
            wav(AUDIO[:99], bits=8, before=chunk(b"LIST", b"odd"), after=b"\0" + chunk(b"id3 ", b"12")),
            wav(AUDIO[:64]) + wav(AUDIO[64:]),
            wav(AUDIO, announced_bytes=100, after=b"\x01\x02" * 10),
        ]
    ),
    st.lists(st.integers(0, 330), max_size=12),
)
def test_the_cut_does_not_matter(data: bytes, cuts: list[int]) -> None:
    stream = WavStream()
    edges = [0, *sorted(cuts), len(data)]
    in_pieces = b"".join(stream.feed(data[start:end]) for start, end in pairwise(edges))
    assert (in_pieces, stream.format) == read(data)
