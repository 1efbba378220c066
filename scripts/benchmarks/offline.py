"""How much recorded audio a second of CPU time turns into text, beside faster-whisper's own pipelines."""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from faster_whisper import BatchedInferencePipeline, WhisperModel

from asr_service.bootstrap import open_model_store, open_transcriber
from asr_service.domain.value_objects.caller import LOCAL_CALLER
from asr_service.infrastructure.config.settings import Settings
from scripts.benchmarks.clips import Clip, error_percent_of_all, errors_by_group
from scripts.benchmarks.processes import cpu_s

LONGEST_SHORT_S = 15.0
_FILES_AT_ONCE = 16
_BATCH_SIZE = 8
_TIMES_LONG = 3  # of a few long files batches are full only in the middle; a queue of them has more middle


@dataclass(frozen=True, slots=True)
class OfflineRun:
    """What one pipeline made of some clips, the loading of the model not counted."""

    texts: dict[str, str]
    cpu_s: float
    wall_s: float


def run_offline(settings: Settings, clips: list[Clip]) -> dict[str, Any]:
    """Short clips against ``WhisperModel.transcribe``, long ones against ``BatchedInferencePipeline``.

    Each side has one thread and the machine for itself: two workers slow each other down through the memory that they share.
    What the service saves by its short contexts must not cost words: so the errors over all recordings stand beside those
    with each piece padded to the 30 s that Whisper was trained on.
    """
    settings = with_recognizer(settings, workers=1, threads_per_worker=1)
    short = [clip for clip in clips if clip.seconds <= LONGEST_SHORT_S]
    long = [clip for clip in clips if clip.seconds > LONGEST_SHORT_S]
    folder = str(open_model_store(settings).locate(settings.recognizer.model))
    model = WhisperModel(folder, device="cpu", compute_type=settings.recognizer.arithmetic("cpu"), cpu_threads=1)
    batched = BatchedInferencePipeline(model)
    beam_size = settings.recognizer.beam_size

    def transcribe(clip: Clip) -> str:
        segments, _ = model.transcribe(str(clip.path), language=clip.group, beam_size=beam_size)
        return "".join(segment.text for segment in segments)

    def transcribe_batched(clip: Clip) -> str:
        segments, _ = batched.transcribe(
            str(clip.path), language=clip.group, beam_size=beam_size, batch_size=_BATCH_SIZE
        )
        return "".join(segment.text for segment in segments)

    of_short, of_long = (asyncio.run(run_service(settings, part)) for part in (short, _repeated(long)))
    padded = asyncio.run(run_service(with_recognizer(settings, finals_context_s=30.0), clips))
    return {
        "short_clips": _compared(short, of_short, _run(short, transcribe)),
        "long_files": _compared(_repeated(long), of_long, _run(_repeated(long), transcribe_batched)),
        "all_recordings": {
            "error_percent": error_percent_of_all(clips, of_short.texts | of_long.texts),
            "padded_error_percent": error_percent_of_all(clips, padded.texts),
            "padded_error_percent_by_language": errors_by_group(clips, padded.texts),
        },
    }


def _repeated(clips: list[Clip]) -> list[Clip]:
    """Each recording several times, under its own name the first time."""
    again = [replace(clip, name=f"{clip.name} ({number})") for number in range(2, _TIMES_LONG + 1) for clip in clips]
    return [*clips, *again]


def with_recognizer(settings: Settings, **changes: float | str) -> Settings:
    """The same settings with others of the recognizer."""
    return settings.model_copy(update={"recognizer": settings.recognizer.model_copy(update=changes)})


async def run_service(settings: Settings, clips: list[Clip]) -> OfflineRun:
    """The recordings as the service transcribes them, several at once, each in the language that it counts for."""
    texts: dict[str, str] = {}
    places = asyncio.Semaphore(_FILES_AT_ONCE)
    async with open_transcriber(settings) as transcriber:
        defaults = transcriber.recording_defaults

        async def transcribe(clip: Clip) -> None:
            config = replace(defaults, options=replace(defaults.options, language=clip.group, word_times=False))
            async with places:
                transcript = await transcriber.transcription.transcribe(LOCAL_CALLER, clip.path, config)
            texts[clip.name] = transcript.text

        spent_s, started_s = cpu_s(os.getpid()), time.monotonic()
        await asyncio.gather(*map(transcribe, clips))
        return OfflineRun(texts, cpu_s(os.getpid()) - spent_s, time.monotonic() - started_s)


def _run(clips: list[Clip], transcribe: Callable[[Clip], str]) -> OfflineRun:
    spent_s, started_s = cpu_s(os.getpid()), time.monotonic()
    texts = {clip.name: transcribe(clip) for clip in clips}
    return OfflineRun(texts, cpu_s(os.getpid()) - spent_s, time.monotonic() - started_s)


def _compared(clips: list[Clip], ours: OfflineRun, theirs: OfflineRun) -> dict[str, Any]:
    audio_s = sum(clip.seconds for clip in clips)
    return {
        "clips": len(clips),
        "audio_s": round(audio_s, 1),
        "service": _figures(clips, ours, audio_s),
        "faster_whisper": _figures(clips, theirs, audio_s),
        "times_the_audio_per_cpu_s": round(theirs.cpu_s / ours.cpu_s, 2),
    }


def _figures(clips: list[Clip], run: OfflineRun, audio_s: float) -> dict[str, Any]:
    return {
        "audio_s_per_cpu_s": round(audio_s / run.cpu_s, 1),
        "audio_s_per_s": round(audio_s / run.wall_s, 1),
        "error_percent": errors_by_group(clips, run.texts),
    }
