"""A streamed container is kept, within its limit, and decoded at its end."""

import gc
import os
import tempfile
import weakref
from collections.abc import Generator
from contextlib import aclosing
from pathlib import Path
from typing import BinaryIO

import pytest

from asr_service.domain.ports.audio_decoder import AudioNotDecodable, AudioTooLong, NoRoomForAudio
from asr_service.infrastructure.audio.container_stream import ContainerStreamDecoder

MIB = 1 << 20


def echo(source: BinaryIO) -> Generator[bytes, None, None]:
    """Takes the bytes for audio."""
    while block := source.read(1_000_000):
        yield block


def refuse(source: BinaryIO) -> Generator[bytes, None, None]:
    raise AudioNotDecodable("No audio.")
    yield b""


async def flushed(decoder: ContainerStreamDecoder) -> list[bytes]:
    return [block async for block in decoder.flush()]


@pytest.mark.parametrize("packets", [[b"a"], [b"ab" * 500_000, b"c" * MIB, b"d" * MIB]], ids=["small", "large"])
async def test_all_bytes_are_decoded_at_the_end_and_none_before(packets: list[bytes]) -> None:
    decoder = ContainerStreamDecoder(echo, max_bytes=4 * MIB)
    for packet in packets:
        assert await decoder.feed(packet) == b""
    assert b"".join(await flushed(decoder)) == b"".join(packets)


async def test_a_stream_without_bytes_has_no_audio() -> None:
    assert await flushed(ContainerStreamDecoder(refuse, max_bytes=MIB)) == []


async def test_the_limit_is_kept_to_the_byte() -> None:
    decoder = ContainerStreamDecoder(echo, max_bytes=100)
    await decoder.feed(bytes(100))
    with pytest.raises(AudioTooLong, match="100 bytes"):
        await decoder.feed(b"x")


async def test_what_decoding_finds_wrong_is_passed_on() -> None:
    decoder = ContainerStreamDecoder(refuse, max_bytes=MIB)
    await decoder.feed(b"x")
    with pytest.raises(AudioNotDecodable):
        await flushed(decoder)


async def test_leaving_early_decodes_no_further_and_closes_the_file_at_once() -> None:
    sources: list[BinaryIO] = []
    decoded: list[int] = []

    def watched(source: BinaryIO) -> Generator[bytes, None, None]:
        sources.append(source)
        for number, block in enumerate(echo(source)):
            decoded.append(number)
            yield block

    decoder = ContainerStreamDecoder(watched, max_bytes=4 * MIB)
    await decoder.feed(bytes(3 * MIB))
    async with aclosing(decoder.flush()) as blocks:
        assert len(await anext(blocks)) == 1_000_000
        assert not sources[0].closed
    assert sources[0].closed
    assert decoded == [0]


async def test_the_file_is_closed_when_all_of_it_is_decoded() -> None:
    sources: list[BinaryIO] = []

    def watched(source: BinaryIO) -> Generator[bytes, None, None]:
        sources.append(source)
        yield from echo(source)

    decoder = ContainerStreamDecoder(watched, max_bytes=4 * MIB)
    await decoder.feed(bytes(3 * MIB))
    assert len(await flushed(decoder)) == 4
    assert sources[0].closed


async def test_a_missing_folder_for_temporary_files_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    decoder = ContainerStreamDecoder(echo, max_bytes=4 * MIB)
    await decoder.feed(bytes(MIB))
    with pytest.raises(NoRoomForAudio) as caught:
        await decoder.feed(b"x")
    assert caught.value.hint is not None


async def test_an_abandoned_stream_leaves_no_file_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A file that is collected before it is closed would be a warning, and so an error of this suite.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    decoder = ContainerStreamDecoder(echo, max_bytes=4 * MIB)
    await decoder.feed(bytes(2 * MIB))
    gone = weakref.ref(decoder)
    del decoder
    gc.collect()
    assert gone() is None
    with os.scandir(tmp_path) as entries:
        assert list(entries) == []
