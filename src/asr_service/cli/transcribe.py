"""``asr-service transcribe``."""

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from asr_service.app.dto.session_config import supported_language
from asr_service.app.dto.transcript_json import transcript_json
from asr_service.app.services.transcript_formats import to_srt, to_text, to_vtt
from asr_service.bootstrap import Transcriber, open_transcriber
from asr_service.cli.files import check_recordings, make_folder, write_text
from asr_service.domain.value_objects.caller import LOCAL_CALLER
from asr_service.domain.value_objects.language import parse_language
from asr_service.domain.value_objects.transcript import Transcript
from asr_service.infrastructure.config.loading import load_settings
from asr_service.infrastructure.logging.configuration import configure_logging
from asr_service.shared.errors import InvalidRequest


class Format(StrEnum):
    """How a transcript is written."""

    TXT = "txt"
    JSON = "json"
    SRT = "srt"
    VTT = "vtt"


_WRITERS: dict[Format, Callable[[Transcript], str]] = {
    Format.TXT: to_text,
    Format.JSON: transcript_json,
    Format.SRT: to_srt,
    Format.VTT: to_vtt,
}


def transcribe(
    files: Annotated[
        list[Path], typer.Argument(help="Recordings: WAV, MP3, FLAC, Ogg, M4A, WebM and others.", show_default=False)
    ],
    format: Annotated[Format, typer.Option("--format", "-f", help="Form of the text.")] = Format.TXT,  # noqa: A002
    language: Annotated[
        str, typer.Option("--language", "-l", help="What is spoken: zh, en or another code; auto detects it.")
    ] = "auto",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for the texts, one file for each recording.", show_default=False),
    ] = None,
) -> None:
    """Transcribe recordings on this machine, without a server; the text goes to standard output, or into a folder."""
    settings = load_settings()
    configure_logging("warning", settings.log_format)
    parse_language(language)  # a slip of the keyboard is told before the model is loaded
    check_recordings(files)
    targets = _targets(files, output, format)
    if output is not None:
        make_folder(output)

    async def run() -> None:
        async with open_transcriber(settings) as transcriber:
            for file, target in targets.items():
                text = _WRITERS[format](await _transcribe(transcriber, file, language))
                if target is None:
                    typer.echo(text, nl=False)
                else:
                    write_text(target, text)

    asyncio.run(run())


def _targets(files: list[Path], output: Path | None, form: Format) -> dict[Path, Path | None]:
    """Where the text of each recording goes.

    Raises:
        InvalidRequest: One text would overwrite another.
    """
    if output is None:
        return dict.fromkeys(files)
    sources: dict[Path, Path] = {}
    for file in files:
        target = output / f"{file.stem}.{form}"
        if sources.setdefault(target, file) != file:
            raise InvalidRequest(f"{sources[target]} and {file} would both be written to {target}.", field="output")
    return {file: target for target, file in sources.items()}


async def _transcribe(transcriber: Transcriber, file: Path, language: str) -> Transcript:
    defaults = transcriber.recording_defaults
    code = supported_language(language, transcriber.recognizer.capabilities)
    config = replace(defaults, options=replace(defaults.options, language=code))
    seconds = await transcriber.decoder.probe_seconds(file)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) if console.is_terminal else nullcontext() as progress:
        if progress is None:
            return await transcriber.transcription.transcribe(LOCAL_CALLER, file, config)
        task = progress.add_task(file.name, total=seconds)
        return await transcriber.transcription.transcribe(
            LOCAL_CALLER, file, config, lambda done_s: progress.update(task, completed=done_s)
        )
