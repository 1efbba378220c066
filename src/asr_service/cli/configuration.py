"""``asr-service config``."""

from pathlib import Path
from typing import Annotated

import typer
import yaml

from asr_service.infrastructure.config.settings import effective, load_settings

config = typer.Typer(help="Look at the settings.", no_args_is_help=True)


@config.callback()
def _group() -> None:
    """Keeps ``show`` a sub-command although it is the only one."""


@config.command()
def show(
    file: Annotated[Path | None, typer.Option("--config", help="YAML or TOML file with settings.")] = None,
) -> None:
    """Print the settings in force as YAML, secrets masked."""
    typer.echo(
        yaml.safe_dump(effective(load_settings(config_file=file)), allow_unicode=True, sort_keys=False), nl=False
    )
