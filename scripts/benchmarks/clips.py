"""Recordings to measure on, and how texts are compared."""

import json
import unicodedata
import wave
from dataclasses import dataclass
from pathlib import Path

import jiwer
from opencc import OpenCC
from whisper_normalizer.english import EnglishTextNormalizer

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
    seconds: float


def read_manifest(folder: Path, scratch: Path) -> list[Clip]:
    """The English and Mandarin recordings of a folder that are to be scored.

    ``manifest.jsonl`` in it has a line per recording: ``file``, ``language``, ``reference``, ``seconds``, ``score`` and,
    for headerless PCM, ``sample_rate``; such a recording is given a header in ``scratch``.
    """
    clips = []
    for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        group = entry["language"].partition("-")[0]
        if entry["score"] and group in ("en", "zh"):
            path = folder / entry["file"]
            if path.suffix == ".raw":
                path = _with_header(path, scratch / f"{path.stem}.wav", entry["sample_rate"])
            clips.append(Clip(entry["file"], path, group, entry["reference"], float(entry["seconds"])))
    return clips


def _with_header(raw: Path, target: Path, rate_hz: int) -> Path:
    with wave.open(str(target), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(raw.read_bytes())
    return target


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


def word_error_percent(references: list[str], texts: list[str]) -> float:
    """Word errors of English texts, over all of them together."""
    said, heard = ([normalize(text, "en") for text in part] for part in (references, texts))
    return round(100 * float(jiwer.wer(said, heard)), 2)


def errors_by_group(clips: list[Clip], texts: dict[str, str]) -> dict[str, float]:
    """The error rate of each language."""
    groups = sorted({clip.group for clip in clips})
    return {group: error_percent([clip for clip in clips if clip.group == group], texts) for group in groups}


def error_percent_of_all(clips: list[Clip], texts: dict[str, str]) -> float:
    """The errors of all languages together: a character of Mandarin counts as much as a word of English."""
    said = [_units(clip.reference, clip.group) for clip in clips]
    heard = [_units(texts[clip.name], clip.group) for clip in clips]
    return round(100 * float(jiwer.wer(said, heard)), 2)


def _units(text: str, group: str) -> str:
    normalized = normalize(text, group)
    return " ".join(normalized) if group == "zh" else normalized
