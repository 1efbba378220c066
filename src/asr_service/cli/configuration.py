"""``asr-service config``."""

import json
from pathlib import Path
from typing import Annotated

import typer

from asr_service.infrastructure.config.effective import effective
from asr_service.infrastructure.config.loading import load_settings

config = typer.Typer(help="Look at the settings.", no_args_is_help=True)


@config.callback()
def _group() -> None:
    """Keeps ``show`` a sub-command although it is the only one."""


@config.command()
def show(
    file: Annotated[Path | None, typer.Option("--config", help="YAML or TOML file with settings.")] = None,
) -> None:
    """Print the settings in force and where each comes from, secrets masked."""
    for key, setting in effective(load_settings(config_file=file)).items():
        typer.echo(f"{key} = {json.dumps(setting.value, ensure_ascii=False)}  # {setting.source}")
