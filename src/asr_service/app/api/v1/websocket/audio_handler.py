"""The transport WebSocket: the one place that touches a socket of the web framework."""

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias

from starlette.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from asr_service.app.api.error_handlers import OPENAI_PREFIX, error_response
from asr_service.app.api.errors import meaning_of
from asr_service.app.api.v1.live.outbox import ClientGone, ClientIdle
from asr_service.app.api.v1.live.reception import Reception
from asr_service.app.api.v1.websocket.protocols.codec import CodecFactory, Frame
from asr_service.domain.value_objects.caller import Caller
from asr_service.shared.errors import AsrError

DenialBody: TypeAlias = Callable[[AsrError], dict[str, Any]]
"""The JSON body of the HTTP answer to a handshake that is refused, as the protocol's clients know it."""


class AudioHandler:
    """Serves WebSockets of any protocol."""

    def __init__(self, reception: Reception) -> None:
        self.reception = reception

    async def serve(
        self,
        websocket: WebSocket,
        caller: Caller,
        new_codec: CodecFactory,
        subprotocol: str | None = None,
        denial_body: DenialBody | None = None,
        *,
        model: str | None = None,
    ) -> None:
        """Serves the connection to its end; it is refused before the handshake, by an HTTP answer.

        ``model``: the one that the connection's address asks for, if any.
        """
        transport = WebSocketTransport(websocket, subprotocol, denial_body)
        await self.reception.serve(transport, caller, new_codec, model)


class WebSocketTransport:
    """Frames are messages of the socket."""

    def __init__(
        self, websocket: WebSocket, subprotocol: str | None = None, denial_body: DenialBody | None = None
    ) -> None:
        self._websocket = websocket
        self._subprotocol = subprotocol
        self._denial_body = denial_body

    async def accept(self) -> None:
        await self._websocket.accept(subprotocol=self._subprotocol)

    async def refuse(self, error: AsrError) -> None:
        """Answers the handshake by HTTP; where the protocol has no shape of its own, under ``/v1/`` in OpenAI's."""
        await self._websocket.send_denial_response(self._denial(error))

    def _denial(self, error: AsrError) -> JSONResponse:
        meaning, path = meaning_of(error), self._websocket.url.path
        if self._denial_body is None and path.startswith(OPENAI_PREFIX):
            return error_response(path, error, meaning)
        plain = {"code": error.code, "message": error.message, "hint": error.hint}
        body = plain if self._denial_body is None else self._denial_body(error)
        headers = {"Retry-After": str(math.ceil(error.retry_after_s))} if error.retry_after_s is not None else None
        return JSONResponse(body, status_code=meaning.http_status, headers=headers)

    async def receive(self, idle_timeout_s: float) -> Frame | None:
        try:
            async with asyncio.timeout(idle_timeout_s):
                message = await self._websocket.receive()
        except TimeoutError:
            raise ClientIdle(
                f"Nothing was received for {idle_timeout_s:g} s.",
                hint="Send audio, or a ping message, to keep a session.",
            ) from None
        if message["type"] == "websocket.disconnect":
            return None
        data: bytes | None = message.get("bytes")
        return data if data is not None else str(message["text"])

    async def send(self, frame: Frame) -> None:
        try:
            if isinstance(frame, bytes):
                await self._websocket.send_bytes(frame)
            else:
                await self._websocket.send_text(frame)
        except (WebSocketDisconnect, RuntimeError) as error:  # starlette's two ways to say that the peer has gone
            raise ClientGone("The client has gone.") from error

    async def close(self, close_code: int) -> None:
        if self._websocket.application_state is WebSocketState.CONNECTED:
            with suppress(WebSocketDisconnect, RuntimeError):  # the peer has gone, perhaps in this very moment
                await self._websocket.close(close_code)
