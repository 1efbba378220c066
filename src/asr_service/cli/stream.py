"""``asr-service stream``: streams to a running server by the client library, and shows the text as it comes."""

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any

import typer

from asr_service.bootstrap import open_decoder
from asr_service.cli.files import check_recordings
from asr_service.cli.live_text import server_address, show
from asr_service.client import Client, StreamPolicy
from asr_service.domain.value_objects.audio_metadata import BYTES_PER_SAMPLE, SAMPLE_RATE_HZ
from asr_service.infrastructure.config.loading import load_settings
from asr_service.shared.errors import AsrError, InvalidRequest

_PACKET_MS = 100
_WAITING_PACKETS = 100  # of the microphone, 10 s; when so many wait for a slow server, the newest is lost
_PACKET_BYTES = SAMPLE_RATE_HZ * _PACKET_MS // 1_000 * BYTES_PER_SAMPLE


class NoMicrophone(AsrError):
    """There is no microphone to listen to, or nothing to read it with."""

    code = "no_microphone"


def stream(
    file: Annotated[
        Path | None, typer.Argument(help="A recording; it is sent as fast as it was spoken.", show_default=False)
    ] = None,
    mic: Annotated[bool, typer.Option("--mic", help="Listen to the microphone instead, until Ctrl+C.")] = False,
    url: Annotated[str, typer.Option(help="Address of the server.")] = "http://127.0.0.1:8000",
    language: Annotated[
        str, typer.Option("--language", "-l", help="What is spoken: zh, en or another code; auto detects it.")
    ] = "auto",
    fast: Annotated[bool, typer.Option("--fast", help="Send a recording as fast as the server takes it.")] = False,
    give_up_after_s: Annotated[
        float,
        typer.Option("--give-up-after", min=0, metavar="SECONDS", help="So long a lost connection is tried again."),
    ] = 60,
) -> None:
    """Stream a recording, or the microphone, to a running server; partial text is grey until it is final.

    A stream whose connection is lost goes on when the server, or another one that shares its database, is there again.
    """
    if mic == (file is not None):
        raise InvalidRequest("Give either a file or --mic.", field="file")
    if file is not None:
        check_recordings([file])
    address = server_address(url)
    packets = _microphone() if file is None else _recording(file, paced=not fast)
    asyncio.run(_stream(address, language, packets, StreamPolicy(give_up_after_s)))


async def _stream(url: str, language: str, packets: AsyncGenerator[bytes, None], policy: StreamPolicy) -> None:
    async with aclosing(packets), Client(url, policy=policy) as client:
        await show(url, client.stream(packets, language=language))


async def _recording(path: Path, *, paced: bool) -> AsyncGenerator[bytes, None]:
    loop = asyncio.get_running_loop()
    started_s, sent = loop.time(), 0
    async with aclosing(open_decoder(load_settings()).decode_file(path)) as blocks:
        async for block in blocks:
            for start in range(0, len(block), _PACKET_BYTES):
                yield block[start : start + _PACKET_BYTES]
                sent += 1
                if paced:
                    await asyncio.sleep(max(0.0, started_s + sent * _PACKET_MS / 1_000 - loop.time()))


async def _microphone() -> AsyncGenerator[bytes, None]:
    try:
        import sounddevice  # noqa: PLC0415 - an optional extra, with a system library behind it
    except (ImportError, OSError) as error:
        raise NoMicrophone(
            f"The microphone cannot be read: {error}.",
            hint="pip install 'asr-service[mic]', and the system package libportaudio2.",
        ) from error
    loop = asyncio.get_running_loop()
    packets: asyncio.Queue[bytes | None] = asyncio.Queue()  # None: that was the last one

    def keep(packet: bytes) -> None:
        if packets.qsize() < _WAITING_PACKETS:
            packets.put_nowait(packet)

    def stop() -> None:
        """Ctrl+C ends the speech, and not the program: what was said is still sent. A second one ends that too."""
        loop.remove_signal_handler(signal.SIGINT)
        packets.put_nowait(None)

    def take(data: Any, *_: Any) -> None:
        loop.call_soon_threadsafe(keep, bytes(data))

    try:
        microphone = sounddevice.RawInputStream(
            samplerate=SAMPLE_RATE_HZ, channels=1, dtype="int16", blocksize=_PACKET_BYTES // 2, callback=take
        )
    except sounddevice.PortAudioError as error:
        raise NoMicrophone(f"The microphone cannot be opened: {error}.") from error
    loop.add_signal_handler(signal.SIGINT, stop)
    try:
        with microphone:
            while (packet := await packets.get()) is not None:
                yield packet
    finally:
        loop.remove_signal_handler(signal.SIGINT)
