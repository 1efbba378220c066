"""Audio in which nobody speaks, through the live path: how many words are invented."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from asr_service.infrastructure.asr.whisper.repetition import units
from scripts.benchmarks.answers import Answer, heard
from scripts.benchmarks.recordings import canonical_pcm, silence, wordless_recordings
from scripts.benchmarks.service_process import ServiceProcess
from scripts.benchmarks.sounds import Sound, as_pcm, generated_sounds, looped

LANGUAGES = (None, "zh", "en")
WORDS_ALLOWED_PER_10_MIN = 1.0
DIGITAL_SILENCE = "digital silence"
_SESSIONS_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Listening:
    """One sound in one session.

    Attributes:
        language: What the session was told; ``auto``: nothing.
        utterances: Stretches that were taken for speech at first, and recognized.
        invented: The finals with text, each with its place.
        words: Words in them; characters where words are not written apart.
        fault: Of the session; empty: none.
    """

    sound: str
    language: str
    seconds: float
    utterances: int
    words: int
    invented: tuple[str, ...]
    fault: str


async def run_wordless(service: ServiceProcess, folder: Path, minutes: float) -> dict[str, Any]:
    """Digital silence for so many minutes, and all other sounds for as long together, in each of the languages."""
    sounds = _sounds(folder)
    each_s = minutes * 60 / len(sounds)
    places = asyncio.Semaphore(_SESSIONS_AT_ONCE)

    async def listen(sound: str, language: str | None, make: Callable[[], bytes], seconds: float) -> Listening:
        async with places:
            pcm = looped(make(), seconds)
            answer = await heard(service.stream_url, pcm, language=language)
        return _listening(sound, language, seconds, answer)

    sessions = [listen(DIGITAL_SILENCE, language, lambda: silence(1_000), minutes * 60) for language in LANGUAGES]
    sessions += [listen(sound, language, make, each_s) for sound, make in sounds.items() for language in LANGUAGES]
    return summary(await asyncio.gather(*sessions))


def _sounds(folder: Path) -> dict[str, Callable[[], bytes]]:
    sounds: dict[str, Callable[[], bytes]] = {name: partial(_pcm_of, make) for name, make in generated_sounds().items()}
    return sounds | {path.name: partial(canonical_pcm, path) for path in wordless_recordings(folder)}


def _pcm_of(make: Callable[[], Sound]) -> bytes:
    return as_pcm(make())


def _listening(sound: str, language: str | None, seconds: float, answer: Answer) -> Listening:
    texts = [final for final in answer.finals if final["text"]]
    return Listening(
        sound,
        language or "auto",
        round(seconds, 1),
        len(answer.finals),
        sum(len(units(final["text"])) for final in texts),
        tuple(f"{final['start_ms']}–{final['end_ms']} ms, {final['language']}: {final['text']}" for final in texts),
        answer.fault,
    )


def summary(listenings: Sequence[Listening]) -> dict[str, Any]:
    """Words in ten minutes by language, and what is wrong: limits that are not kept, sessions that failed."""
    quiet = [listening for listening in listenings if listening.sound == DIGITAL_SILENCE]
    noisy = [listening for listening in listenings if listening.sound != DIGITAL_SILENCE]
    rates = {
        language: _per_10_min([listening for listening in noisy if listening.language == language])
        for language in sorted({listening.language for listening in noisy})
    }
    defects = [f"{it.sound}, {it.language}: {it.fault}" for it in listenings if it.fault]
    defects += [f"words in digital silence: {it.invented}" for it in quiet if it.words]
    defects += [
        f"{rate} words in 10 minutes of sounds without words, {language}"
        for language, rate in rates.items()
        if rate >= WORDS_ALLOWED_PER_10_MIN
    ]
    return {
        "digital_silence_minutes": round(sum(it.seconds for it in quiet) / 60, 1),
        "words_in_digital_silence": sum(it.words for it in quiet),
        "sound_minutes": round(sum(it.seconds for it in noisy) / 60, 1),
        "words_per_10_min": _per_10_min(noisy),
        "words_per_10_min_by_language": rates,
        "utterances_by_sound": {
            name: sum(it.utterances for it in noisy if it.sound == name)
            for name in dict.fromkeys(it.sound for it in noisy)
        },
        "words_per_10_min_by_sound": {
            name: _per_10_min([it for it in noisy if it.sound == name])
            for name in dict.fromkeys(it.sound for it in noisy)
        },
        "defects": defects,
        "sessions": [asdict(listening) for listening in listenings],
    }


def _per_10_min(listenings: Sequence[Listening]) -> float:
    seconds = sum(listening.seconds for listening in listenings)
    return round(sum(listening.words for listening in listenings) * 600 / seconds, 2) if seconds else 0.0


def markdown(report: dict[str, Any]) -> str:
    """The figures by sound, and every invented text."""
    rows = [
        f"| {sound} | {report['utterances_by_sound'][sound]} | {rate} |"
        for sound, rate in report["words_per_10_min_by_sound"].items()
    ]
    invented = [
        f"- {session['sound']}, {session['language']}: {text}"
        for session in report["sessions"]
        for text in session["invented"]
    ]
    return "\n".join(
        (
            f"{report['digital_silence_minutes']} min of digital silence: {report['words_in_digital_silence']} words.",
            f"{report['sound_minutes']} min of sounds without words: {report['words_per_10_min']} words in 10 min;"
            f" by language {report['words_per_10_min_by_language']}.",
            "",
            "| sound | taken for speech at first | words in 10 min |",
            "| --- | --- | --- |",
            *rows,
            "",
            "Invented texts:" if invented else "No text was invented.",
            *invented,
        )
    )
