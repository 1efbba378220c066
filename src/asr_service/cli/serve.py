"""``asr-service serve``."""

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import structlog
import typer
import uvicorn

from asr_service.bootstrap import build
from asr_service.infrastructure.config.loading import load_settings
from asr_service.infrastructure.config.settings import Settings
from asr_service.infrastructure.logging.configuration import configure_logging
from asr_service.main import create_app
from asr_service.shared.errors import AsrError

log = structlog.get_logger(__name__)

_AFTER_DRAIN_S = 2  # for answers that are being written when everything else is done
_BACKLOG = 2_048  # connections that may wait for the handshake: a restart brings all clients back at once


class PortBusy(AsrError):
    """Another program listens there already."""

    code = "port_busy"


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on, in place of the one in the settings.", show_default=False)
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on, in place of the one in the settings.", show_default=False)
    ] = None,
    config: Annotated[Path | None, typer.Option(help="YAML or TOML file with settings.", show_default=False)] = None,
) -> None:
    """Start the service: web page, WebSocket and REST on one port."""
    wished = {key: value for key, value in {"host": host, "port": port}.items() if value is not None}
    settings = load_settings({"server": wished} if wished else None, config_file=config)
    configure_logging(settings.logging.level, settings.log_format)
    listener = listen(settings.server.host, settings.server.port)
    with listener, asyncio.Runner(loop_factory=_loop_choice().get_loop_factory()) as runner:
        runner.run(_serve(settings, listener))


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to the address, before anything slow is begun.

    Raises:
        PortBusy: The address is in use, or not ours to use.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise _port_busy(host, port, error) from error
    return listener


def _port_busy(host: str, port: int, error: OSError) -> PortBusy:
    return PortBusy(
        f"Cannot listen on {host}:{port}: {error.strerror or error}.",
        hint="Choose another one with --port or ASR_SERVER__PORT.",
    )


def _loop_choice() -> uvicorn.Config:
    return uvicorn.Config(app="", loop="auto", log_config=None)  # else it would replace the configuration of the log


class _Server(uvicorn.Server):
    """Stops at a signal and returns; uvicorn's own would then die of the signal, before anything is stored and closed.

    At the first signal it drains, still listening, so that clients and load balancers are told where they stand; at the
    second one it stops at once.
    """

    def __init__(self, config: uvicorn.Config, drain: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._drain = drain
        self._draining: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        addresses: list[tuple[str, int]] = [listener.getsockname()[:2] for listener in sockets or ()]
        try:
            await super().startup(sockets)
        except OSError as error:  # two that were started at the same time can both be bound; only one can listen
            host, port = addresses[0]
            raise _port_busy(host, port, error) from error
        for host, port in addresses:
            log.info("listening", url=f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/")

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._handle_signal)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def _handle_signal(self) -> None:
        if self._draining is None:
            self._draining = asyncio.create_task(self._stop())
        else:
            self.should_exit = self.force_exit = True

    async def _stop(self) -> None:
        await self._drain()
        self.should_exit = True


async def _serve(settings: Settings, listener: socket.socket) -> None:
    async with build(settings) as services:
        config = _uvicorn_config(settings, create_app(settings, services=services))
        await _Server(config, lambda: services.drain.run(settings.server.drain_deadline_s)).serve([listener])


def _uvicorn_config(settings: Settings, app: object) -> uvicorn.Config:
    server = settings.server
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        log_config=None,
        access_log=False,  # the application writes one line per request itself
        ws="websockets-sansio",
        ws_max_size=server.ws_max_message_bytes,
        ws_ping_interval=server.ws_ping_interval_s,
        ws_ping_timeout=server.ws_ping_timeout_s,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=_AFTER_DRAIN_S,
        proxy_headers=bool(server.trusted_proxies),
        forwarded_allow_ips=list(server.trusted_proxies),
    )
