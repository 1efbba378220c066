"""The JSON shapes of OpenAI's speech-to-text interface (openai-openapi, specification 2.3.0).

Some fields are required there but say nothing here: they are filled as OpenAI's own schema demands, so that typed
clients can read the answer.
"""

from dataclasses import replace
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from asr_service.domain.services.captions import Caption
from asr_service.domain.services.speaker_labels import SpokenPart
from asr_service.domain.value_objects.asr_config import EndpointingPolicy
from asr_service.domain.value_objects.audio_metadata import s_from_samples
from asr_service.domain.value_objects.hypothesis import Word
from asr_service.domain.value_objects.transcript import TranscribedUtterance, Transcript

UNKNOWN_SPEAKER = "unknown"
_LETTERS = 26


class ServerVad(BaseModel):
    """``chunking_strategy`` as an object, with the bounds of this service's endpoints and the defaults of OpenAI's schema."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["server_vad"]
    prefix_padding_ms: int = Field(default=300, ge=0, le=1_000)
    silence_duration_ms: int = Field(default=200, ge=100, le=10_000)
    threshold: float = Field(default=0.5, ge=0.15, le=0.95)

    def to_domain(self, defaults: EndpointingPolicy) -> EndpointingPolicy:
        return replace(
            defaults,
            threshold=self.threshold,
            silence_ms=self.silence_duration_ms,
            prefix_padding_ms=self.prefix_padding_ms,
        )


class DurationUsage(BaseModel):
    """What was used: seconds of audio."""

    type: Literal["duration"] = "duration"
    seconds: int


class TranscriptionResponse(BaseModel):
    """``response_format=json``."""

    text: str
    usage: DurationUsage


class TranslationResponse(BaseModel):
    """``response_format=json`` of a translation."""

    text: str


class TranscriptionWord(BaseModel):
    """A word with its times in seconds."""

    word: str
    start: float
    end: float

    @classmethod
    def of(cls, word: Word) -> Self:
        return cls(word=word.text, start=s_from_samples(word.span.start), end=s_from_samples(word.span.end))


class TranscriptionSegment(BaseModel):
    """A caption of the transcript; ``seek``, ``tokens`` and ``temperature`` are of no meaning here."""

    id: int
    seek: int = 0
    start: float
    end: float
    text: str
    tokens: list[int] = []
    temperature: float = 0.0
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float

    @classmethod
    def of(cls, index: int, caption: Caption, utterance: TranscribedUtterance) -> Self:
        hypothesis = utterance.hypothesis
        return cls(
            id=index,
            start=s_from_samples(caption.span.start),
            end=s_from_samples(caption.span.end),
            text=caption.text,
            avg_logprob=hypothesis.average_logprob or 0.0,
            compression_ratio=hypothesis.compression_ratio or 0.0,
            no_speech_prob=hypothesis.no_speech_probability or 0.0,
        )


class VerboseTranscriptionResponse(BaseModel):
    """``response_format=verbose_json``; segments and words are there if their granularity was asked for."""

    task: Literal["transcribe"] = "transcribe"
    language: str = Field(description="its English name, as whisper-1 writes it; empty if nobody speaks")
    duration: float = Field(description="seconds")
    text: str
    segments: list[TranscriptionSegment] = []
    words: list[TranscriptionWord] = []
    usage: DurationUsage


class DiarizedSegment(BaseModel):
    """What one person says, a caption at most."""

    type: Literal["transcript.text.segment"] = "transcript.text.segment"
    id: str
    start: float
    end: float
    text: str
    speaker: str = Field(description="A, B and so on by first appearance; unknown where nobody can tell")

    @classmethod
    def of(cls, number: int, part: SpokenPart) -> Self:
        """``number`` counts from 1."""
        return cls(
            id=f"seg_{number:03}",
            start=s_from_samples(part.caption.span.start),
            end=s_from_samples(part.caption.span.end),
            text=part.caption.text,
            speaker=speaker_name(part.speaker),
        )


class DiarizedTranscriptionResponse(BaseModel):
    """``response_format=diarized_json``."""

    task: Literal["transcribe"] = "transcribe"
    duration: float = Field(description="seconds")
    text: str
    segments: list[DiarizedSegment]
    usage: DurationUsage


class VerboseTranslationResponse(BaseModel):
    """``response_format=verbose_json`` of a translation."""

    task: Literal["translate"] = "translate"
    language: Literal["english"] = "english"
    duration: float = Field(description="seconds")
    text: str
    segments: list[TranscriptionSegment]


class TextDelta(BaseModel):
    """More of the text, as soon as it is final; all deltas together are the text of ``transcript.text.done``."""

    type: Literal["transcript.text.delta"] = "transcript.text.delta"
    delta: str


class TextDone(BaseModel):
    """The whole text. OpenAI's schema knows usage in tokens only here, which nobody counts, so there is none."""

    type: Literal["transcript.text.done"] = "transcript.text.done"
    text: str


class ModelResponse(BaseModel):
    """A model that can be asked for."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str


class ModelList(BaseModel):
    """All models."""

    object: Literal["list"] = "list"
    data: list[ModelResponse]


class ErrorBody(BaseModel):
    """OpenAI's error object; all four keys are always there."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorResponse(BaseModel):
    """What every failure under ``/v1`` looks like."""

    error: ErrorBody


def speaker_name(speaker: int | None) -> str:
    """A to Z, then AA, AB and so on."""
    if speaker is None:
        return UNKNOWN_SPEAKER
    before, letter = divmod(speaker, _LETTERS)
    return (speaker_name(before - 1) if before else "") + chr(ord("A") + letter)


def usage_of(transcript: Transcript) -> DurationUsage:
    """Seconds of audio, rounded up as they are counted there."""
    return DurationUsage(seconds=-int(-s_from_samples(transcript.duration_samples) // 1))
