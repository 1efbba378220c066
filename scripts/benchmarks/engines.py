"""Models of several engines beside each other: their errors, and how much audio a second of CPU time turns into text."""

import asyncio
from typing import Any

from asr_service.bootstrap import open_model_store
from asr_service.infrastructure.config.settings import Settings
from scripts.benchmarks.clips import Clip, errors_by_group
from scripts.benchmarks.offline import OfflineRun, run_service, with_recognizer

LANGUAGE_OF = {"whisper-base": "en", "whisper-tiny.en": "en", "moonshine-tiny-en": "en"}
"""The models, and in which language each is compared; the first of a language is what the others are measured by."""


def run_engines(settings: Settings, clips: list[Clip]) -> dict[str, Any]:
    """Each model as the service runs it: one worker of one thread, recordings of all lengths, the language given."""
    store = open_model_store(settings)
    models: list[dict[str, Any]] = []
    for model, language in LANGUAGE_OF.items():
        store.pull(model, lambda _progress: None)
        chosen = with_recognizer(settings, model=model, workers=1, threads_per_worker=1)
        spoken = [clip for clip in clips if clip.group == language]
        run = asyncio.run(run_service(chosen, spoken))
        models.append({"model": model, "engine": store.recognition_model(model).engine, **_figures(spoken, run)})
    return {"models": models}


def _figures(clips: list[Clip], run: OfflineRun) -> dict[str, Any]:
    audio_s = sum(clip.seconds for clip in clips)
    return {
        "clips": len(clips),
        "audio_s": round(audio_s, 1),
        "error_percent": errors_by_group(clips, run.texts),
        "audio_s_per_cpu_s": round(audio_s / run.cpu_s, 1),
        "audio_s_per_s": round(audio_s / run.wall_s, 1),
    }
