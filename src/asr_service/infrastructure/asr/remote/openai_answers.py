"""What a server of OpenAI's REST interface answers to a recording. Pure."""

import json
from collections.abc import Mapping
from typing import Any, Final

from asr_service.domain.ports.recognizer import RecognitionFailed, RecognizerOverloaded, RecognizerUnavailable
from asr_service.domain.value_objects.audio_metadata import BYTES_PER_SAMPLE
from asr_service.domain.value_objects.hypothesis import Hypothesis, Timing, Word
from asr_service.infrastructure.asr.remote.timed_text import StampedPiece, stamped_words
from asr_service.shared.errors import AsrError

LANGUAGE_CODES: Final[Mapping[str, str]] = {
    "afrikaans": "af",
    "arabic": "ar",
    "armenian": "hy",
    "azerbaijani": "az",
    "belarusian": "be",
    "bosnian": "bs",
    "bulgarian": "bg",
    "catalan": "ca",
    "chinese": "zh",
    "croatian": "hr",
    "czech": "cs",
    "danish": "da",
    "dutch": "nl",
    "english": "en",
    "estonian": "et",
    "finnish": "fi",
    "french": "fr",
    "galician": "gl",
    "german": "de",
    "greek": "el",
    "hebrew": "he",
    "hindi": "hi",
    "hungarian": "hu",
    "icelandic": "is",
    "indonesian": "id",
    "italian": "it",
    "japanese": "ja",
    "kannada": "kn",
    "kazakh": "kk",
    "korean": "ko",
    "latvian": "lv",
    "lithuanian": "lt",
    "macedonian": "mk",
    "malay": "ms",
    "maori": "mi",
    "marathi": "mr",
    "nepali": "ne",
    "norwegian": "no",
    "persian": "fa",
    "polish": "pl",
    "portuguese": "pt",
    "romanian": "ro",
    "russian": "ru",
    "serbian": "sr",
    "slovak": "sk",
    "slovenian": "sl",
    "spanish": "es",
    "swahili": "sw",
    "swedish": "sv",
    "tagalog": "tl",
    "tamil": "ta",
    "thai": "th",
    "turkish": "tr",
    "ukrainian": "uk",
    "urdu": "ur",
    "vietnamese": "vi",
    "welsh": "cy",
}
"""The languages that OpenAI's speech-to-text guide lists, by the names that ``verbose_json`` has for them."""

_BUSY_S = 1.0  # until the next attempt, where a busy server does not say how long
_LONGEST_PAUSE_S = 60.0  # that a server may ask for
_OF_THE_AUDIO = frozenset({400, 413, 415, 422})  # statuses that say nothing of other audio


def hypothesis_from(body: bytes, pcm: bytes) -> Hypothesis:
    """What a body, of ``json`` or ``verbose_json``, says about the audio.

    Raises:
        RecognizerUnavailable: It is neither.
    """
    answer = _object(body)
    text = answer.get("text")
    if not isinstance(text, str):
        raise RecognizerUnavailable("The server does not answer as OpenAI does.", hint="Check remote.url.")
    text = text.strip()
    words = _words(answer, text, len(pcm) // BYTES_PER_SAMPLE)
    timing = Timing.ALIGNED if words else Timing.NONE
    return Hypothesis(text=text, words=words, timing=timing, language=_language(answer.get("language")))


def error_from(status: int, retry_after: str | None) -> AsrError:
    """What a status that is not 200 means. The body is left out: it may repeat what was said, or the key."""
    if status == 429 or (status == 503 and retry_after is not None):
        return RecognizerOverloaded("The server is busy.", retry_after_s=_pause_s(retry_after))
    if status in _OF_THE_AUDIO:
        return RecognitionFailed(f"The server cannot process this audio: HTTP {status}.")
    hints = {401: "Check remote.api_key.", 403: "Check remote.api_key.", 404: "Check remote.url and remote.model_name."}
    return RecognizerUnavailable(f"The server answers HTTP {status}.", hint=hints.get(status))


def _object(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:  # no JSON, or no UTF-8
        answer = None
    return answer if isinstance(answer, dict) else {}


def _pause_s(retry_after: str | None) -> float:
    """Seconds; the date that HTTP allows in their place is not worth a calendar."""
    text = (retry_after or "").strip()
    return min(max(float(text), _BUSY_S), _LONGEST_PAUSE_S) if text.isascii() and text.isdigit() else _BUSY_S


def _language(value: object) -> str | None:
    """Its code, from the code or from the name."""
    name = value.strip().lower() if isinstance(value, str) else ""
    if name in LANGUAGE_CODES:
        return LANGUAGE_CODES[name]
    return name if name in LANGUAGE_CODES.values() or name == "yue" else None


def _words(answer: dict[str, Any], text: str, samples: int) -> tuple[Word, ...]:
    """Of all words, or none: one that is not in the text shows that the two do not belong together."""
    pieces: list[StampedPiece] = []
    at = 0
    for entry in _entries(answer):
        word, times_ms = entry.get("word"), _times_ms(entry)
        begin = text.find(word.strip(), at) if isinstance(word, str) else -1
        if times_ms is None or begin < 0:
            return ()
        at = begin + len(str(word).strip())
        pieces.append(StampedPiece(begin, at, *times_ms))
    return stamped_words(text, pieces, samples)


def _entries(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The words, which some servers have inside of segments only."""
    words = answer.get("words")
    if not words:
        segments = answer.get("segments")
        inside = [segment.get("words") for segment in _dicts(segments)]
        words = [word for of_segment in inside for word in _dicts(of_segment)]
    return _dicts(words)


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _times_ms(entry: dict[str, Any]) -> tuple[float, float] | None:
    start_s, end_s = entry.get("start"), entry.get("end")
    if not isinstance(start_s, int | float) or not isinstance(end_s, int | float):
        return None
    return (start_s * 1_000, end_s * 1_000) if 0 <= start_s <= end_s < float("inf") else None
