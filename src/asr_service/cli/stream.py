"""``asr-service stream``: speaks the native protocol to a running server, and shows the text as it comes."""

import asyncio
import json
import signal
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit, urlunsplit

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, WebSocketException

from asr_service.bootstrap import open_decoder
from asr_service.cli.files import check_recordings
from asr_service.domain.value_objects.audio_metadata import BYTES_PER_SAMPLE, SAMPLE_RATE_HZ
from asr_service.infrastructure.config.loading import load_settings
from asr_service.shared.errors import AsrError, InvalidRequest

_STREAM_PATH = "/api/v1/stream"
_PACKET_MS = 100
_WAITING_PACKETS = 100  # of the microphone, 10 s; when so many wait for a slow server, the newest is lost
_PACKET_BYTES = SAMPLE_RATE_HZ * _PACKET_MS // 1_000 * BYTES_PER_SAMPLE


class ServerUnreachable(AsrError):
    """No server answers at the address, or it broke off."""

    code = "server_unreachable"


class RefusedByServer(AsrError):
    """The server reported an error."""

    code = "refused_by_server"


class NoMicrophone(AsrError):
    """There is no microphone to listen to, or nothing to read it with."""

    code = "no_microphone"


def stream(
    file: Annotated[
        Path | None, typer.Argument(help="A recording; it is sent as fast as it was spoken.", show_default=False)
    ] = None,
    mic: Annotated[bool, typer.Option("--mic", help="Listen to the microphone instead, until Ctrl+C.")] = False,
    url: Annotated[
        str, typer.Option(help="Address of the server; with a path, of its native stream.")
    ] = "http://127.0.0.1:8000",
    language: Annotated[
        str, typer.Option("--language", "-l", help="What is spoken: zh, en or another code; auto detects it.")
    ] = "auto",
    fast: Annotated[bool, typer.Option("--fast", help="Send a recording as fast as the server takes it.")] = False,
) -> None:
    """Stream a recording, or the microphone, to a running server; partial text is grey until it is final."""
    if mic == (file is not None):
        raise InvalidRequest("Give either a file or --mic.", field="file")
    if file is not None:
        check_recordings([file])
    packets = _microphone() if file is None else _recording(file, paced=not fast)
    asyncio.run(_stream(_stream_address(url), language, packets))


def _stream_address(url: str) -> str:
    """The WebSocket address that is meant by a server's address."""
    parts = urlsplit(url)
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    if scheme not in ("ws", "wss") or not parts.hostname:
        raise InvalidRequest(
            f"{url} is no address of a server.", field="url", hint="For example: http://127.0.0.1:8000"
        )
    path = parts.path if parts.path not in ("", "/") else _STREAM_PATH
    return urlunsplit((scheme, parts.netloc, path, parts.query, ""))


async def _stream(url: str, language: str, packets: AsyncGenerator[bytes, None]) -> None:
    try:
        async with connect(url, max_size=None) as socket:
            await socket.send(json.dumps({"type": "start", "language": language}))
            await _converse(socket, packets)
    except InvalidHandshake as error:
        raise ServerUnreachable(f"{url} refused the connection: {error}.") from error
    except (OSError, WebSocketException) as error:
        raise ServerUnreachable(
            f"{url} does not answer: {error}.", hint="Is it running? Start it with: asr-service serve"
        ) from error


async def _converse(socket: ClientConnection, packets: AsyncGenerator[bytes, None]) -> None:
    """Sends and shows at the same time, until the server has said its last word, or there is nothing right to send."""
    sending = asyncio.create_task(_send(socket, packets))
    showing = asyncio.create_task(_show(socket))
    try:
        await asyncio.wait({sending, showing}, return_when=asyncio.FIRST_COMPLETED)
        if sending.done() and not isinstance(sending.exception(), ConnectionClosed):
            sending.result()
        await showing  # it knows why the server has closed the connection
    finally:
        sending.cancel()
        showing.cancel()
        await asyncio.gather(sending, showing, return_exceptions=True)


async def _send(socket: ClientConnection, packets: AsyncGenerator[bytes, None]) -> None:
    async with aclosing(packets):
        async for packet in packets:
            await socket.send(packet)
    await socket.send('{"type": "end"}')


async def _show(socket: ClientConnection) -> None:
    console = Console(highlight=False)
    failures: list[str] = []
    with Live(console=console, auto_refresh=False, transient=True) as live:
        async for frame in socket:
            message: dict[str, Any] = json.loads(frame)
            match message["type"]:
                case "partial":
                    text = Text.assemble((message["stable"], "grey50"), (message["volatile"], "grey35 italic"))
                    live.update(text, refresh=True)
                    if not console.is_terminal:
                        typer.echo(f"… {message['text']}")
                case "final" if message["text"]:
                    live.update("", refresh=True)
                    console.print(Text(message["text"]), soft_wrap=True)
                case "failed":
                    span_s = f"{message['start_ms'] / 1_000:g}–{message['end_ms'] / 1_000:g} s"
                    failures.append(f"No text for {span_s}: {message['message']}")
                case "error":
                    raise RefusedByServer(message["message"], hint=message["hint"])
    if failures:
        raise RefusedByServer("\n".join(failures))


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
