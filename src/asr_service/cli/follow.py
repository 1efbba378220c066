"""``asr-service follow``: shows what is said in a session that somebody else has with a running server."""

import asyncio
from typing import Annotated

import typer

from asr_service.cli.live_text import server_address, show
from asr_service.client import Client, StreamPolicy


def follow(
    session_id: Annotated[str, typer.Argument(help="The session, for example ses_01jq3vd5m8x7k2n4p6r8t0w2y4.")],
    url: Annotated[str, typer.Option(help="Address of the server, or of another that shares its database.")] = (
        "http://127.0.0.1:8000"
    ),
    give_up_after_s: Annotated[
        float,
        typer.Option("--give-up-after", min=0, metavar="SECONDS", help="So long a lost connection is tried again."),
    ] = 60,
) -> None:
    """Show the text of a live session, read-only: what was said until now, then what is said, until it is over.

    Partial text is grey until it is final. It works for sessions that are over, too, as long as they are stored.
    """
    asyncio.run(_follow(server_address(url), session_id, StreamPolicy(give_up_after_s)))


async def _follow(url: str, session_id: str, policy: StreamPolicy) -> None:
    async with Client(url, policy=policy) as client:
        await show(url, client.follow(session_id))
