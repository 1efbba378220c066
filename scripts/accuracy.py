"""Error rates of the service beside those of faster-whisper's own ``transcribe``, over a folder of recordings.

The folder has a ``manifest.jsonl`` with a line per recording: ``file``, ``language``, ``reference``, ``score`` and, for
headerless PCM, ``sample_rate``. Both sides use the same model files, beam size and arithmetic, and are told the language.
Writes ``build/accuracy.json`` and prints a Markdown table; fails if the service is worse by more than the allowed points.
"""

import argparse
import asyncio
import json
import resource
import sys
import tempfile
import unicodedata
import wave
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jiwer
from faster_whisper import WhisperModel
from opencc import OpenCC
from whisper_normalizer.english import EnglishTextNormalizer

from asr_service.bootstrap import open_model_store, open_transcriber
from asr_service.domain.value_objects.caller import LOCAL_CALLER
from asr_service.infrastructure.config.loading import load_settings
from asr_service.infrastructure.config.settings import Settings

RESULT = Path("build/accuracy.json")
_DIGITS = str.maketrans("0123456789", "零一二三四五六七八九")
_to_simplified = OpenCC("t2s").convert
_normalize_english = EnglishTextNormalizer()


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording, and what is said in it; ``group`` is the language that it counts for."""

    name: str
    path: Path
    group: str
    reference: str


@dataclass(frozen=True, slots=True)
class Run:
    """What one side made of the recordings: texts by name, and the CPU seconds of its processes, loading included."""

    texts: dict[str, str]
    cpu_s: float


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="recordings with manifest.jsonl")
    parser.add_argument("--allowed-points", type=float, default=1.0, help="how much worse the service may be")
    arguments = parser.parse_args()
    settings = load_settings()
    with tempfile.TemporaryDirectory() as scratch:
        clips = read_manifest(arguments.folder, Path(scratch))
        ours = asyncio.run(_run_service(settings, clips))
        theirs = _run_faster_whisper(settings, clips)
    report = compare(clips, ours, theirs)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    print(table(report))
    worse = {group: row["points_worse"] for group, row in report["groups"].items()}
    if any(points > arguments.allowed_points for points in worse.values()):
        sys.exit(f"The service is worse than faster-whisper by more than {arguments.allowed_points} points: {worse}")


def read_manifest(folder: Path, scratch: Path) -> list[Clip]:
    """The English and Mandarin recordings that are to be scored."""
    clips = []
    for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        group = entry["language"].partition("-")[0]
        if entry["score"] and group in ("en", "zh"):
            path = folder / entry["file"]
            if path.suffix == ".raw":
                path = _with_header(path, scratch / f"{path.stem}.wav", entry["sample_rate"])
            clips.append(Clip(entry["file"], path, group, entry["reference"]))
    return clips


def _with_header(raw: Path, target: Path, rate_hz: int) -> Path:
    with wave.open(str(target), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(raw.read_bytes())
    return target


async def _run_service(settings: Settings, clips: list[Clip]) -> Run:
    started_s = _cpu_s()
    texts = {}
    async with open_transcriber(settings) as transcriber:
        defaults = transcriber.recording_defaults
        for clip in clips:
            options = replace(defaults.options, language=clip.group, word_times=False)
            config = replace(defaults, options=options)
            texts[clip.name] = (await transcriber.transcription.transcribe(LOCAL_CALLER, clip.path, config)).text
    return Run(texts, _cpu_s() - started_s)


def _run_faster_whisper(settings: Settings, clips: list[Clip]) -> Run:
    started_s = _cpu_s()
    folder = open_model_store(settings).locate(settings.recognizer.model)
    model = WhisperModel(str(folder), device="cpu", compute_type=settings.recognizer.compute_type, cpu_threads=1)
    texts = {}
    for clip in clips:
        segments, _ = model.transcribe(str(clip.path), language=clip.group, beam_size=settings.recognizer.beam_size)
        texts[clip.name] = "".join(segment.text for segment in segments)
    return Run(texts, _cpu_s() - started_s)


def _cpu_s() -> float:
    """CPU seconds of this process and of its children that have ended."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


def normalize(text: str, group: str) -> str:
    """Without case, punctuation and ways to write numbers; Mandarin in simplified characters, without spaces."""
    if group == "en":
        return str(_normalize_english(text))
    simplified = _to_simplified(unicodedata.normalize("NFKC", text).casefold()).translate(_DIGITS)
    return "".join(character for character in simplified if character.isalnum())


def error_percent(clips: list[Clip], texts: dict[str, str]) -> float:
    """Character errors for Mandarin, word errors for English, over all clips together; they are of one group."""
    group = clips[0].group
    rate = jiwer.cer if group == "zh" else jiwer.wer
    references = [normalize(clip.reference, group) for clip in clips]
    return round(100 * float(rate(references, [normalize(texts[clip.name], group) for clip in clips])), 2)


def compare(clips: list[Clip], ours: Run, theirs: Run) -> dict[str, Any]:
    """Both sides by group and by clip."""
    groups = {}
    for group in sorted({clip.group for clip in clips}):
        of_group = [clip for clip in clips if clip.group == group]
        service, faster_whisper = (error_percent(of_group, run.texts) for run in (ours, theirs))
        groups[group] = {
            "clips": len(of_group),
            "service_error_percent": service,
            "faster_whisper_error_percent": faster_whisper,
            "points_worse": round(service - faster_whisper, 2),
        }
    return {
        "groups": groups,
        "cpu_s": {"service": round(ours.cpu_s, 1), "faster_whisper": round(theirs.cpu_s, 1)},
        "clips": [
            {
                "file": clip.name,
                "reference": clip.reference,
                "service": ours.texts[clip.name],
                "service_error_percent": error_percent([clip], ours.texts),
                "faster_whisper": theirs.texts[clip.name],
                "faster_whisper_error_percent": error_percent([clip], theirs.texts),
            }
            for clip in clips
        ],
    }


def table(report: dict[str, Any]) -> str:
    """The groups as a Markdown table."""
    rows = [
        f"| {group} | {row['clips']} | {row['service_error_percent']} % | {row['faster_whisper_error_percent']} % |"
        for group, row in report["groups"].items()
    ]
    cpu = report["cpu_s"]
    return "\n".join(
        (
            "| language | clips | asr-service | faster-whisper transcribe |",
            "| --- | --- | --- | --- |",
            *rows,
            f"| CPU seconds | | {cpu['service']} | {cpu['faster_whisper']} |",
        )
    )


if __name__ == "__main__":
    main()
