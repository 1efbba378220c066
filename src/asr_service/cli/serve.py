"""``asr-service serve``."""

import asyncio
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, TypeAlias

import structlog
import typer
import uvicorn

from asr_service.app.api.v1.websocket.wire_protocols import TlsFiles, WireProtocol
from asr_service.bootstrap import build, wire_protocols
from asr_service.cli.dropping_protocol import DroppingProtocol
from asr_service.infrastructure.config.loading import load_settings
from asr_service.infrastructure.config.settings import Settings
from asr_service.infrastructure.logging.configuration import configure_logging
from asr_service.main import create_app, create_protocol_app
from asr_service.shared.errors import AsrError

log = structlog.get_logger(__name__)

Drainage: TypeAlias = Callable[[], Awaitable[None]]

_AFTER_DRAIN_S = 2  # for answers that are being written when everything else is done
_BACKLOG = 2_048  # connections that may wait for the handshake: a restart brings all clients back at once
_MAIN_PORT = "--port or ASR_SERVER__PORT"  # where it is chosen


class PortBusy(AsrError):
    """Another program listens there already."""

    code = "port_busy"


class TlsUnusable(AsrError):
    """The certificate or its key cannot be used."""

    code = "tls_unusable"


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on, in place of the one in the settings.", show_default=False)
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on, in place of the one in the settings.", show_default=False)
    ] = None,
    config: Annotated[Path | None, typer.Option(help="YAML or TOML file with settings.", show_default=False)] = None,
) -> None:
    """Start the service: web page, WebSocket and REST on one port, and protocols on ports of their own if there are any."""
    wished = {key: value for key, value in {"host": host, "port": port}.items() if value is not None}
    settings = load_settings({"server": wished} if wished else None, config_file=config)
    configure_logging(settings.logging.level, settings.log_format)
    protocols = [protocol for protocol in wire_protocols(settings) if protocol.enabled and protocol.port]
    for protocol in protocols:
        _check_tls(protocol.tls)
    host = settings.server.host
    with ExitStack() as opened:
        listener = opened.enter_context(listen(host, settings.server.port))
        own = [
            (protocol, opened.enter_context(listen(host, protocol.port, _port_setting(protocol))))
            for protocol in protocols
        ]
        runner = opened.enter_context(asyncio.Runner(loop_factory=_loop_choice().get_loop_factory()))
        runner.run(_serve(settings, listener, own))


def _port_setting(protocol: WireProtocol | None) -> str:
    return _MAIN_PORT if protocol is None else f"ASR_{protocol.name.upper()}__PORT"


def _check_tls(files: TlsFiles | None) -> None:
    """Finds out before anything slow is begun.

    Raises:
        TlsUnusable: A file cannot be read, or key and certificate do not belong together.
    """
    if files is None:
        return
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(files.certificate, files.key)
    except OSError as error:  # as ssl.SSLError is too
        raise TlsUnusable(
            f"{files.certificate} and {files.key} cannot be used: {error.strerror or error}.",
            hint="Name PEM files with a certificate and its key.",
        ) from error


def listen(host: str, port: int, setting: str = _MAIN_PORT) -> socket.socket:
    """A socket bound to the address, before anything slow is begun; ``setting`` is where another port is chosen.

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
        raise _port_busy(host, port, error, setting) from error
    return listener


def _port_busy(host: str, port: int, error: OSError, setting: str) -> PortBusy:
    return PortBusy(
        f"Cannot listen on {host}:{port}: {error.strerror or error}.", hint=f"Choose another one with {setting}."
    )


def _loop_choice() -> uvicorn.Config:
    return uvicorn.Config(app="", loop="auto", log_config=None)  # else it would replace the configuration of the log


class _Server(uvicorn.Server):
    """Leaves the signals to ``_stopped_by_signals``: uvicorn's own would die of them, before anything is stored and closed."""

    def __init__(self, config: uvicorn.Config, protocol: WireProtocol | None = None) -> None:
        super().__init__(config)
        self._protocol = protocol

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        addresses: list[tuple[str, int]] = [listener.getsockname()[:2] for listener in sockets or ()]
        try:
            await super().startup(sockets)
        except OSError as error:  # two that were started at the same time can both be bound; only one can listen
            host, port = addresses[0]
            raise _port_busy(host, port, error, _port_setting(self._protocol)) from error
        for host, port in addresses:
            self._announce(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")

    def _announce(self, address: str) -> None:
        if self._protocol is None:
            log.info("listening", url=f"http://{address}/")
        else:
            scheme = "ws" if self._protocol.tls is None else "wss"
            log.info("protocol_listening", protocol=self._protocol.name, url=f"{scheme}://{address}/")

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextmanager
def _stopped_by_signals(servers: Sequence[_Server], drain: Drainage) -> Iterator[None]:
    """At SIGINT or SIGTERM the servers are drained, and stop then; at a second one they stop at once.

    They listen while they are drained, so that clients and load balancers are told where they stand.
    """
    loop = asyncio.get_running_loop()
    draining: list[asyncio.Task[None]] = []

    async def drain_and_stop() -> None:
        await drain()
        for server in servers:
            server.should_exit = True

    def stop() -> None:
        if draining:
            for server in servers:
                server.should_exit = server.force_exit = True
        else:
            draining.append(asyncio.create_task(drain_and_stop()))

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _serve(
    settings: Settings, listener: socket.socket, own: Sequence[tuple[WireProtocol, socket.socket]]
) -> None:
    async with build(settings) as services:
        main = _Server(_uvicorn_config(settings, create_app(settings, services=services)))
        companions = [
            _Server(_uvicorn_config(settings, create_protocol_app(protocol, services), protocol.tls), protocol)
            for protocol, _ in own
        ]
        drain = partial(services.drain.run, settings.server.drain_deadline_s)
        with _stopped_by_signals([main, *companions], drain):
            await _run_together([main, *companions], [listener, *(own_listener for _, own_listener in own)])


async def _run_together(servers: Sequence[_Server], listeners: Sequence[socket.socket]) -> None:
    """Runs until one of them ends, which ends the others.

    Raises:
        PortBusy: Somebody else listens on one of the ports.
    """
    running = [
        asyncio.create_task(server.serve([listener])) for server, listener in zip(servers, listeners, strict=True)
    ]
    await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    for server in servers:
        server.should_exit = True
    await asyncio.wait(running)
    for task in running:
        task.result()


def _uvicorn_config(settings: Settings, app: object, tls: TlsFiles | None = None) -> uvicorn.Config:
    server = settings.server
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        log_config=None,
        access_log=False,  # the application writes one line per request itself
        ws=DroppingProtocol,
        ws_max_size=server.ws_max_message_bytes,
        ws_ping_interval=server.ws_ping_interval_s,
        ws_ping_timeout=server.ws_ping_timeout_s,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=_AFTER_DRAIN_S,
        proxy_headers=bool(server.trusted_proxies),
        forwarded_allow_ips=list(server.trusted_proxies),
        ssl_certfile=None if tls is None else tls.certificate,
        ssl_keyfile=None if tls is None else tls.key,
    )
