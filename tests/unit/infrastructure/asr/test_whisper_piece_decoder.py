"""What shares a call of the network, and what does not."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from faster_whisper.tokenizer import Tokenizer

from asr_service.domain.services.spoken_language import SURE_OF_LANGUAGE
from asr_service.domain.value_objects.asr_config import Numbers, RecognitionOptions, Task
from asr_service.infrastructure.asr.whisper.decoding import EncoderContext, PieceDecoder
from asr_service.infrastructure.asr.whisper.network import Generated, Memory
from asr_service.infrastructure.asr.whisper.piece import Piece
from asr_service.infrastructure.asr.whisper.prompt import Prompt
from tests.fixtures.byte_tokenizer import byte_tokenizer
from tests.fixtures.recognition_requests import recognition_request


class WatchedNetwork:
    """Writes nothing but "ok", and remembers what it was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, bool]] = []
        self.detected = [("ja", 0.79), ("zh", 0.1)]

    def tokenizer(self, language: str, task: Task) -> Tokenizer:
        return byte_tokenizer(language)

    def encode(self, pieces: Sequence[Memory], context_frames: int) -> list[Memory]:
        return [np.zeros((context_frames // 2, 4), dtype=np.float32) for _ in pieces]

    def detect_languages(self, memories: Sequence[Memory]) -> list[list[tuple[str, float]]]:
        return [self.detected for _ in memories]

    def generate(
        self, memories: Sequence[Memory], prompts: Sequence[Prompt], *, spoken_numbers: bool, **_: Any
    ) -> list[Generated]:
        assert len(memories) == len(prompts)
        self.calls.append((len(prompts), spoken_numbers))
        tokens = tuple(byte_tokenizer().encode("ok"))
        return [Generated(tokens, -0.1, 0.0) for _ in prompts]


def _piece(index: int, numbers: Numbers) -> Piece:
    request = replace(recognition_request(), options=RecognitionOptions(language="en", numbers=numbers))
    samples = np.frombuffer(request.pcm, dtype="<i2")
    return Piece(index, request, samples, np.zeros(50, np.float32), np.zeros((80, 101), np.float32), "en")


def test_pieces_that_want_their_numbers_otherwise_are_decoded_apart() -> None:
    network = WatchedNetwork()
    decoder = PieceDecoder(network, EncoderContext(), finals_context_s=10.0, beam_size=1, samplings=1)  # type: ignore[arg-type]
    wishes = [Numbers.SPOKEN, Numbers.AS_RECOGNIZED, Numbers.SPOKEN]
    pieces = [_piece(index, numbers) for index, numbers in enumerate(wishes)]
    decoder.encode(pieces)
    decoder.attempt(pieces)
    assert sorted(network.calls) == [(1, False), (2, True)]
    assert [[attempt.text for attempt in piece.attempts] for piece in pieces] == [["ok"]] * 3


@pytest.mark.parametrize(
    ("confidence", "expected", "language"),
    [(SURE_OF_LANGUAGE - 0.01, "zh", "zh"), (SURE_OF_LANGUAGE, "zh", "ja"), (0.1, None, "ja")],
)
def test_an_unsure_detection_gives_way_to_the_expected_language(
    confidence: float, expected: str | None, language: str
) -> None:
    network = WatchedNetwork()
    network.detected = [("ja", confidence), ("en", 0.05)]
    decoder = PieceDecoder(network, EncoderContext(), finals_context_s=10.0, beam_size=1, samplings=1)  # type: ignore[arg-type]
    piece = _piece(0, Numbers.AS_RECOGNIZED)
    piece.request, piece.language = replace(piece.request, expected_language=expected), None
    decoder.encode([piece])
    decoder.detect_languages([piece])
    assert piece.language == language
    assert piece.detected == network.detected


def test_a_language_is_detected_among_those_that_are_likely() -> None:
    network = WatchedNetwork()
    network.detected = [("ja", 0.5), ("zh", 0.3), ("yue", 0.1), ("en", 0.1)]
    decoder = PieceDecoder(network, EncoderContext(), finals_context_s=10.0, beam_size=1, samplings=1)  # type: ignore[arg-type]
    pieces = [_piece(index, Numbers.AS_RECOGNIZED) for index in range(2)]
    for piece, likely in zip(pieces, [("en", "zh"), ("fr",)], strict=True):
        piece.request = replace(piece.request, options=RecognitionOptions(likely_languages=likely))
        piece.language = None
    decoder.encode(pieces)
    decoder.detect_languages(pieces)
    assert pieces[0].language == "zh"
    assert pieces[0].detected == [("zh", pytest.approx(0.75)), ("en", pytest.approx(0.25))]
    assert pieces[1].detected == network.detected[:2]  # none of the likely ones is known: all may be
