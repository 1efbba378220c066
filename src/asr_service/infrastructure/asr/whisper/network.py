"""The Whisper network in CTranslate2, one step at a time: features, encode, detect, generate, align.

faster-whisper's ``transcribe`` pads everything to 30 s; its parts (weights, tokenizer, features) do not ask for that.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.feature_extractor import FeatureExtractor
from faster_whisper.tokenizer import Tokenizer
from numpy.typing import NDArray

from asr_service.domain.value_objects.asr_config import Task
from asr_service.infrastructure.asr.whisper.numerals import writes_number
from asr_service.infrastructure.asr.whisper.prompt import MAX_POSITIONS, Prompt

Samples: TypeAlias = NDArray[np.int16]
Features: TypeAlias = NDArray[np.float32]
Memory: TypeAlias = NDArray[Any]

FRAMES_PER_SECOND = 100
MAX_CONTEXT_FRAMES = 3000  # positions that the encoder has: 30 s
_FULL_SCALE = 32768.0
_ENGLISH = "en"
# The features of digital silence (openai/whisper, audio.py): powers are cut off at 1e-10 and at 8 decades below the loudest;
# a feature is (log10 + 4) / 4.
_LOWEST_FEATURE = -1.5
_FEATURE_RANGE = 2.0
_END_OF_TEXT = "<|endoftext|>"  # the first token that is no text
_MODELS_OWN = -1  # CTranslate2: what the model's configuration suppresses


@dataclass(frozen=True, slots=True)
class Generated:
    """Tokens that the decoder chose, the given start of the text included.

    Attributes:
        tokens: Text tokens, without the end token.
        total_logprob: Sum over the tokens that were not given; ``None`` when there are none.
        no_speech_probability: Of the no-speech token right after the start of the transcript.
    """

    tokens: tuple[int, ...]
    total_logprob: float | None
    no_speech_probability: float


@dataclass(frozen=True, slots=True)
class TokenAlignment:
    """Where tokens lie in the audio.

    Attributes:
        starts: Start of each token and, last, the end of the final one; in encoder steps of 20 ms, ascending.
        probabilities: Of each token, given those before it.
    """

    starts: tuple[int, ...]
    probabilities: tuple[float, ...]


class WhisperNetwork:
    """Weights, tokenizer and feature extractor of one model directory in CTranslate2's format.

    Args:
        directory: Holds ``model.bin``, ``config.json``, ``tokenizer.json`` and the vocabulary.
        device: ``cpu`` or ``cuda``.
        device_index: Which of several GPUs, from 0.
        compute_type: CTranslate2's name for the arithmetic, for example ``int8``.
        threads: CPU threads of one call.

    Raises:
        FileNotFoundError: The directory has no ``tokenizer.json`` (faster-whisper would fetch one from the network).
    """

    def __init__(self, directory: Path, device: str, device_index: int, compute_type: str, threads: int) -> None:
        if not (directory / "tokenizer.json").is_file():
            raise FileNotFoundError(f"{directory / 'tokenizer.json'} is missing")
        whisper = WhisperModel(
            str(directory),
            device=device,
            device_index=device_index,
            compute_type=compute_type,
            cpu_threads=threads,
        )
        self._model: ctranslate2.models.Whisper = whisper.model
        self._vocabulary = whisper.hf_tokenizer
        self._extract = FeatureExtractor(feature_size=self._model.n_mels)
        self._tokenizers: dict[tuple[str, Task], Tokenizer] = {}
        self._alignment_heads = json.loads((directory / "config.json").read_text()).get("alignment_heads")
        self.languages = self._known_languages(whisper.supported_languages)

    @property
    def multilingual(self) -> bool:
        return bool(self._model.is_multilingual)

    @property
    def aligns(self) -> bool:
        """Whether the model says which of its attention heads follow the audio."""
        return bool(self._alignment_heads)

    def tokenizer(self, language: str, task: Task = Task.TRANSCRIBE) -> Tokenizer:
        """The tokenizer with the start sequence of a transcription of this language, or of its translation."""
        key = (language, task)
        if key not in self._tokenizers:
            self._tokenizers[key] = Tokenizer(self._vocabulary, self.multilingual, task.value, language)
        return self._tokenizers[key]

    def features(self, samples: Samples) -> Features:
        """Log-mel features of the audio, not padded: ``[mels, frames]``, a frame each 10 ms."""
        features: Features = self._extract(samples.astype(np.float32) / _FULL_SCALE)
        return features.astype(np.float32, copy=False)

    def encode(self, pieces: Sequence[Features], context_frames: int) -> list[Memory]:
        """Encodes each piece, padded with silence to the same even number of frames.

        Each memory is ``[context_frames / 2, width]``. A CPU takes one piece after the other: the activations of one stay
        in its cache, those of several do not (Whisper base int8, one thread, 12 s: 100 ms alone; in batches of 2–8,
        120–145 ms each and up to 70 ms of page faults).
        """
        padded = [_padded(features, context_frames) for features in pieces]
        if self._model.device == "cpu":
            return [self._encode(features[np.newaxis])[0] for features in padded]
        return list(self._encode(np.stack(padded)))

    def detect_languages(self, memories: Sequence[Memory]) -> list[list[tuple[str, float]]]:
        """The languages of each piece with their probabilities, the most probable first."""
        ranked = self._model.detect_language(_storage(memories))
        return [[(token.strip("<|>"), float(probability)) for token, probability in languages] for languages in ranked]

    def generate(
        self,
        memories: Sequence[Memory],
        prompts: Sequence[Prompt],
        *,
        max_text_tokens: int,
        beam_size: int = 1,
        temperature: float = 0.0,
        samplings: int = 1,
        spoken_numbers: bool = False,
    ) -> list[Generated]:
        """Decodes all pieces in one batch.

        Args:
            memories: From :meth:`encode`, all of the same length.
            prompts: One for each piece, with equally many previous tokens.
            max_text_tokens: Longest text, the given part included.
            beam_size: Width of the search at temperature 0.
            temperature: Above 0, tokens are drawn at random.
            samplings: How many random texts to draw; the most probable one is returned.
            spoken_numbers: Whether digits, and signs that are said with numbers, may not be written.
        """
        positions_before = len(prompts[0].previous) + len(prompts[0].start) - 1
        search: dict[str, Any] = {"beam_size": beam_size}
        if temperature > 0:
            search = {
                "beam_size": 1,
                "num_hypotheses": samplings,
                "sampling_topk": 0,
                "sampling_temperature": temperature,
            }
        results = self._model.generate(
            _storage(memories),
            [list(prompt.tokens) for prompt in prompts],
            # CTranslate2 generates at most max_length / 2 tokens, and at most what the prompt leaves of max_length.
            max_length=min(MAX_POSITIONS, max(2 * max_text_tokens, max_text_tokens + positions_before)),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=[_MODELS_OWN, *(self._numerals if spoken_numbers else ())],
            **search,
        )
        return [_generated(result, len(prompt.given)) for result, prompt in zip(results, prompts, strict=True)]

    def align(
        self, memories: Sequence[Memory], language: str, texts: Sequence[Sequence[int]], frames: Sequence[int]
    ) -> list[TokenAlignment]:
        """Aligns tokens with audio, by the cross-attention of the model's alignment heads and dynamic time warping.

        Args:
            memories: From :meth:`encode`, all of the same length.
            language: Of all the texts.
            texts: Tokens of each text.
            frames: Feature frames of each piece, without the padding.
        """
        results = self._model.align(
            _storage(memories),
            self.tokenizer(language).sot_sequence,
            [list(text) for text in texts],
            list(frames),
        )
        return [_alignment(result) for result in results]

    @cached_property
    def _numerals(self) -> tuple[int, ...]:
        """The text tokens that hold a digit, or a sign that is said with numbers.

        Without them the network writes words. Measured over 45 recordings (Whisper base int8, greedy), as written: of English
        words 8.5 % are wrong instead of 10.1 %, and as many as before (6.7 %) if ways to write numbers do not count; of three
        Mandarin clips with numbers two become right, but a telephone number that is read digit by digit becomes Latin letters
        (all 21 clips: 26.2 % of characters wrong instead of 24.2 %). Digits whose bytes are several tokens, such as full-width
        ones, stay possible; none came.
        """
        texts = range(self._vocabulary.token_to_id(_END_OF_TEXT))
        return tuple(token for token in texts if writes_number(self._vocabulary.decode([token])))

    def _encode(self, features: Features) -> Memory:
        output = self._model.encode(_storage(features), to_cpu=True)
        if output.dtype == ctranslate2.DataType.bfloat16:  # numpy has no such type
            output = output.to(ctranslate2.DataType.float32)
        return np.asarray(output)

    def _known_languages(self, codes: Sequence[str]) -> frozenset[str]:
        if not self.multilingual:
            return frozenset({_ENGLISH})
        # faster-whisper lists Cantonese for every model; only the third generation has its token.
        return frozenset(code for code in codes if self._vocabulary.token_to_id(f"<|{code}|>") is not None)


def _padded(features: Features, context_frames: int) -> Features:
    """Features with those of silence after them, as the network was trained on.

    Zeros in their place, as in faster-whisper, are a noise of medium level. Measured with Whisper base int8, greedy, without
    guards, on 117 pieces as live sessions cut them (errors English / Mandarin, pieces caught in a loop): in a context of
    max(10 s, speech + 2 s) zeros gave 8.9 % / 16.8 %, 0 and silence 8.2 % / 16.7 %, 0; of max(12 s, speech + 3 s)
    20.2 % / 16.7 %, 1 and 7.6 % / 17.4 %, 0. A short phrase that fills its audio suffers most: "go forward ten meters", cut
    in 85 places around its words, lost "go forward" in 12 with zeros, in none with silence.
    """
    silence = max(_LOWEST_FEATURE, features.max() - _FEATURE_RANGE)
    return np.pad(features, ((0, 0), (0, context_frames - features.shape[1])), constant_values=silence)


def _storage(arrays: Sequence[Memory] | Features) -> ctranslate2.StorageView:
    batch = arrays if isinstance(arrays, np.ndarray) else np.stack(arrays)
    return ctranslate2.StorageView.from_array(np.ascontiguousarray(batch))


def _generated(result: Any, given: int) -> Generated:
    tokens = tuple(result.sequences_ids[0])
    # The score is the mean over all tokens; given ones add nothing to it, the end token does.
    total = result.scores[0] * len(tokens) if tokens else None
    return Generated(tokens, total if len(tokens) > given else None, float(result.no_speech_prob))


def _alignment(result: Any) -> TokenAlignment:
    starts: list[int] = []
    for token, step in result.alignments:
        if token == len(starts):
            starts.append(int(step))
    return TokenAlignment(tuple(starts), tuple(float(p) for p in result.text_token_probs))
