"""Writes what each engine can do: ``python -m scripts.engine_matrix FILE``. No weights are loaded.

An engine that is added gets a line in ``ENGINES``.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, TypeAlias

from asr_service.app.dto.language_names import LANGUAGE_NAMES
from asr_service.domain.ports.recognizer import RecognizerCapabilities
from asr_service.infrastructure.asr.faster_whisper_adapter import whisper_capabilities
from asr_service.infrastructure.asr.funasr.hearing import Traits
from asr_service.infrastructure.asr.funasr.offline import SenseVoiceDialect
from asr_service.infrastructure.asr.funasr_adapter import funasr_capabilities
from asr_service.infrastructure.asr.sherpa_onnx_adapter import SherpaOnnxEngineFactory
from asr_service.infrastructure.config.sections import TextSettings
from asr_service.recognizers import make_text_chain

_WHISPER_LANGUAGES: Final = frozenset(LANGUAGE_NAMES) - {"yue"}  # Cantonese since large-v3

_ZH_EN: Final = frozenset({"zh", "en"})


def _sherpa(architecture: str, languages: frozenset[str] = frozenset()) -> RecognizerCapabilities:
    return SherpaOnnxEngineFactory(Path(), architecture, architecture, languages).capabilities


# Of Paraformer the table of tokens says which languages it writes, and whether it has digits; these are those of paraformer-zh.
_SEACO_PARAFORMER: Final = Traits(_ZH_EN, word_times=True, hotwords=True, spoken_numbers=True)
_STREAMING_PARAFORMER: Final = Traits(_ZH_EN, spoken_numbers=True, streaming=True)

ENGINES: Final = (
    ("Whisper, multilingual", whisper_capabilities("whisper-base", _WHISPER_LANGUAGES)),
    ("Whisper, English only", whisper_capabilities("whisper-tiny.en", frozenset({"en"}))),
    ("Paraformer with ct-punc", funasr_capabilities("paraformer-zh", _SEACO_PARAFORMER, restores_punctuation=True)),
    ("streaming Paraformer", funasr_capabilities("paraformer-zh-streaming", _STREAMING_PARAFORMER)),
    ("SenseVoice", funasr_capabilities("sense-voice-small", SenseVoiceDialect.traits)),
    ("Moonshine, English", _sherpa("moonshine", frozenset({"en"}))),
    ("SenseVoice, ONNX", _sherpa("sense-voice")),
    ("streaming transducer, ONNX", _sherpa("transducer-streaming", frozenset({"en"}))),
)
"""Kind of model, and what it can do: a line for each."""

_Cell: TypeAlias = Callable[[RecognizerCapabilities], object]
_TEXT: Final = make_text_chain(TextSettings()).features
_BY_ITSELF: Final = "engine"
_FEATURES: Final[tuple[tuple[str, _Cell], ...]] = (
    ("engine", lambda engine: engine.engine),
    ("languages", lambda engine: _languages(engine.languages)),
    ("hears an utterance as it grows", lambda engine: engine.streaming),
    ("`chunk_size`, `encoder_chunk_look_back`, `decoder_chunk_look_back`", lambda engine: engine.chunking),
    ("word times", lambda engine: engine.word_times),
    ("hotwords", lambda engine: engine.hotwords),
    ("prompt", lambda engine: engine.prompt),
    ("translation", lambda engine: engine.translation),
    ("longest audio of an utterance", lambda engine: f"{engine.max_seconds:g} s"),
    ("punctuation", lambda engine: _BY_ITSELF if engine.punctuation else _afterwards(_TEXT.punctuation)),
    ("capital letters as in print", lambda engine: engine.casing),
    ("`casing`", lambda _: "text step" if _TEXT.casing else False),
    ("`script`", lambda _: "text step" if _TEXT.scripts else False),
    ("`numbers: spoken`", lambda engine: _BY_ITSELF if engine.spoken_numbers else _afterwards(_TEXT.spoken_numbers)),
    ("`numbers: written`", lambda _: _afterwards(_TEXT.written_numbers)),
    ("`mask`", lambda _: "text step, if words are listed"),
)


def page() -> Iterator[str]:
    """The lines of the page."""
    yield "# What each engine can do"
    yield ""
    yield "<!-- written by `make docs` from scripts/engine_matrix.py -->"
    yield ""
    yield "*Engine*: by itself. *Text step*: made of its text afterwards, the same for every engine; languages in brackets,"
    yield "finals only where numbers or punctuation are concerned. A session is told at its start what becomes of its wishes."
    yield "[text.md](text.md) says what the steps do."
    yield ""
    yield from _row("", *(name for name, _ in ENGINES))
    yield from _row("---", *("---" for _ in ENGINES))
    for feature, cell in _FEATURES:
        yield from _row(feature, *(_shown(cell(capabilities)) for _, capabilities in ENGINES))


def _row(*cells: str) -> Iterator[str]:
    yield f"| {' | '.join(cells)} |"


def _shown(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _languages(languages: Iterable[str]) -> str:
    codes = sorted(languages)
    return ", ".join(codes) if len(codes) <= 10 else f"{len(codes)}, with zh and en"


def _afterwards(languages: Iterable[str]) -> object:
    return f"text step ({', '.join(sorted(languages))})" if languages else False


def main() -> None:
    """The command."""
    target = Path(sys.argv[1])
    target.write_text("\n".join(page()) + "\n", encoding="utf-8")
    print(target)


if __name__ == "__main__":
    main()
