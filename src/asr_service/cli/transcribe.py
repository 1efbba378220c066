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
from asr_service.domain.ports.audio_decoder import AudioNotDecodable
from asr_service.domain.value_objects.caller import LOCAL_CALLER
from asr_service.domain.value_objects.transcript import Transcript
from asr_service.infrastructure.config.loading import load_settings
from asr_service.infrastructure.logging.configuration import configure_logging


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
        list[Path], typer.Argument(help="Recordings: WAV, MP3, FLAC, Ogg, M4A, WebM, …", show_default=False)
    ],
    format: Annotated[Format, typer.Option("--format", "-f", help="How to write the text.")] = Format.TXT,  # noqa: A002
    language: Annotated[str, typer.Option("--language", "-l", help="zh, en, …; auto detects it.")] = "auto",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for one file each; else to standard output.")
    ] = None,
) -> None:
    """Transcribe recordings here and now; no server is needed."""
    settings = load_settings()
    configure_logging("warning", settings.log_format)
    for file in files:
        if not file.is_file():
            raise AudioNotDecodable(f"There is no file {file}.", field="files")
    if output:
        output.mkdir(parents=True, exist_ok=True)

    async def run() -> None:
        async with open_transcriber(settings) as transcriber:
            for file in files:
                text = _WRITERS[format](await _transcribe(transcriber, file, language))
                if output:
                    (output / f"{file.stem}.{format}").write_text(text, encoding="utf-8")
                else:
                    typer.echo(text, nl=False)

    asyncio.run(run())


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
