"""What a server tells of speech, on a terminal: text as it comes, and what becomes of the connection."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from urllib.parse import urlsplit, urlunsplit

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from asr_service.client import (
    ClientError,
    Event,
    Failed,
    Final,
    FollowedEvent,
    Partial,
    Reconnecting,
    Resumed,
    Session,
    Started,
)
from asr_service.shared.errors import AsrError, InvalidRequest

_STREAM_PATH = "/api/v1/stream"


class ServerUnreachable(AsrError):
    """No server takes the stream, or the one that did is gone for good."""

    code = "server_unreachable"


class RefusedByServer(AsrError):
    """The server reported an error."""

    code = "refused_by_server"


def server_address(url: str) -> str:
    """The address that the client wants; that of the stream itself is understood too."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname or parts.query:
        raise InvalidRequest(
            f"{url} is no address of a server.", field="url", hint="For example: http://127.0.0.1:8000"
        )
    prefix = parts.path.rstrip("/").removesuffix(_STREAM_PATH)
    return urlunsplit((parts.scheme, parts.netloc, prefix, "", ""))


async def show(url: str, events: AsyncGenerator[Event | FollowedEvent, None]) -> None:
    """Shows what is told to the end: partials in grey, finals as lines, on standard output.

    Args:
        url: Where from.
        events: Are closed at the end.

    Raises:
        ServerUnreachable: It does not answer from the start, or for too long.
        RefusedByServer: It reported an error; or utterances stay without text, which is told when all is shown.
    """
    try:
        async with aclosing(events):
            await _print(_once_begun(url, events))
    except ClientError as error:
        kind = ServerUnreachable if error.code == ServerUnreachable.code else RefusedByServer
        raise kind(str(error), hint=error.hint) from error


async def _once_begun(url: str, events: AsyncIterator[Event | FollowedEvent]) -> AsyncIterator[Event | FollowedEvent]:
    """The same events; a server that is not there from the start is not waited for."""
    begun = False
    async for event in events:
        if isinstance(event, Reconnecting) and not begun:
            raise ServerUnreachable(
                f"{url} does not answer as it should: {event.reason}",
                hint="Is it running, and has it room? Start it with: asr-service serve",
            )
        begun = True
        yield event


async def _print(events: AsyncIterator[Event | FollowedEvent]) -> None:
    console = Console(highlight=False)
    failures: list[str] = []
    with Live(console=console, auto_refresh=False, transient=True) as live:
        async for event in events:
            match event:
                case Partial():
                    text = Text.assemble((event.stable, "grey50"), (event.volatile, "grey35 italic"))
                    live.update(text, refresh=True)
                    if not console.is_terminal:
                        typer.echo(f"… {event.text}")
                case Final() if event.text:
                    live.update("", refresh=True)
                    console.print(Text(event.text), soft_wrap=True)
                case Failed():
                    span_s = f"{event.start_ms / 1_000:g}–{event.end_ms / 1_000:g} s"
                    failures.append(f"No text for {span_s}: {event.message}")
                case Reconnecting():
                    _show_notice(live, f"The connection is lost, and tried again: {event.reason}")
                case Started() | Resumed() | Session():
                    live.update("", refresh=True)
    if failures:
        raise RefusedByServer("\n".join(failures))


def _show_notice(live: Live, notice: str) -> None:
    """On a terminal in the place of the partial; else on standard error, since standard output is for the text."""
    live.update(Text(notice, "yellow"), refresh=True)
    if not live.console.is_terminal:
        typer.echo(notice, err=True)
