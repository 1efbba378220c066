"""The way to a client: a bounded queue of frames; and how a client can fail."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from asr_service.app.api.v1.websocket.protocols.codec import Frame
from asr_service.shared.errors import AsrError


class ClientIdle(AsrError):
    """Nothing came from the client for too long."""

    code = "idle_timeout"


class ClientTooSlow(AsrError):
    """The client does not read what it is sent."""

    code = "client_too_slow"


class ClientGone(AsrError):
    """The connection is closed; nothing can be sent any more."""

    code = "client_gone"


class Outbox:
    """Frames on their way to one client, in order.

    Bounded: from half full on it is congested, and no partial should be made for it; when it is full, the session waits.
    A frame that the client does not take within the timeout ends the connection.

    Args:
        send: Raises ``ClientGone`` when nothing can be sent any more.
    """

    def __init__(self, send: Callable[[Frame], Awaitable[None]], *, capacity: int, send_timeout_s: float) -> None:
        self._send = send
        self._capacity = capacity
        self._send_timeout_s = send_timeout_s
        self._frames: deque[Frame] = deque()
        self._closing = False
        self._failure: AsrError | None = None
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()

    @property
    def congested(self) -> bool:
        """Whether the client reads more slowly than it is written to."""
        return len(self._frames) >= self._capacity // 2

    async def put(self, frames: Sequence[Frame]) -> None:
        """Queues frames.

        Raises:
            ClientTooSlow, ClientGone: The connection was given up.
        """
        for frame in frames:
            while len(self._frames) >= self._capacity and self._failure is None:
                self._emptied.clear()
                await self._emptied.wait()
            if self._failure is not None:
                raise self._failure
            self._frames.append(frame)
            self._filled.set()

    def close(self) -> None:
        """Lets ``run`` return once everything is sent."""
        self._closing = True
        self._filled.set()

    async def run(self) -> None:
        """Sends until closed, or until the client has gone.

        Raises:
            ClientTooSlow: A frame was not taken within the timeout.
        """
        try:
            while self._frames or not self._closing:
                if not self._frames:
                    self._filled.clear()
                    await self._filled.wait()
                    continue
                async with asyncio.timeout(self._send_timeout_s):
                    await self._send(self._frames.popleft())
                self._emptied.set()
        except TimeoutError:
            self._failure = ClientTooSlow(f"The client took no message for {self._send_timeout_s:g} s.")
            raise self._failure from None
        except ClientGone as gone:
            self._failure = gone
        finally:
            self._failure = self._failure or ClientGone("The connection is closed.")
            self._frames.clear()
            self._emptied.set()
