"""From pieces to attempts: encoding in a short context, language detection, generation in batches."""

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from asr_service.domain.services.spoken_language import SURE_OF_LANGUAGE
from asr_service.domain.value_objects.asr_config import Numbers
from asr_service.infrastructure.asr.whisper.guard import Attempt
from asr_service.infrastructure.asr.whisper.network import (
    FRAMES_PER_SECOND,
    MAX_CONTEXT_FRAMES,
    Generated,
    Memory,
    WhisperNetwork,
)
from asr_service.infrastructure.asr.whisper.piece import Piece
from asr_service.infrastructure.asr.whisper.prompt import MAX_TEXT_TOKENS, Prompt, build_prompt, max_text_tokens
from asr_service.infrastructure.asr.whisper.repetition import is_repetitive, units

_PROMPTED_UP_TO_TEMPERATURE = 0.5  # openai/whisper, transcribe.py: above it the prompt is forgotten
_K = TypeVar("_K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class EncoderContext:
    """How much the encoder is given: the speech, silence after it, and no less than a floor.

    Whisper was trained on 30 s, but its encoder takes less, and its cost grows with the length. Measured on 117 pieces as
    live sessions cut them out of 47 recordings (Whisper base int8, greedy, CTranslate2 4.8, no guards), against 30 s:

    ===================== ============ =========== ===== ========
    context               CER Mandarin WER English loops CPU time
    ===================== ============ =========== ===== ========
    30 s                  15.5 %       7.5 %       0     1
    max(15 s, speech + 3) 17.4 %       7.8 %       0     0.34
    max(12 s, speech + 3) 17.4 %       7.6 %       0     0.23
    max(10 s, speech + 3) 16.7 %       8.0 %       0     0.20
    max(10 s, speech + 2) 16.7 %       8.2 %       0     0.20
    max(8 s, speech + 2)  16.3 %       8.1 %       0     0.18
    max(5 s, speech + 2)  26.8 %       17.2 %      3     0.16
    speech + 1 s          34.0 %       45.2 %      8     0.15
    ===================== ============ =========== ===== ========

    ``make context AUDIO=folder`` repeats this with other models and recordings.

    Attributes:
        floor_s: Shortest context.
        tail_s: Least silence after the speech.
        lengths_s: Contexts have one of these lengths, so that pieces of similar length are decoded in one call. Finer steps
            spare some of the encoder's work; over recordings, whose pieces are long, the decoder's grew by more. What else is
            in the batch does not change the context of a piece, and so not its text.
    """

    floor_s: float = 10.0
    tail_s: float = 3.0
    lengths_s: tuple[float, ...] = (2, 4, 6, 8, 10, 12, 14, 16, 22, 28, 30)

    def frames(self, speech_frames: int) -> int:
        """Feature frames for so many frames of speech, an even number."""
        wanted_s = max(self.floor_s, speech_frames / FRAMES_PER_SECOND + self.tail_s)
        lengths_s = (length_s for length_s in self.lengths_s if length_s >= wanted_s)
        return min(MAX_CONTEXT_FRAMES, 2 * round(next(lengths_s, self.lengths_s[-1]) * FRAMES_PER_SECOND / 2))


class PieceDecoder:
    """Runs the network over pieces; each step is done in as few calls as it can be.

    Args:
        network: The weights.
        context: How much the encoder is given at first.
        finals_context_s: Least of it for finals, in seconds.
        beam_size: Width of the search for finals that do not say.
        samplings: Texts drawn at a temperature above 0, of which the most probable is taken.
    """

    def __init__(
        self,
        network: WhisperNetwork,
        context: EncoderContext,
        finals_context_s: float,
        beam_size: int,
        samplings: int,
    ) -> None:
        self._network = network
        self._context = context
        self._finals_context = replace(context, floor_s=max(context.floor_s, finals_context_s))
        self._beam_size = beam_size
        self._samplings = samplings

    def encode(self, pieces: Iterable[Piece], *, padded: bool = False) -> None:
        """Gives each piece its memory, in the short context or padded to the customary 30 s."""
        for frames, group in _groups(pieces, lambda piece: MAX_CONTEXT_FRAMES if padded else self._frames(piece)):
            memories = self._network.encode([piece.features for piece in group], frames)
            for piece, memory in zip(group, memories, strict=True):
                piece.memory = memory

    def detect_languages(self, pieces: Iterable[Piece]) -> None:
        """Gives a language to each encoded piece that has none: the detected one, or, unsurely, the expected one.

        Measured over 496 partials of 71 utterances in four languages (Whisper base int8): if the utterance is in the
        expected language, the language changes 2 times between partials instead of 30, and 2 partials instead of 41 are in
        a wrong one; if the speaker has just changed the language, it is 55 instead of 30 changes, and 93 instead of 41.
        """
        unknown = [piece for piece in pieces if piece.language is None]
        for _, group in _groups(unknown, lambda piece: len(_memory(piece))):
            detected = self._network.detect_languages([_memory(piece) for piece in group])
            for piece, languages in zip(group, detected, strict=True):
                likely = among(piece.request.options.likely_languages, languages)
                piece.detected = likely[:2]
                expected = piece.request.expected_language
                unsure = expected is not None and likely[0][1] < SURE_OF_LANGUAGE
                piece.language = expected if unsure else likely[0][0]

    def attempt(self, pieces: Iterable[Piece], *, temperature: float = 0.0, continued: bool = True) -> None:
        """Adds an attempt to each encoded piece.

        Args:
            pieces: Encoded, with a language.
            temperature: Least temperature; a final that asked for more gets it.
            continued: Whether partials go on from their settled text.
        """
        prompts = {piece: self._prompt(piece, temperature, continued) for piece in pieces}

        def together(piece: Piece) -> tuple[int, int, int, float, bool]:
            heat, spoken_numbers = self._temperature(piece, temperature), _wants_spoken_numbers(piece)
            return len(_memory(piece)), len(prompts[piece].previous), self._beam(piece), heat, spoken_numbers

        for (_, _, beam_size, heat, spoken_numbers), group in _groups(prompts, together):
            results = self._network.generate(
                [_memory(piece) for piece in group],
                [prompts[piece] for piece in group],
                max_text_tokens=max(_token_bound(piece, prompts[piece]) for piece in group),
                beam_size=beam_size,
                temperature=heat,
                samplings=self._samplings,
                spoken_numbers=spoken_numbers,
            )
            for piece, result in zip(group, results, strict=True):
                piece.attempts.append(self._read(piece, prompts[piece], result))

    def _read(self, piece: Piece, prompt: Prompt, result: Generated) -> Attempt:
        tail = result.tokens[len(prompt.given) :]
        text = self._network.tokenizer(piece.known_language, piece.request.options.task).decode(list(tail))
        if prompt.given:  # the settled text itself, should its tokens not give it back letter by letter
            text = piece.settled_text + text
        return Attempt(
            text=text.strip(),
            language=piece.known_language,
            memory=_memory(piece),
            average_logprob=None if result.total_logprob is None else result.total_logprob / (len(tail) + 1),
            no_speech_probability=result.no_speech_probability,
            cut_off=len(result.tokens) >= _token_bound(piece, prompt),
            loops=is_repetitive(text),
        )

    def _frames(self, piece: Piece) -> int:
        return (self._finals_context if piece.is_final else self._context).frames(piece.frames)

    def _prompt(self, piece: Piece, temperature: float, continued: bool) -> Prompt:
        prompted = self._temperature(piece, temperature) <= _PROMPTED_UP_TO_TEMPERATURE
        return build_prompt(
            self._network.tokenizer(piece.known_language, piece.request.options.task),
            piece.request.options if prompted else None,
            piece.settled_text if continued else "",
        )

    def _beam(self, piece: Piece) -> int:
        return (piece.request.options.beam_size or self._beam_size) if piece.is_final else 1

    def _temperature(self, piece: Piece, least: float) -> float:
        return max(least, piece.request.options.temperature) if piece.is_final else 0.0


def among(likely: Collection[str], languages: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """The languages that are likely, in their order, with the probabilities that they have if it must be one of them.

    All as they were, if nothing is known to be likely, or the model knows none of it.
    """
    total = sum(probability for code, probability in languages if code in likely)
    if total <= 0:
        return languages
    return [(code, probability / total) for code, probability in languages if code in likely]


def continued(settled: str, text: str) -> str:
    """The settled text and what a text that was decoded without it has beyond so many units."""
    settled = settled.strip()
    if text.casefold().startswith(settled.casefold()):
        return settled + text[len(settled) :]
    said, known = units(text), len(units(settled))
    if len(said) <= known:
        return settled
    return settled + (text[said[known - 1].end :] if known else text)


def _token_bound(piece: Piece, prompt: Prompt) -> int:
    bound = max_text_tokens(piece.seconds)
    if any(attempt.cut_off for attempt in piece.attempts):
        bound *= 2  # perhaps it was no loop, but a language of many tokens
    return min(MAX_TEXT_TOKENS, max(bound, len(prompt.given) + max_text_tokens(0)))


def _wants_spoken_numbers(piece: Piece) -> bool:
    return piece.request.options.numbers is Numbers.SPOKEN


def _memory(piece: Piece) -> Memory:
    if piece.memory is None:
        raise ValueError("the piece is not encoded yet")
    return piece.memory


def _groups(pieces: Iterable[Piece], key: Callable[[Piece], _K]) -> Sequence[tuple[_K, list[Piece]]]:
    groups: defaultdict[_K, list[Piece]] = defaultdict(list)
    for piece in pieces:
        groups[key(piece)].append(piece)
    return list(groups.items())
