"""``asr-service models`` and ``asr-service samples``."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from asr_service.bootstrap import open_model_store, open_recordings
from asr_service.domain.ports.model_store import ModelState, PullProgress
from asr_service.infrastructure.artifacts.catalogue import HubSpec
from asr_service.infrastructure.artifacts.hub_source import DEFAULT_ENDPOINTS
from asr_service.infrastructure.artifacts.own_catalogue import locked_entry, render
from asr_service.infrastructure.config.loading import load_settings
from asr_service.infrastructure.config.settings import Settings

SAMPLE_RECORDINGS = "phrases"

models = typer.Typer(help="Models and recordings on this machine.", no_args_is_help=True)
_Names = Annotated[
    list[str] | None, typer.Argument(help="Names as in the list; none: what the service needs.", show_default=False)
]


@models.command("list")
def list_models() -> None:
    """List what can be had, and what of it is on this machine."""
    for entry in open_model_store(load_settings()).list_entries():
        colour = {ModelState.INSTALLED: typer.colors.GREEN, ModelState.CORRUPT: typer.colors.RED}.get(entry.state)
        state = typer.style(f"{entry.state:<10}", fg=colour)
        typer.echo(
            f"{entry.name:<18} {state} {entry.size_bytes / 1e6:7.1f} MB  {entry.licence:<13} {entry.description}"
        )


@models.command()
def pull(names: _Names = None) -> None:
    """Fetch what is missing. Checksums are verified, and a broken download goes on where it stopped."""
    settings = load_settings()
    store = open_model_store(settings)
    for name in _chosen(names, settings):
        with _progress(name) as progress:
            folder = store.pull(name, progress)
        typer.echo(f"{name}: {folder}")


@models.command()
def verify(names: _Names = None) -> None:
    """Read every byte of what is here, and compare checksums."""
    settings = load_settings()
    store = open_model_store(settings)
    for name in _chosen(names, settings):
        store.verify(name)
        typer.echo(f"{name}: every file is what the catalogue says")


@models.command()
def remove(names: Annotated[list[str], typer.Argument(help="Names as in the list.", show_default=False)]) -> None:
    """Delete files that can be pulled again."""
    store = open_model_store(load_settings())
    for name in names:
        store.remove(name)
        typer.echo(f"{name}: removed")


@models.command()
def lock(
    folder: Annotated[
        Path, typer.Argument(help="A folder with all files of a model, and no others.", show_default=False)
    ],
    name: Annotated[str, typer.Option(help="What the model is to be called; left out, as the folder.")] = "",
    engine: Annotated[
        str, typer.Option(help="The engine that runs it; left out, none: it is for another purpose.")
    ] = "",
    architecture: Annotated[str, typer.Option(help="What the files are, where the engine cannot see it.")] = "",
    languages: Annotated[
        str, typer.Option(help="Their codes, separated by commas, where the engine cannot see them.")
    ] = "",
    licence: Annotated[str, typer.Option(help="As the model's card names it.")] = "unknown",
    source: Annotated[
        list[str] | None,
        typer.Option(
            help="Where others find the same files: model-scope:REPOSITORY@REVISION or hugging-face:….",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write a catalogue entry that pins the files of a folder; append it to the file that models.catalogue names."""
    entry = locked_entry(
        folder,
        name or folder.resolve().name,
        engine=engine or None,
        architecture=architecture or None,
        languages=[code for code in languages.replace(" ", "").split(",") if code],
        licence=licence,
        sources=[_hub(text) for text in source or ()],
    )
    typer.echo(render(entry), nl=False)


def samples(
    folder: Annotated[Path, typer.Argument(help="The folder; left out, it is this one.", show_default=False)] = Path(),
) -> None:
    """Put one English and one Mandarin recording into a folder, for a first try."""
    settings = load_settings()
    with _progress(SAMPLE_RECORDINGS) as progress:
        open_model_store(settings).pull(SAMPLE_RECORDINGS, progress)
    for recording in open_recordings(settings).write_samples(folder):
        typer.echo(f"{recording.path}: {recording.reference}")


def _chosen(names: list[str] | None, settings: Settings) -> list[str]:
    return names or [*settings.catalogue_models, settings.vad.model]


def _hub(text: str) -> HubSpec:
    hub, _, place = text.partition(":")
    repository, _, revision = place.rpartition("@")
    if hub not in DEFAULT_ENDPOINTS or not (repository and revision):
        raise typer.BadParameter(f"{text!r} is not of the form model-scope:REPOSITORY@REVISION", param_hint="--source")
    return HubSpec(type=hub, repository=repository, revision=revision)  # type: ignore[arg-type]


@contextmanager
def _progress(name: str) -> Iterator[Callable[[PullProgress], None]]:
    """Shows a bar on a terminal, and nothing elsewhere."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        tasks: dict[str, TaskID] = {}

        def show(pulled: PullProgress) -> None:
            label = f"{name}: {pulled.stage} {pulled.source}".rstrip()
            if label not in tasks:
                tasks[label] = progress.add_task(label)
            progress.update(tasks[label], completed=pulled.done_bytes, total=pulled.total_bytes)

        yield show
