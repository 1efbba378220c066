"""A scripted engine for worker processes: what it does with a request is written in the request's prompt."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from asr_service.domain.ports.recognizer import RecognitionRequest, RecognizerCapabilities, RecognizerUnavailable
from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.hypothesis import SILENCE, Hypothesis, Timing, Word
from asr_service.infrastructure.asr.engine import EngineFailure, Outcome
from asr_service.infrastructure.asr.refusal import refusal
from asr_service.infrastructure.asr.self_test import SELF_TEST

log = structlog.get_logger(__name__)

CAPABILITIES = RecognizerCapabilities(
    engine="fake",
    model="scripted",
    languages=frozenset({"en", "zh"}),
    word_times=True,
    hotwords=False,
    prompt=True,
    spoken_numbers=False,
    translation=False,
    max_seconds=30.0,
)

# The scripts, each a prompt.
FAIL = "fail"  # this request has no outcome; its batch has
RAISE = "raise"  # the batch as a whole fails
MISCOUNT = "miscount"  # the batch gets one outcome too few
KILL = "kill"  # the process dies as by a fault in native code
HANG = "hang"  # no answer ever comes
EXIT = "exit"  # the process ends by itself
SAY = "say"  # prints, by Python and below it, then dies
LOG = "log"  # logs, by structlog and by logging


def grow(megabytes: int) -> str:
    """Keeps so much memory for good."""
    return f"grow {megabytes}"


def once(marker: Path, script: str) -> str:
    """Follows the script the first time; ``marker`` is a file that does not exist yet."""
    return f"once {marker} {script}"


def behind(gate: Path) -> str:
    """Does not answer before somebody opens the named pipe for writing."""
    return f"behind {gate}"


def heard(request: RecognitionRequest) -> Hypothesis:
    """What a healthy engine answers: one word, the request's id, as long as the audio; nothing where nobody speaks."""
    if request.request_id == SELF_TEST or not any(request.pcm):
        return SILENCE
    word = Word(text=request.request_id, span=SampleSpan(0, len(request.span)), confidence=0.9)
    return Hypothesis(text=request.request_id, words=(word,), timing=Timing.ALIGNED, language="en")


class ScriptedEngine:
    """Hears the id of each request, unless its prompt says otherwise."""

    def __init__(self, capabilities: RecognizerCapabilities = CAPABILITIES) -> None:
        self.capabilities = capabilities
        self._kept: list[bytes] = []

    def recognize(self, batch: Sequence[RecognitionRequest]) -> list[Outcome]:
        outcomes: list[Outcome] = [self._outcome(request, request.options.prompt or "") for request in batch]
        return outcomes[1:] if any(request.options.prompt == MISCOUNT for request in batch) else outcomes

    def _outcome(self, request: RecognitionRequest, script: str) -> Outcome:
        if (failure := refusal(request, self.capabilities)) is not None:
            return failure
        match script.split():
            case ["fail"]:
                return EngineFailure("it is scripted to fail")
            case ["raise"]:
                raise MemoryError("no room for this batch")
            case ["once", marker, *rest] if not Path(marker).exists():
                Path(marker).touch()
                return self._outcome(request, " ".join(rest))
            case ["grow", megabytes]:
                self._kept.append(b"x" * (int(megabytes) << 20))
            case ["behind", gate]:
                Path(gate).read_bytes()
            case [deed]:
                _do(deed)
        return heard(request)


def _do(deed: str) -> None:
    match deed:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            threading.Event().wait()
        case "exit":
            sys.exit(3)
        case "say":
            print("printed by Python", flush=True)
            os.write(2, b"written below Python\n")
            os.kill(os.getpid(), signal.SIGABRT)
        case "log":
            log.info("engine_spoke", seconds=1.5, codes=("en", "zh"), worker="me")
            logging.getLogger("library").warning("careful with %s", "that")


@dataclass(frozen=True)
class ScriptedEngineFactory:
    """Loads a scripted engine.

    Attributes:
        missing: Cannot be loaded, for this reason.
        failing_once: Cannot be loaded while this file exists; the attempt deletes it.
        dying: The process dies while loading.
        mute: Its self-test fails.
        hallucinating: It hears words in noise.
        fatal: The process dies of every request.
        capabilities: What it claims to be able to do.
    """

    missing: str | None = None
    failing_once: Path | None = None
    dying: bool = False
    mute: bool = False
    hallucinating: bool = False
    fatal: bool = False
    capabilities: RecognizerCapabilities = CAPABILITIES

    def __call__(self) -> "ScriptedEngine | MuteEngine | HallucinatingEngine | FatalEngine":
        if self.missing is not None:
            raise RecognizerUnavailable(self.missing, hint="Fetch it first.")
        if self.failing_once is not None:
            with suppress(FileNotFoundError):  # of workers that start at once, one deletes it
                self.failing_once.unlink()
                raise OSError("the file is locked")
        if self.dying:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.mute:
            return MuteEngine()
        if self.hallucinating:
            return HallucinatingEngine()
        return FatalEngine(self.capabilities) if self.fatal else ScriptedEngine(self.capabilities)


class MuteEngine:
    """Loads, and fails at everything."""

    capabilities = CAPABILITIES

    def recognize(self, batch: Sequence[RecognitionRequest]) -> list[Outcome]:
        return [EngineFailure("the weights are all zero") for _ in batch]


class HallucinatingEngine:
    """Loads, and hears the phantom that Whisper is known for in everything."""

    capabilities = CAPABILITIES

    def recognize(self, batch: Sequence[RecognitionRequest]) -> list[Outcome]:
        return [Hypothesis(text="Thanks for watching!") for _ in batch]


class FatalEngine:
    """Passes its self-test, and dies of everything else."""

    def __init__(self, capabilities: RecognizerCapabilities) -> None:
        self.capabilities = capabilities

    def recognize(self, batch: Sequence[RecognitionRequest]) -> list[Outcome]:
        if any(request.request_id != SELF_TEST for request in batch):
            os.kill(os.getpid(), signal.SIGKILL)
        return [SILENCE for _ in batch]
