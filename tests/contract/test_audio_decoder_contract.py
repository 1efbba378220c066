"""What every audio decoder promises."""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from asr_service.domain.ports.audio_decoder import AudioDecoder, AudioNotDecodable, AudioTooLong, EmptyAudio
from asr_service.domain.value_objects.audio_metadata import AudioEncoding, AudioFormat
from asr_service.infrastructure.audio.pyav_decoder import PyAvAudioDecoder
from tests.fixtures.encoded_audio import encoded, interleaved, wav
from tests.fixtures.sounds import as_pcm, babble, tone

MAX_SECONDS = 12.0
MAX_BYTES = 2_000_000
CONTAINER = AudioFormat(AudioEncoding.CONTAINER)
SECOND = 32_000


@pytest.fixture
def decoder() -> AudioDecoder:
    return PyAvAudioDecoder(max_file_seconds=MAX_SECONDS, max_container_bytes=MAX_BYTES, block_seconds=2)


async def streamed(decoder: AudioDecoder, audio_format: AudioFormat, *packets: bytes) -> bytes:
    stream = decoder.open_stream(audio_format)
    heard = [await stream.feed(packet) for packet in packets]
    return b"".join(heard + [block async for block in stream.flush()])


async def file_blocks(decoder: AudioDecoder, path: Path) -> list[bytes]:
    return [block async for block in decoder.decode_file(path)]


@pytest.mark.parametrize("encoding", AudioEncoding)
async def test_a_stream_without_bytes_has_no_audio(decoder: AudioDecoder, encoding: AudioEncoding) -> None:
    assert await streamed(decoder, AudioFormat(encoding)) == b""


async def test_canonical_audio_comes_out_as_it_went_in(decoder: AudioDecoder) -> None:
    pcm = as_pcm(babble(1))
    assert await streamed(decoder, AudioFormat(), pcm[:7], pcm[7:15_000], pcm[15_000:]) == pcm


@pytest.mark.parametrize("packet_bytes", [1, 7, 960, 1_000_000])
async def test_the_cut_does_not_matter(decoder: AudioDecoder, packet_bytes: int) -> None:
    stereo = AudioFormat(AudioEncoding.PCM_S16LE, 44_100, 2)
    pcm = as_pcm(interleaved(babble(0.2, seed=1), babble(0.2, seed=2)))
    packets = (pcm[start : start + packet_bytes] for start in range(0, len(pcm), packet_bytes))
    assert await streamed(decoder, stereo, *packets) == await streamed(decoder, stereo, pcm)


async def test_streams_are_independent(decoder: AudioDecoder) -> None:
    audio_format = AudioFormat(sample_rate_hz=48_000)
    one, other = as_pcm(babble(0.3, seed=1)), as_pcm(babble(0.3, seed=2))
    alone = await streamed(decoder, audio_format, one)
    stream, neighbour = decoder.open_stream(audio_format), decoder.open_stream(audio_format)
    beside = b""
    for start in range(0, len(one), 1_000):
        beside += await stream.feed(one[start : start + 1_000])
        await neighbour.feed(other[start : start + 1_000])
    assert beside + b"".join([block async for block in stream.flush()]) == alone


async def test_a_wav_header_wins_over_the_declared_format(decoder: AudioDecoder) -> None:
    pcm = as_pcm(babble(1))
    assert await streamed(decoder, AudioFormat(sample_rate_hz=48_000, channels=2), wav(pcm)) == pcm


async def test_a_file_and_the_same_file_as_a_stream_are_equal(decoder: AudioDecoder, tmp_path: Path) -> None:
    data = encoded(babble(5), container="ogg", codec="libopus", rate_hz=16_000)
    path = tmp_path / "recording"
    path.write_bytes(data)
    from_stream = await streamed(decoder, CONTAINER, data[:100], data[100:101], data[101:])
    assert from_stream == b"".join(await file_blocks(decoder, path))
    assert len(from_stream) == 5 * SECOND


async def test_a_file_comes_in_blocks(decoder: AudioDecoder, tmp_path: Path) -> None:
    path = tmp_path / "recording.wav"
    path.write_bytes(wav(as_pcm(babble(5))))
    assert [len(block) / SECOND for block in await file_blocks(decoder, path)] == [2, 2, 1]


async def test_a_streamed_container_comes_in_blocks(decoder: AudioDecoder) -> None:
    stream = decoder.open_stream(CONTAINER)
    await stream.feed(wav(as_pcm(babble(5))))
    assert [len(block) / SECOND async for block in stream.flush()] == [2, 2, 1]


