"""Decoding of a container that arrives as a stream: kept until its end, then read like a file."""

import asyncio
import tempfile
import weakref
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import aclosing, contextmanager, suppress
from typing import IO, BinaryIO, TypeAlias, cast

from asr_service.domain.ports.audio_decoder import AudioTooLong, NoRoomForAudio
from asr_service.infrastructure.audio.threaded_blocks import in_threads

_IN_MEMORY_BYTES = 1 << 20

Read: TypeAlias = Callable[[BinaryIO], Generator[bytes, None, None]]
"""Decodes a recording to blocks of canonical audio; blocking."""


class ContainerStreamDecoder:
    """Keeps the bytes of one stream, and decodes them when they are complete.

    Up to 1 MiB is kept in memory, more in a temporary file without a name, which goes away when decoding
    ends or is left, at the latest with the stream.
    """

    def __init__(self, read: Read, *, max_bytes: int) -> None:
        self._read = read
        self._max_bytes = max_bytes
        self._size_bytes = 0
        self._spool = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - lives with the stream
        weakref.finalize(self, _discard, self._spool)

    async def feed(self, data: bytes) -> bytes:
        """Keeps the bytes; returns no audio yet. See ``AudioStreamDecoder.feed`` for the errors."""
        self._size_bytes += len(data)
        if self._size_bytes > self._max_bytes:
            _discard(self._spool)
            raise AudioTooLong(
                f"The recording is larger than the {self._max_bytes} bytes that are accepted.",
                hint="Send it in shorter parts, or compressed.",
            )
        if self._size_bytes <= _IN_MEMORY_BYTES:
            self._spool.write(data)
        else:
            await asyncio.to_thread(self._write, data)
        return b""

    async def flush(self) -> AsyncGenerator[bytes, None]:
        """Decodes it block by block, in threads. See ``AudioStreamDecoder.flush`` for the errors."""
        if self._size_bytes:
            async with aclosing(in_threads(self._blocks())) as blocks:
                async for block in blocks:
                    yield block

    def _write(self, data: bytes) -> None:
        with _disk_errors_named():
            self._spool.write(data)

    def _blocks(self) -> Generator[bytes, None, None]:
        try:
            with _disk_errors_named():
                self._spool.seek(0)  # writes what is still buffered
            yield from self._read(cast(BinaryIO, self._spool))
        finally:
            _discard(self._spool)


def _discard(spool: IO[bytes]) -> None:
    with suppress(OSError):  # bytes that the disk had no room for; nobody wants them any more
        spool.close()


@contextmanager
def _disk_errors_named() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NoRoomForAudio(
            f"The recording cannot be kept until it is complete: {error.strerror}.",
            hint="The folder for temporary files needs room for the recordings of all who send at the same time.",
        ) from error
