"""Utterances on their way through a streaming Paraformer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_service.domain.value_objects.asr_config import Chunking
from asr_service.infrastructure.asr.funasr.hearing import Heard, Traits, Utterance
from asr_service.infrastructure.asr.funasr.loading import LoadedModel
from asr_service.infrastructure.asr.funasr.spelling import spell
from asr_service.infrastructure.asr.funasr.vocabulary import has_digits, languages_of
from asr_service.infrastructure.asr.stream_cache import FedStream, StreamCache

SAMPLES_PER_FRAME = 960  # 60 ms: the encoder takes each sixth of the frames of 10 ms
_FLOAT_BYTES = 4
# Utterances that are being spoken, for which a worker of a streaming model keeps what it has heard.
_MOST_STREAMS = 256
_MOST_STREAM_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class ChunkPlan:
    """How a streaming Paraformer goes through the audio; the defaults are those of FunASR's own examples.

    Attributes:
        frames_before, frames, frames_after: The size of a chunk, and what is heard around it, in frames of 60 ms.
        encoder_look_back: Chunks that the encoder's attention reaches back.
        decoder_look_back: The same of the decoder's.
    """

    frames_before: int = 0
    frames: int = 10
    frames_after: int = 5
    encoder_look_back: int = 4
    decoder_look_back: int = 1

    @property
    def chunk_samples(self) -> int:
        """New audio of each chunk."""
        return self.frames * SAMPLES_PER_FRAME

    def changed_by(self, wanted: Chunking) -> "ChunkPlan":
        """What a client wants where it wants something, for a stream of its own."""
        before, frames, after = wanted.size or (self.frames_before, self.frames, self.frames_after)
        encoder, decoder = wanted.encoder_look_back, wanted.decoder_look_back
        return ChunkPlan(
            before,
            frames,
            after,
            self.encoder_look_back if encoder is None else encoder,
            self.decoder_look_back if decoder is None else decoder,
        )

    def choices(self) -> dict[str, object]:
        """The same as FunASR calls it."""
        return {
            "chunk_size": [self.frames_before, self.frames, self.frames_after],
            "encoder_chunk_look_back": self.encoder_look_back,
            "decoder_chunk_look_back": self.decoder_look_back,
        }


@dataclass(slots=True)
class ParaformerStream:
    """An utterance so far; only the model that brings it forward may change it.

    Attributes:
        state: FunASR's, empty at the start.
        tokens: What was recognized.
    """

    state: dict[str, Any] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)

    @property
    def size_bytes(self) -> int:
        """What the state takes."""
        return _tensor_bytes(self.state)


class _TokenTap:
    """Stands before a tokenizer, and remembers what it was asked for.

    Streaming inference answers with the text of each call, in which words that go on in the next one cannot be put together.
    """

    def __init__(self, tokenizer: Any, tokens: list[str]) -> None:
        self._tokenizer = tokenizer
        self._tokens = tokens

    def ids2tokens(self, ids: list[int]) -> list[str]:
        tokens: list[str] = self._tokenizer.ids2tokens(ids)
        self._tokens.extend(tokens)
        return tokens


class StreamingParaformer:
    """Brings streams forward, chunk by chunk. Chunks are counted from the start of the utterance, so what comes out depends
    neither on how the audio arrives nor on when somebody asks.
    """

    def __init__(self, model: LoadedModel, plan: ChunkPlan) -> None:
        self._model = model
        self._plan = plan

    @property
    def tokens(self) -> Sequence[str]:
        """The model's vocabulary."""
        return self._model.tokens

    def advance(
        self,
        fed: FedStream[ParaformerStream],
        samples: NDArray[np.float32],
        chunking: Chunking,
        *,
        to_the_end: bool,
    ) -> None:
        """Feeds what the stream has not heard; after an exception the stream is of no further use.

        Args:
            fed: The stream of this utterance.
            samples: The whole utterance so far, full scale at 1.
            chunking: What the client wants; the same for the whole of the stream.
            to_the_end: Whether that is all of it: the last, incomplete chunk is heard too then, and the stream is at its end.
        """
        plan = self._plan.changed_by(chunking)
        chunk_samples = plan.chunk_samples
        ready = len(samples) if to_the_end else len(samples) // chunk_samples * chunk_samples
        if ready == fed.fed_samples and not to_the_end:
            return
        self._model.infer(
            [samples[fed.fed_samples : ready]],
            cache=fed.stream.state,
            is_final=to_the_end,
            tokenizer=_TokenTap(self._model.settings["tokenizer"], fed.stream.tokens),
            **plan.choices(),
        )
        fed.fed_samples = ready


class StreamingHearing:
    """A streaming model that is asked for utterances as they grow: each request brings all of the audio, of which only the
    new part is heard.

    Args:
        paraformer: The model.
        spell: Makes a text of tokens.
        streams: What is kept of utterances between their requests.
    """

    def __init__(
        self,
        paraformer: StreamingParaformer,
        spell: Callable[[Sequence[str]], str] = spell,
        streams: StreamCache[ParaformerStream] | None = None,
    ) -> None:
        self._paraformer = paraformer
        self._spell = spell
        self._streams = StreamCache(_MOST_STREAMS, _MOST_STREAM_BYTES) if streams is None else streams
        tokens = paraformer.tokens
        self.traits = Traits(languages_of(tokens), spoken_numbers=not has_digits(tokens), streaming=True)

    def hear(self, utterances: Sequence[Utterance]) -> list[Heard]:
        """See ``Hearing``. Streaming inference takes one utterance at a time."""
        return [self._hear(utterance) for utterance in utterances]

    def _hear(self, utterance: Utterance) -> Heard:
        fed = self._streams.take(utterance.request) or FedStream(ParaformerStream())
        self._paraformer.advance(
            fed, utterance.samples, utterance.request.options.chunking, to_the_end=utterance.is_final
        )
        if not utterance.is_final:
            self._streams.put(utterance.request, fed, fed.stream.size_bytes)
        return Heard(self._spell(fed.stream.tokens))


def _tensor_bytes(value: Any) -> int:
    if isinstance(value, dict):
        return sum(_tensor_bytes(item) for item in value.values())
    if isinstance(value, list | tuple):
        return sum(_tensor_bytes(item) for item in value)
    return int(value.numel()) * _FLOAT_BYTES if hasattr(value, "numel") else 0
