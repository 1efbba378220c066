"""``asr-service events``."""

import asyncio
from typing import Annotated

import typer

from asr_service.infrastructure.config.loading import load_settings
from asr_service.infrastructure.messaging.integration_events import EventUnreadable
from asr_service.nodes import open_dead_letters
from asr_service.shared.errors import InvalidRequest

events = typer.Typer(help="Look after the events that servers share.", no_args_is_help=True)
dead_letters = typer.Typer(help="Events that could not be handled.", no_args_is_help=True)
events.add_typer(dead_letters, name="dead-letters")


@dead_letters.command("list")
def list_letters() -> None:
    """Print what was given up, the oldest first: id, time, subscriber, event, session, error, attempts. Never what was said."""
    asyncio.run(_list())


@dead_letters.command()
def replay(
    letters: Annotated[list[str] | None, typer.Argument(help="Ids from the list.", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that can be replayed.")] = False,
) -> None:
    """Have events handled again by the subscriber that gave them up, in the order of the list."""
    if everything is bool(letters):
        raise InvalidRequest("Name the dead letters that are to be replayed, or say --all.")
    asyncio.run(_replay(letters))


async def _list() -> None:
    async with open_dead_letters(load_settings()) as given_up:
        async for letter in given_up.list():
            typer.echo(
                f"{letter.letter_id}  {letter.given_up_at:%Y-%m-%dT%H:%M:%SZ}  {letter.subscriber}  "
                f"{letter.event_type or '-'}  {letter.session_id or '-'}  {letter.error}  {letter.attempts}"
            )


async def _replay(letters: list[str] | None) -> None:
    """``None``: all of those that hold an event, as they are now; what is given up meanwhile is not tried again."""
    async with open_dead_letters(load_settings()) as given_up:
        chosen = letters or [letter.letter_id async for letter in given_up.list() if letter.session_id is not None]
        for letter_id in chosen:
            try:
                await given_up.replay(letter_id)
            except EventUnreadable as error:
                raise InvalidRequest(f"{letter_id} holds no event: {error}.", hint="It cannot be replayed.") from error
            typer.echo(f"{letter_id}  replayed")
