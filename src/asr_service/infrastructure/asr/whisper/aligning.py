"""Words with times for many texts at once."""

from collections import defaultdict
from collections.abc import Mapping

from asr_service.domain.value_objects.hypothesis import Word
from asr_service.infrastructure.asr.whisper.guard import Attempt
from asr_service.infrastructure.asr.whisper.network import WhisperNetwork
from asr_service.infrastructure.asr.whisper.piece import Piece
from asr_service.infrastructure.asr.whisper.prompt import text_tokens
from asr_service.infrastructure.asr.whisper.words import words_from_alignment


def align_words(network: WhisperNetwork, texts: Mapping[Piece, Attempt]) -> dict[Piece, tuple[Word, ...]]:
    """Aligns each text with the encoder output that it was decoded from, in one call for each language and context.

    Args:
        network: A network that aligns.
        texts: Attempts with a text that is not empty.
    """
    groups: defaultdict[tuple[str, int], list[Piece]] = defaultdict(list)
    for piece, attempt in texts.items():
        groups[attempt.language, len(attempt.memory)].append(piece)
    words = {}
    for (language, _), group in groups.items():
        tokenizer = network.tokenizer(language)
        tokens = [text_tokens(tokenizer, texts[piece].text) for piece in group]
        memories = [texts[piece].memory for piece in group]
        alignments = network.align(memories, language, tokens, [piece.frames for piece in group])
        for piece, of_text, alignment in zip(group, tokens, alignments, strict=True):
            words[piece] = words_from_alignment(tokenizer, of_text, alignment, piece.levels_dbfs, len(piece.samples))
    return words
