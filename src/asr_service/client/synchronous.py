"""The client for programs without an event loop."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

from asr_service.client.client import Client
from asr_service.client.events import Event
from asr_service.client.streaming import AudioFormat, StreamPolicy


class SyncClient:
    """As ``Client``, but blocking.

    A stream moves while its next event is waited for; a caller that takes longer than half a minute between two events
    may lose the connection, and it is made again then.

    Args:
        url: As for ``Client``, and so are the others.
    """

    def __init__(self, url: str, api_key: str | None = None, *, policy: StreamPolicy | None = None) -> None:
        self._url = url
        self._api_key = api_key
        self._policy = policy

    def transcribe(self, recording: Path, **options: Any) -> dict[str, Any]:
        """See ``Client.transcribe``."""

        async def transcribe() -> dict[str, Any]:
            async with self._client() as client:
                return await client.transcribe(recording, **options)

        return asyncio.run(transcribe())

    def stream(
        self, audio: Iterable[bytes], audio_format: AudioFormat | None = None, **options: Any
    ) -> Iterator[Event]:
        """See ``Client.stream``; ``audio`` is iterated in another thread, so it may block."""

        async def events() -> Any:
            async with self._client() as client, aclosing(client.stream(audio, audio_format, **options)) as stream:
                async for event in stream:
                    yield event

        with asyncio.Runner() as runner:
            stream = events()
            try:
                while (event := runner.run(anext(stream, None))) is not None:
                    yield event
            finally:
                runner.run(stream.aclose())

    def _client(self) -> Client:
        return Client(self._url, self._api_key, policy=self._policy)
