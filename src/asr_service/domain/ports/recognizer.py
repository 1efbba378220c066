"""Speech in, hypothesis out: the port that every engine stands behind."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from asr_service.domain.value_objects.asr_config import RecognitionOptions
from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.shared.errors import AsrError


class RecognitionFailed(AsrError):
    """The engine could not process this piece of audio, for instance because its process died on it twice."""

    code = "recognition_failed"


class RecognizerUnavailable(AsrError):
    """No engine is ready: it is starting, restarting, or shut down."""

    code = "recognizer_unavailable"


class RecognizerOverloaded(AsrError):
    """The bounded queue in front of the engine is full."""

    code = "overloaded"


class RecognitionSuperseded(AsrError):
    """The request, a partial, is dropped: a newer request of its session makes it useless, or soon will. No loss."""

    code = "superseded"


class EngineUnknown(AsrError):
    """A model wants an engine that this service does not have, in this version."""

    code = "engine_unknown"


class EngineNotInstalled(AsrError):
    """The engine is known, and the package that it needs is not installed. The hint says how to get it."""

    code = "engine_not_installed"


class RecognitionKind(StrEnum):
    """Finals are owed; partials are perishable."""

    PARTIAL = "partial"
    FINAL = "final"


@dataclass(frozen=True, slots=True)
class TextFeatures:
    """What can be made of texts after they are recognized, whatever engine they come from.

    Attributes:
        scripts: Whether Chinese can be had in the script that is asked for.
        written_numbers: Codes of the languages in which numbers can be had in digits.
        spoken_numbers: Codes of the languages in which they can be had in words.
        punctuation: Codes of the languages in which punctuation can be restored.
        casing: Whether capital letters can be had as asked for.
        masking: Whether there are words to mask.
        unmasking: Whether a client may have nothing masked.
    """

    scripts: bool = False
    written_numbers: frozenset[str] = frozenset()
    spoken_numbers: frozenset[str] = frozenset()
    punctuation: frozenset[str] = frozenset()
    casing: bool = False
    masking: bool = False
    unmasking: bool = True


NO_TEXT_FEATURES = TextFeatures()


@dataclass(frozen=True, slots=True)
class RecognizerCapabilities:
    """What an engine can do, as data. What it cannot do is refused or reported, never ignored.

    Attributes:
        engine: Name of the engine, for example ``faster-whisper``.
        model: Name of the model, for example ``whisper-base``.
        languages: Codes it recognizes.
        word_times: Whether it aligns words with audio.
        hotwords: Whether hotwords have an effect.
        prompt: Whether a prompt has an effect.
        spoken_numbers: Whether it can write numbers as they are spoken by itself.
        translation: Whether it can translate speech into English; if not, it fails on a request for that.
        max_seconds: Longest audio of one request.
        punctuation: Whether it writes punctuation; if not, it may be restored.
        casing: Whether it writes capital letters where they are written in print, and only there.
        text: What is made of its texts afterwards.
        streaming: Whether it goes on where it was with an utterance that has grown, so that a partial costs what is new in it;
            its worker is then asked again, if it is idle.
        partials: Whether it recognizes partials; sessions do not ask it for any if not.
        chunking: Whether a client may choose how it goes through the audio.
    """

    engine: str
    model: str
    languages: frozenset[str]
    word_times: bool
    hotwords: bool
    prompt: bool
    spoken_numbers: bool
    translation: bool
    max_seconds: float
    punctuation: bool = True
    casing: bool = True
    text: TextFeatures = NO_TEXT_FEATURES
    streaming: bool = False
    partials: bool = True
    chunking: bool = False


@dataclass(frozen=True, slots=True)
class RecognitionRequest:
    """A piece of one utterance, to be turned into text.

    Attributes:
        request_id: Unique within the process; the answer is matched by it.
        session_id: Whose it is; of several waiting partials of one session only the newest matters.
        tenant: For fairness between tenants.
        utterance: Index of the utterance in its session, from 0.
        kind: Partial or final.
        span: Where the audio lies in the stream.
        pcm: The audio itself, canonical, ``2 * len(span)`` bytes.
        options: What the client asked for.
        settled_text: Start of the utterance that is already agreed on; an engine may go on from it.
        expected_language: Of a partial: the language of the session so far, a hint for a detection that is not sure.
            Finals have none, since what comes of them may not depend on when it is asked.
        live: Whether somebody waits while they speak; what belongs to a recording gives way.
    """

    request_id: str
    session_id: str
    tenant: str
    utterance: int
    kind: RecognitionKind
    span: SampleSpan
    pcm: bytes = field(repr=False)  # audio never reaches a log, not by a traceback either
    options: RecognitionOptions
    settled_text: str = ""
    expected_language: str | None = None
    live: bool = True


class Recognizer(Protocol):
    """Turns requests into hypotheses. Weights are shared; nothing of one request shows in another."""

    @property
    def capabilities(self) -> RecognizerCapabilities: ...

    async def recognize(self, request: RecognitionRequest) -> Hypothesis:
        """Recognizes one request; calls may overlap, and answers come in any order.

        Cancelling the call withdraws a request that has not begun.

        Returns:
            The hypothesis, its positions counted from the start of ``request.pcm``.

        Raises:
            RecognitionFailed: This audio cannot be processed; others can.
            RecognizerUnavailable: No engine is ready.
            RecognizerOverloaded: The queue is full.
            RecognitionSuperseded: A partial, not worth recognizing any more.
        """
        ...
