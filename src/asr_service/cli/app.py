"""The commands, put together, and what happens when one of them fails."""

import sys
from os import EX_CANTCREAT, EX_CONFIG, EX_NOINPUT, EX_PROTOCOL, EX_UNAVAILABLE

import typer
from rich.console import Console
from rich.markup import escape

from asr_service.app.api.errors import meaning_of
from asr_service.cli import (
    artifacts,
    configuration,
    database,
    events,
    files,
    follow,
    live_text,
    serve,
    stream,
    transcribe,
)
from asr_service.infrastructure.artifacts.recordings import SamplesNotWritable
from asr_service.infrastructure.config.problems import EXIT_CODE, InvalidSettings
from asr_service.shared.errors import AsrError

_NAME = "asr-service"

app = typer.Typer(
    name=_NAME,
    help="Self-hosted speech recognition: live and batch, Mandarin and English first.",
    epilog="Settings come from variables such as ASR_SERVER__PORT, from .env, and from the file that ASR_CONFIG_FILE"
    " names; asr-service config show lists them all.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("serve")(serve.serve)
app.command("transcribe")(transcribe.transcribe)
app.command("stream")(stream.stream)
app.command("follow")(follow.follow)
app.command("samples")(artifacts.samples)
app.add_typer(artifacts.models, name="models")
app.add_typer(configuration.config, name="config")
app.add_typer(database.db, name="db")
app.add_typer(events.events, name="events")


_EXIT_CODES: dict[type[AsrError], int] = {
    InvalidSettings: EXIT_CODE,
    files.CannotRead: EX_NOINPUT,
    files.CannotWrite: EX_CANTCREAT,
    serve.PortBusy: EX_UNAVAILABLE,
    serve.TlsUnusable: EX_CONFIG,
    live_text.RefusedByServer: EX_PROTOCOL,
    live_text.ServerUnreachable: EX_UNAVAILABLE,
    stream.NoMicrophone: EX_UNAVAILABLE,
    SamplesNotWritable: EX_CANTCREAT,
}
"""Of the errors that only the command line meets."""


def main() -> None:
    """Runs the command line. A typed error becomes one readable line and the exit code of its kind."""
    try:
        app(prog_name=_NAME)
    except AsrError as error:
        report(error)
        sys.exit(_EXIT_CODES.get(type(error), meaning_of(error).exit_code))


def report(error: AsrError) -> None:
    """Says on standard error what went wrong, and what to do."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"[bold red]error[/] [dim]{error.code}[/] {escape(error.message)}")
    if error.hint:
        console.print(f"[bold]hint[/]  {escape(error.hint)}")
