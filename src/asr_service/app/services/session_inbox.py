"""What waits to be told to one session, in two lanes."""

import asyncio
from collections import deque
from typing import Generic, TypeVar

ClientItem = TypeVar("ClientItem")
Answer = TypeVar("Answer")

_ITEM_BYTES = 256  # what an item takes beside its payload, roughly; so that empty items have an end too


class SessionInbox(Generic[ClientItem, Answer]):
    """Brings two kinds of input to the one task that owns a session; for one event loop and one reader.

    The client's lane is bounded in bytes: a full one makes the sender wait, so that the socket is not read and TCP pushes
    back; one item always fits, however large. The answers' lane is bounded by the questions: every recognition request is
    answered once. Answers go first.
    """

    def __init__(self, max_client_bytes: int) -> None:
        self._max_client_bytes = max_client_bytes
        self._client: deque[tuple[ClientItem, int]] = deque()
        self._client_bytes = 0
        self._answers: deque[Answer] = deque()
        self._closed = False
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()

    @property
    def has_answers(self) -> bool:
        """Whether ``next_answer`` would not have to wait."""
        return bool(self._answers)

    async def put(self, item: ClientItem, payload_bytes: int = 0) -> None:
        """Appends to the client's lane, waiting for room.

        Once the inbox is closed, items are dropped: nobody will read them.
        """
        size_bytes = payload_bytes + _ITEM_BYTES
        while not self._closed and self._client and self._client_bytes + size_bytes > self._max_client_bytes:
            self._emptied.clear()
            await self._emptied.wait()
        if self._closed:
            return
        self._client.append((item, size_bytes))
        self._client_bytes += size_bytes
        self._filled.set()

    def answer(self, answer: Answer) -> None:
        """Appends to the answers' lane."""
        self._answers.append(answer)
        self._filled.set()

    def close(self) -> None:
        """Frees what waits, and whoever waits for room."""
        self._closed = True
        self._client.clear()
        self._client_bytes = 0
        self._emptied.set()

    async def next(self) -> ClientItem | Answer:
        """The next input: an answer if there is one, else what the client sent."""
        while not self._answers and not self._client:
            self._filled.clear()
            await self._filled.wait()
        if self._answers:
            return self._answers.popleft()
        item, size_bytes = self._client.popleft()
        self._client_bytes -= size_bytes
        self._emptied.set()
        return item

    async def next_answer(self) -> Answer:
        """The next answer; what the client sent stays where it is."""
        while not self._answers:
            self._filled.clear()
            await self._filled.wait()
        return self._answers.popleft()
