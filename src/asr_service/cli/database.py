"""``asr-service db``."""

import asyncio

import typer

from asr_service.bootstrap import open_database
from asr_service.infrastructure.config.loading import load_settings

db = typer.Typer(help="Look after the database.", no_args_is_help=True)


@db.callback()
def _group() -> None:
    """Keeps ``migrate`` a sub-command although it is the only one."""


@db.command()
def migrate() -> None:
    """Bring the database to the schema of this version; harmless if it is there already."""
    asyncio.run(_migrate())


async def _migrate() -> None:
    async with open_database(load_settings()):
        typer.echo("The database has the schema of this version.")
