"""Error rates of the service beside those of faster-whisper's own ``transcribe``, over a folder of recordings.

``scripts/benchmarks/clips.py`` says what the folder holds. Both sides use the same model files, beam size and arithmetic,
and are told the language. Writes ``build/accuracy.json`` and prints a Markdown table; fails if the service is worse by
more than the allowed points over all recordings, in which a Mandarin character counts as much as an English word.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from faster_whisper import WhisperModel

from asr_service.bootstrap import open_model_store, open_transcriber
from asr_service.domain.value_objects.caller import LOCAL_CALLER
from asr_service.infrastructure.config.loading import load_settings
from asr_service.infrastructure.config.settings import Settings
from scripts.benchmarks.clips import Clip, error_percent, error_percent_of_all, errors_by_group, read_manifest

RESULT = Path("build/accuracy.json")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="recordings with manifest.jsonl")
    parser.add_argument("--allowed-points", type=float, default=1.0, help="how much worse the service may be")
    arguments = parser.parse_args()
    settings = load_settings()
    with tempfile.TemporaryDirectory() as scratch:
        clips = read_manifest(arguments.folder, Path(scratch))
        ours = asyncio.run(_transcribe_by_service(settings, clips))
        theirs = _transcribe_by_faster_whisper(settings, clips)
    report = compare(clips, ours, theirs)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    print(table(report))
    if report["points_worse_in_all"] > arguments.allowed_points:
        sys.exit(f"The service is worse than faster-whisper by more than {arguments.allowed_points:g} points.")


async def _transcribe_by_service(settings: Settings, clips: list[Clip]) -> dict[str, str]:
    texts = {}
    async with open_transcriber(settings) as transcriber:
        defaults = transcriber.recording_defaults
        for clip in clips:
            config = replace(defaults, options=replace(defaults.options, language=clip.group, word_times=False))
            texts[clip.name] = (await transcriber.transcription.transcribe(LOCAL_CALLER, clip.path, config)).text
    return texts


def _transcribe_by_faster_whisper(settings: Settings, clips: list[Clip]) -> dict[str, str]:
    folder = str(open_model_store(settings).locate(settings.recognizer.model))
    model = WhisperModel(folder, device="cpu", compute_type=settings.recognizer.arithmetic("cpu"), cpu_threads=1)

    def transcribe(clip: Clip) -> str:
        segments, _ = model.transcribe(str(clip.path), language=clip.group, beam_size=settings.recognizer.beam_size)
        return "".join(segment.text for segment in segments)

    return {clip.name: transcribe(clip) for clip in clips}


def compare(clips: list[Clip], ours: dict[str, str], theirs: dict[str, str]) -> dict[str, Any]:
    """Both sides by language and by clip."""
    service, faster_whisper = errors_by_group(clips, ours), errors_by_group(clips, theirs)
    return {
        "clips_scored": len(clips),
        "service_error_percent": service,
        "faster_whisper_error_percent": faster_whisper,
        "points_worse": {group: round(service[group] - faster_whisper[group], 2) for group in service},
        "points_worse_in_all": round(error_percent_of_all(clips, ours) - error_percent_of_all(clips, theirs), 2),
        "clips": [
            {
                "file": clip.name,
                "reference": clip.reference,
                "service": ours[clip.name],
                "service_error_percent": error_percent([clip], ours),
                "faster_whisper": theirs[clip.name],
                "faster_whisper_error_percent": error_percent([clip], theirs),
            }
            for clip in clips
        ],
    }


def table(report: dict[str, Any]) -> str:
    """The languages as a Markdown table."""
    ours, theirs = report["service_error_percent"], report["faster_whisper_error_percent"]
    rows = (f"| {group} | {ours[group]} % | {theirs[group]} % |" for group in ours)
    head = "| language | asr-service | faster-whisper transcribe |\n| --- | --- | --- |"
    return "\n".join((head, *rows))


if __name__ == "__main__":
    main()
