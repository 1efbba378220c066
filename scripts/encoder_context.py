"""How little a Whisper model may be given to encode: error rates, loops and CPU time for shorter contexts than 30 s.

``scripts/benchmarks/clips.py`` says what the folder of recordings holds; those up to 28 s are used, with the language
given, decoded greedily, and without the guards and second tries of the service, which would hide what a context does.
Writes ``build/context.json`` and prints a Markdown table, and the cheapest context whose errors are within the allowed
points of those of 30 s and that gets caught in no more loops: the values for ``recognizer.context_floor_s`` and
``recognizer.context_tail_s`` with this model.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from asr_service.bootstrap import open_decoder, open_model_store
from asr_service.domain.ports.audio_decoder import AudioDecoder
from asr_service.infrastructure.asr.kept_memory import keep_freed_memory
from asr_service.infrastructure.asr.pool_sizing import find_hardware
from asr_service.infrastructure.asr.whisper.decoding import EncoderContext
from asr_service.infrastructure.asr.whisper.network import Features, WhisperNetwork
from asr_service.infrastructure.asr.whisper.prompt import build_prompt, max_text_tokens
from asr_service.infrastructure.asr.whisper.repetition import is_repetitive
from asr_service.infrastructure.config.loading import load_settings
from asr_service.infrastructure.config.settings import Settings
from scripts.benchmarks.clips import Clip, errors_by_group, read_manifest

RESULT = Path("build/context.json")
LONGEST_S = 28.0
CUSTOMARY = EncoderContext(floor_s=30.0, tail_s=0.0)
_FLOORS_S = (5.0, 8.0, 10.0, 12.0, 15.0, 20.0)
_TAILS_S = (1.0, 2.0, 3.0)
_BATCH_SIZE = 8


@dataclass(frozen=True, slots=True)
class Piece:
    """A recording as the model hears it."""

    clip: Clip
    features: Features


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of all recordings with one context."""

    context: EncoderContext
    error_percent: dict[str, float]
    loops: int
    cpu_s: float

    @property
    def label(self) -> str:
        if self.context == CUSTOMARY:
            return "30 s"
        return f"max({self.context.floor_s:g} s, speech + {self.context.tail_s:g} s)"

    def is_as_good_as(self, other: "Trial", allowed_points: float) -> bool:
        """Whether neither the errors nor the loops are more, but for so many points of errors."""
        worse = (percent - other.error_percent[group] for group, percent in self.error_percent.items())
        return max(worse) <= allowed_points and self.loops <= other.loops


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="recordings with manifest.jsonl")
    parser.add_argument("--allowed-points", type=float, default=0.5, help="how much worse than 30 s a context may be")
    arguments = parser.parse_args()
    keep_freed_memory()  # as in the workers
    settings = load_settings()
    network = _network(settings)
    with tempfile.TemporaryDirectory() as scratch:
        pieces = list(_pieces(settings, network, read_manifest(arguments.folder, Path(scratch))))
    trials = [_try(network, context, pieces) for context in _contexts()]
    best = cheapest(trials, arguments.allowed_points)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(_report(settings, pieces, trials, best), indent=2) + "\n", encoding="utf-8")
    print(table(trials))
    print(f"\nThe cheapest that is as good as 30 s: {best.label}.")


def _network(settings: Settings) -> WhisperNetwork:
    wanted = settings.recognizer
    device = find_hardware(wanted.device).device
    directory = open_model_store(settings).locate(wanted.model)
    return WhisperNetwork(directory, device, 0, wanted.arithmetic(device), wanted.threads_per_worker)


def _contexts() -> Iterator[EncoderContext]:
    yield CUSTOMARY
    for floor_s in _FLOORS_S:
        for tail_s in _TAILS_S:
            yield EncoderContext(floor_s, tail_s)


def _pieces(settings: Settings, network: WhisperNetwork, clips: Iterable[Clip]) -> Iterator[Piece]:
    decoder = open_decoder(settings)
    for clip in clips:
        if clip.seconds <= LONGEST_S and clip.group in network.languages:
            pcm = asyncio.run(_canonical(decoder, clip.path))
            yield Piece(clip, network.features(np.frombuffer(pcm, "<i2")))


async def _canonical(decoder: AudioDecoder, path: Path) -> bytes:
    return b"".join([block async for block in decoder.decode_file(path)])


def _try(network: WhisperNetwork, context: EncoderContext, pieces: Sequence[Piece]) -> Trial:
    texts: dict[str, str] = {}
    begun_s = time.process_time()
    for batch, frames in _batches(pieces, context):
        memories = network.encode([piece.features for piece in batch], frames)
        prompts = [build_prompt(network.tokenizer(piece.clip.group), None) for piece in batch]
        bound = max(max_text_tokens(piece.clip.seconds) for piece in batch)
        for piece, result in zip(batch, network.generate(memories, prompts, max_text_tokens=bound), strict=True):
            texts[piece.clip.name] = network.tokenizer(piece.clip.group).decode(list(result.tokens))
    cpu_s = time.process_time() - begun_s
    loops = sum(map(is_repetitive, texts.values()))
    return Trial(context, errors_by_group([piece.clip for piece in pieces], texts), loops, cpu_s)


def _batches(pieces: Sequence[Piece], context: EncoderContext) -> Iterator[tuple[list[Piece], int]]:
    """Pieces whose contexts are equally long, a batch at a time, and the length in frames."""
    by_frames: dict[int, list[Piece]] = {}
    for piece in pieces:
        by_frames.setdefault(context.frames(piece.features.shape[1]), []).append(piece)
    for frames, group in by_frames.items():
        waiting = iter(group)
        while batch := list(islice(waiting, _BATCH_SIZE)):
            yield batch, frames


def cheapest(trials: Sequence[Trial], allowed_points: float) -> Trial:
    """The trial of the least CPU time among those that are as good as the first, which is the customary one."""
    good = [trial for trial in trials if trial.is_as_good_as(trials[0], allowed_points)]
    return min(good, key=lambda trial: trial.cpu_s)


def _report(settings: Settings, pieces: Sequence[Piece], trials: Sequence[Trial], best: Trial) -> dict[str, object]:
    return {
        "model": settings.recognizer.model,
        "recordings": len(pieces),
        "audio_s": round(sum(piece.clip.seconds for piece in pieces), 1),
        "trials": [
            {
                "floor_s": trial.context.floor_s,
                "tail_s": trial.context.tail_s,
                "error_percent": trial.error_percent,
                "loops": trial.loops,
                "cpu_s": round(trial.cpu_s, 2),
            }
            for trial in trials
        ],
        "cheapest": {"floor_s": best.context.floor_s, "tail_s": best.context.tail_s},
    }


def table(trials: Sequence[Trial]) -> str:
    """The trials as a Markdown table."""
    groups = list(trials[0].error_percent)
    head = " | ".join(("context", *(f"errors {group}" for group in groups), "loops", "CPU time"))
    rule = " | ".join(["---"] * (len(groups) + 3))
    rows = (
        " | ".join(
            (
                trial.label,
                *(f"{trial.error_percent[group]} %" for group in groups),
                str(trial.loops),
                f"{trial.cpu_s / trials[0].cpu_s:.2f}",
            )
        )
        for trial in trials
    )
    return "\n".join(f"| {line} |" for line in (head, rule, *rows))


if __name__ == "__main__":
    main()
