"""A WebSocket that is over is closed, whether its client reads or not."""

import asyncio

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

_LAST_WORDS_S = 15.0  # more than the 10 s that uvicorn waits for the answer to its close frame


class DroppingProtocol(WebSocketsSansIOProtocol):
    """uvicorn's, but it does not wait for ever until the client has taken the last words.

    A transport that is closed sends first what is in its buffer. A client that never reads would keep its connection, and
    the buffer with it, for as long as it likes.
    """

    _dropping: asyncio.TimerHandle | None = None

    async def run_asgi(self) -> None:
        """Serves the connection; drops it when what was said last is not taken within ``_LAST_WORDS_S``."""
        await super().run_asgi()
        if not self.disconnected:
            self._dropping = self.loop.call_later(_LAST_WORDS_S, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._dropping is not None:
            self._dropping.cancel()
        super().connection_lost(exc)
