"""The client of one server."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, cast
from urllib.parse import quote, urlsplit, urlunsplit

import httpx

from asr_service.client.errors import ServerUnreachable
from asr_service.client.events import Event, FollowedEvent, Session, read_session
from asr_service.client.following import Following
from asr_service.client.refusals import refusal_of
from asr_service.client.streaming import AudioFormat, Stream, StreamPolicy

_STREAM_PATH = "/api/v1/stream"
_TRANSCRIPTIONS_PATH = "/v1/audio/transcriptions"

Progress = Callable[[int, int], None]
"""Told the bytes that are uploaded, and the bytes of the whole file."""


class Client:
    """Talks to one server; use it as an asynchronous context manager.

    >>> async with Client("http://127.0.0.1:8000") as client:  # doctest: +SKIP
    ...     async for event in client.stream(packets, language="en"):
    ...         print(event)

    Args:
        url: The server's address, ``http`` or ``https``.
        api_key: Sent as a bearer token.
        policy: What streams and followers do when their connection is lost.
        timeout_s: For the answer to a file, counted from the end of the upload.
    """

    def __init__(
        self, url: str, api_key: str | None = None, *, policy: StreamPolicy | None = None, timeout_s: float = 3_600.0
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
            raise ValueError(f"{url} is no address of a server, for example http://127.0.0.1:8000")
        secure = parts.scheme in ("https", "wss")
        self._stream_url = urlunsplit(
            ("wss" if secure else "ws", parts.netloc, parts.path.rstrip("/") + _STREAM_PATH, "", "")
        )
        self._headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        self._policy = policy or StreamPolicy()
        base_url = urlunsplit(("https" if secure else "http", parts.netloc, parts.path.rstrip("/"), "", ""))
        self._http = httpx.AsyncClient(
            base_url=base_url, headers=self._headers, timeout=httpx.Timeout(10.0, read=timeout_s)
        )

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._http.aclose()

    def open_stream(
        self, audio: AsyncIterable[bytes] | Iterable[bytes], audio_format: AudioFormat | None = None, **options: Any
    ) -> Stream:
        """A stream to speak to in between; ``stream`` is the shorter way.

        Args:
            audio: Packets of any size.
            audio_format: Theirs; 16 kHz mono s16le if it is left out.
            options: Fields of the protocol's ``start`` message, for example ``language="zh"``.
        """
        source = audio if isinstance(audio, AsyncIterable) else _asynchronous(audio)
        return Stream(self._stream_url, self._headers, source, audio_format or AudioFormat(), options, self._policy)

    def stream(
        self, audio: AsyncIterable[bytes] | Iterable[bytes], audio_format: AudioFormat | None = None, **options: Any
    ) -> AsyncGenerator[Event, None]:
        """The events of a new stream, as ``open_stream(…).events()``."""
        return self.open_stream(audio, audio_format, **options).events()

    def follow(self, session_id: str) -> AsyncGenerator[FollowedEvent, None]:
        """What is said in a session that is somebody else's, wherever it is: from its first final on, until it is over.

        When the connection is lost it is made again, which ``Reconnecting`` and then ``Session`` tell; each outcome of an
        utterance is told once.

        Raises:
            RequestRefused: There is no such session, or who asks may not follow it; if there was no room for as long as
                was to be tried, with ``retry_after_s``. A session is known a moment after its ``Started``.
            ServerUnreachable: No server answered for as long as was to be tried.
            StreamFailed: Something failed that a new connection would not mend.
        """
        return Following(self._http, session_id, self._policy.give_up_after_s).events()

    async def cancel(self, session_id: str) -> Session:
        """Ends a live session for good, on whichever server it is; its finals stay.

        Returns:
            What is known of it now; its status will be ``closed`` soon.

        Raises:
            RequestRefused: There is no such session, it is not live, or its server cannot be reached from this one.
            ServerUnreachable: The server does not answer.
        """
        try:
            answer = await self._http.post(f"/api/v1/sessions/{quote(session_id, safe='')}/cancel")
        except httpx.TransportError as error:
            raise ServerUnreachable(f"The server does not answer: {error}.", code="server_unreachable") from error
        if answer.is_error:
            raise refusal_of(answer)
        return read_session(answer.json())

    async def transcribe(
        self, recording: Path, progress: Progress = lambda _sent, _whole: None, **options: Any
    ) -> dict[str, Any]:
        """Transcribes a file; the answer is OpenAI's ``verbose_json``.

        Args:
            recording: Of any common container.
            progress: Told how far the upload is.
            options: Further fields of the form, for example ``language="zh"``.

        Raises:
            OSError: The file cannot be read.
            RequestRefused: The server did not take it, or could not read it.
            ServerUnreachable: It does not answer.
        """
        fields = {"model": "whisper-1", "response_format": "verbose_json", **options}
        with recording.open("rb") as file:
            upload = cast(BinaryIO, _WatchedFile(file, progress))
            try:
                answer = await self._http.post(
                    _TRANSCRIPTIONS_PATH, data=fields, files={"file": (recording.name, upload)}
                )
            except httpx.TransportError as error:
                raise ServerUnreachable(f"The server does not answer: {error}.", code="server_unreachable") from error
        if answer.is_error:
            raise refusal_of(answer)
        transcript: dict[str, Any] = answer.json()
        return transcript


async def _asynchronous(packets: Iterable[bytes]) -> AsyncGenerator[bytes, None]:
    """Iterates in another thread: the next packet may be a long time coming."""
    iterator = iter(packets)
    while (packet := await asyncio.to_thread(next, iterator, None)) is not None:
        yield packet


class _WatchedFile:
    """A file whose reading somebody is told of."""

    def __init__(self, file: BinaryIO, progress: Progress) -> None:
        self._file = file
        self._size_bytes = file.seek(0, os.SEEK_END)
        self._progress = progress
        file.seek(0)

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._progress(self._file.tell(), self._size_bytes)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()
