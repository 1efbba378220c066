"""A listening TCP port."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from asr_service.shared.errors import AsrError


class CannotListen(AsrError):
    """The address is in use, or not ours to use."""

    code = "cannot_listen"


@asynccontextmanager
async def listening(
    on_connected: Callable[[asyncio.StreamReader, asyncio.StreamWriter], None],
    host: str,
    port: int,
    *,
    what: str,
    hint: str,
) -> AsyncIterator[str]:
    """Takes connections while the block runs, which is given the address in the form ``host:port``.

    Args:
        on_connected: Must not block.
        host: Name or address.
        port: 0 lets the system choose one.
        what: Whom the port is for, for the message of an error.
        hint: What to do if it cannot be had.

    Raises:
        CannotListen: Another program listens there already, or the address is none of this machine.
    """
    try:
        server = await asyncio.start_server(on_connected, host, port)
    except OSError as error:
        raise CannotListen(
            f"Cannot listen on {host}:{port} for {what}: {error.strerror or error}.", hint=hint
        ) from error
    async with server:
        actual_port = server.sockets[0].getsockname()[1]
        yield f"[{host}]:{actual_port}" if ":" in host else f"{host}:{actual_port}"
