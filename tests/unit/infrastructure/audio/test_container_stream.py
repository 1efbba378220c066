"""A streamed container is kept, within its limit, and decoded at its end."""

import gc
import os
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from asr_service.domain.ports.audio_decoder import AudioNotDecodable, AudioTooLong, NoRoomForAudio
from asr_service.infrastructure.audio.container_stream import ContainerStreamDecoder

MIB = 1 << 20


def echo(source: BinaryIO) -> Iterator[bytes]:
    """Takes the bytes for audio."""
    while block := source.read(1_000_000):
        yield block


def refuse(source: BinaryIO) -> Iterator[bytes]:
    raise AudioNotDecodable("No audio.")


@pytest.mark.parametrize("packets", [[b"a"], [b"ab" * 500_000, b"c" * MIB, b"d" * MIB]], ids=["small", "large"])
async def test_all_bytes_are_decoded_at_the_end_and_none_before(packets: list[bytes]) -> None:
    decoder = ContainerStreamDecoder(echo, max_bytes=4 * MIB)
    for packet in packets:
        assert await decoder.feed(packet) == b""
    assert await decoder.flush() == b"".join(packets)


async def test_a_stream_without_bytes_has_no_audio() -> None:
    assert await ContainerStreamDecoder(refuse, max_bytes=MIB).flush() == b""


async def test_the_limit_is_kept_to_the_byte() -> None:
    decoder = ContainerStreamDecoder(echo, max_bytes=100)
    await decoder.feed(bytes(100))
    with pytest.raises(AudioTooLong, match="100 bytes"):
        await decoder.feed(b"x")


async def test_what_decoding_finds_wrong_is_passed_on() -> None:
    decoder = ContainerStreamDecoder(refuse, max_bytes=MIB)
    await decoder.feed(b"x")
    with pytest.raises(AudioNotDecodable):
        await decoder.flush()


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
