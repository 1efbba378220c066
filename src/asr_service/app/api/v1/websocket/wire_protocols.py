"""A wire protocol as it is served: its codec, and where clients find it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, WebSocket

from asr_service.app.api.dependencies import CurrentCaller, Services
from asr_service.app.api.v1.websocket.protocols.codec import CodecFactory

ANY_PATH = ("/{path:path}",)


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files of a listener: certificate with its chain, and private key."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class WireProtocol:
    """One protocol.

    Attributes:
        name: As in the settings and in the log.
        new_codec: Makes the codec of a connection.
        paths: Where it is served beside everything else.
        enabled: Whether it is served at all.
        subprotocol: Selected if a client offers it, never required.
        port: Where nothing but this protocol is served, at any path; 0: nowhere.
        tls: Of that port; ``None``: it is spoken in the clear.
    """

    name: str
    new_codec: CodecFactory
    paths: tuple[str, ...]
    enabled: bool = True
    subprotocol: str | None = None
    port: int = 0
    tls: TlsFiles | None = None

    def router(self, paths: Iterable[str] | None = None) -> APIRouter:
        """Routes to it at its own paths, or at others."""
        router = APIRouter()

        async def stream(websocket: WebSocket, services: Services, caller: CurrentCaller) -> None:
            offered = websocket.scope["subprotocols"]
            selected = self.subprotocol if self.subprotocol in offered else None
            await services.audio.serve(websocket, caller, self.new_codec, selected)

        for path in self.paths if paths is None else paths:
            router.add_api_websocket_route(path, stream)
        return router
