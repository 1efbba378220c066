"""The client for programs without an event loop."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar

from asr_service.client.client import Client
from asr_service.client.events import Event, FollowedEvent, Session
from asr_service.client.streaming import AudioFormat, StreamPolicy

_Told = TypeVar("_Told")


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

        return self._iterate(lambda client: client.stream(audio, audio_format, **options))

    def follow(self, session_id: str) -> Iterator[FollowedEvent]:
        """See ``Client.follow``."""
        return self._iterate(lambda client: client.follow(session_id))

    def cancel(self, session_id: str) -> Session:
        """See ``Client.cancel``."""

        async def cancel() -> Session:
            async with self._client() as client:
                return await client.cancel(session_id)

        return asyncio.run(cancel())

    def _iterate(self, begin: Callable[[Client], AsyncGenerator[_Told, None]]) -> Iterator[_Told]:
        async def events() -> AsyncGenerator[_Told, None]:
            async with self._client() as client, aclosing(begin(client)) as stream:
                async for event in stream:
                    yield event

        with asyncio.Runner() as runner:
            stream = events()
            try:
                while (event := runner.run(_next_of(stream))) is not None:
                    yield event
            finally:
                runner.run(stream.aclose())

    def _client(self) -> Client:
        return Client(self._url, self._api_key, policy=self._policy)


async def _next_of(stream: AsyncGenerator[_Told, None]) -> _Told | None:
    return await anext(stream, None)