@pytest.mark.parametrize("audio_format", [AudioFormat(), AudioFormat(sample_rate_hz=8_000)])
async def test_raw_pcm_leaves_one_block_at_most(decoder: AudioDecoder, audio_format: AudioFormat) -> None:
    stream = decoder.open_stream(audio_format)
    await stream.feed(as_pcm(babble(5)))
    left = [len(block) async for block in stream.flush()]
    assert len(left) <= 1
    assert 0 not in left


async def test_a_streamed_container_can_be_left_after_its_first_block(decoder: AudioDecoder) -> None:
    stream = decoder.open_stream(CONTAINER)
    await stream.feed(wav(as_pcm(babble(5))))
    async with aclosing(stream.flush()) as blocks:
        assert len(await anext(blocks)) == 2 * SECOND


async def test_a_file_can_be_left_after_its_first_block(decoder: AudioDecoder, tmp_path: Path) -> None:
    path = tmp_path / "recording.wav"
    path.write_bytes(wav(as_pcm(babble(5))))
    async with aclosing(decoder.decode_file(path)) as blocks:
        assert len(await anext(blocks)) == 2 * SECOND


async def test_the_length_of_a_file_can_be_asked_for(decoder: AudioDecoder, tmp_path: Path) -> None:
    path = tmp_path / "recording.flac"
    path.write_bytes(encoded(tone(440, 3, rate_hz=44_100), container="flac", codec="flac", rate_hz=44_100))
    assert await decoder.probe_seconds(path) == pytest.approx(3, abs=0.01)


def from_file(decoder: AudioDecoder, path: Path) -> Awaitable[object]:
    return file_blocks(decoder, path)


def probed(decoder: AudioDecoder, path: Path) -> Awaitable[object]:
    return decoder.probe_seconds(path)


def as_container(decoder: AudioDecoder, path: Path) -> Awaitable[object]:
    return streamed(decoder, CONTAINER, path.read_bytes())


Reading = Callable[[AudioDecoder, Path], Awaitable[object]]


@pytest.mark.parametrize("read", [from_file, probed])
async def test_an_empty_file_is_named(decoder: AudioDecoder, tmp_path: Path, read: Reading) -> None:
    path = tmp_path / "empty.wav"
    path.touch()
    with pytest.raises(EmptyAudio):
        await read(decoder, path)


@pytest.mark.parametrize("read", [from_file, probed, as_container])
async def test_what_is_no_recording_is_named(decoder: AudioDecoder, tmp_path: Path, read: Reading) -> None:
    path = tmp_path / "letter.mp3"
    path.write_bytes(b"Dear Sir or Madam,\n" * 100)
    with pytest.raises(AudioNotDecodable) as caught:
        await read(decoder, path)
    assert caught.value.hint is not None


@pytest.mark.parametrize("read", [from_file, as_container])
async def test_a_recording_without_a_sample_is_empty(decoder: AudioDecoder, tmp_path: Path, read: Reading) -> None:
    path = tmp_path / "header_only.wav"
    path.write_bytes(wav(b""))
    with pytest.raises(EmptyAudio):
        await read(decoder, path)


@pytest.mark.parametrize("read", [from_file, as_container])
async def test_a_recording_over_the_limit_is_too_long(decoder: AudioDecoder, tmp_path: Path, read: Reading) -> None:
    path = tmp_path / "long.flac"
    path.write_bytes(encoded(tone(440, MAX_SECONDS + 1), container="flac", codec="flac", rate_hz=16_000))
    with pytest.raises(AudioTooLong, match="12 s"):
        await read(decoder, path)


async def test_a_recording_of_just_the_limit_is_not_too_long(decoder: AudioDecoder, tmp_path: Path) -> None:
    path = tmp_path / "just.wav"
    path.write_bytes(wav(as_pcm(tone(440, MAX_SECONDS))))
    assert sum(map(len, await file_blocks(decoder, path))) == MAX_SECONDS * SECOND


async def test_a_streamed_container_has_a_largest_size(decoder: AudioDecoder) -> None:
    stream = decoder.open_stream(CONTAINER)
    await stream.feed(bytes(MAX_BYTES))
    with pytest.raises(AudioTooLong, match=f"{MAX_BYTES} bytes"):
        await stream.feed(b"x")


@pytest.mark.parametrize("read", [from_file, probed])
async def test_a_file_that_is_not_there_is_an_operating_system_error(
    decoder: AudioDecoder, tmp_path: Path, read: Reading
) -> None:
    with pytest.raises(FileNotFoundError):
        await read(decoder, tmp_path / "nowhere.wav")
