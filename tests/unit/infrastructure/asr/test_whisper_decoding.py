"""How much is encoded, in which order attempts are made, and what is read from them."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_service.domain.ports.recognizer import RecognitionKind, RecognitionRequest
from asr_service.domain.value_objects.asr_config import RecognitionOptions
from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.infrastructure.asr.whisper.decoding import EncoderContext, PieceDecoder, continued
from asr_service.infrastructure.asr.whisper.guard import Attempt
from asr_service.infrastructure.asr.whisper.network import Features, Memory
from asr_service.infrastructure.asr.whisper.piece import Piece
from asr_service.infrastructure.asr.whisper.reading import read
from asr_service.infrastructure.asr.whisper.strategy import decode

MEMORY = np.zeros((2, 4), dtype=np.float32)
TEMPERATURES = (0.2, 0.4, 0.6)


class ScriptedDecoder:
    """Says for each attempt what the script says, and remembers what it was asked."""

    def __init__(self, script: Callable[[Piece, str], Attempt]) -> None:
        self._script = script
        self.asked: list[str] = []
        self._padded = False

    def encode(self, pieces: Iterable[Piece], *, padded: bool = False) -> None:
        for _ in pieces:
            self._padded = padded

    def detect_languages(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            if piece.language is None:
                piece.detected = [("zh", 0.54), ("en", 0.33)]
                piece.language = "zh"

    def attempt(self, pieces: Iterable[Piece], *, temperature: float = 0.0, continued: bool = True) -> None:
        for piece in pieces:
            how = "padded" if self._padded else "short"
            if temperature:
                how = f"at {temperature}"
            if not continued:
                how = "afresh"
            self.asked.append(how if how != "short" else f"short {piece.language}")
            piece.attempts.append(self._script(piece, how))


def _piece(
    kind: RecognitionKind = RecognitionKind.FINAL,
    *,
    settled: str = "",
    language: str | None = "en",
    hotwords: tuple[str, ...] = (),
) -> Piece:
    samples = np.full(16_000, 3_000, dtype=np.int16)
    request = RecognitionRequest(
        request_id="rec_1",
        session_id="ses_1",
        tenant="tenant_1",
        utterance=0,
        kind=kind,
        span=SampleSpan(0, len(samples)),
        pcm=samples.tobytes(),
        options=RecognitionOptions(language=language, hotwords=hotwords),
        settled_text=settled,
    )
    levels = np.full(50, -20.0, dtype=np.float32)
    return Piece(0, request, samples, levels, np.zeros((80, 101), dtype=np.float32), language)


def _attempt(
    text: str, logprob: float | None = -0.2, no_speech: float = 0.05, *, language: str = "en", loops: bool = False
) -> Attempt:
    return Attempt(text, language, MEMORY, logprob, no_speech, loops=loops)


def _run(piece: Piece, script: Callable[[Piece, str], Attempt]) -> list[str]:
    decoder = ScriptedDecoder(script)
    decode(decoder, [piece], TEMPERATURES)  # type: ignore[arg-type]
    return decoder.asked


@given(st.integers(1, 2_901))
def test_the_context_is_even_and_holds_the_speech(frames: int) -> None:
    context = EncoderContext().frames(frames)
    assert context % 2 == 0
    assert 1_000 <= context <= 3_000
    assert context >= min(3_000, frames + 300)
    assert context - max(1_000, frames + 300) < 600


@pytest.mark.parametrize(
    ("seconds", "context"), [(0.5, 10), (7, 10), (7.5, 12), (12, 16), (14, 22), (25, 28), (27, 30), (29, 30)]
)
def test_a_context_is_short_but_not_too_short(seconds: float, context: int) -> None:
    assert EncoderContext().frames(round(seconds * 100)) == context * 100


class MeasuringNetwork:
    """Encodes nothing, and remembers how long the contexts were."""

    def __init__(self) -> None:
        self.contexts: list[int] = []

    def encode(self, pieces: Sequence[Features], context_frames: int) -> list[Memory]:
        self.contexts += [context_frames] * len(pieces)
        return [MEMORY for _ in pieces]


@pytest.mark.parametrize(("finals_context_s", "expected"), [(5.0, 1_000), (10.0, 1_000), (20.0, 2_200), (30.0, 3_000)])
def test_finals_can_be_given_a_longer_context_than_partials(finals_context_s: float, expected: int) -> None:
    network = MeasuringNetwork()
    decoder = PieceDecoder(
        network,  # type: ignore[arg-type]
        EncoderContext(),
        finals_context_s,
        beam_size=1,
        samplings=1,
    )
    decoder.encode([_piece(RecognitionKind.PARTIAL)])
    decoder.encode([_piece(RecognitionKind.FINAL)])
    assert network.contexts == [1_000, expected]


def test_a_credible_final_is_decoded_once() -> None:
    piece = _piece()
    assert _run(piece, lambda *_: _attempt("Good morning.")) == ["short en"]
    assert read(piece).text == "Good morning."


@pytest.mark.parametrize("failure", [_attempt("we go home " * 6, -0.1, loops=True), _attempt("", None)])
def test_a_final_that_failed_is_decoded_again_from_the_customary_padding(failure: Attempt) -> None:
    piece = _piece()
    asked = _run(piece, lambda _, how: _attempt("Good morning.", -0.3) if how == "padded" else failure)
    assert asked == ["short en", "padded"]
    assert read(piece).text == "Good morning."


def test_a_text_that_is_only_improbable_is_left_at_that() -> None:
    piece = _piece()
    assert _run(piece, lambda *_: _attempt("Good morning.", -1.4)) == ["short en"]
    assert read(piece).text == "Good morning."


def test_temperature_rises_until_there_is_a_text() -> None:
    piece = _piece()
    asked = _run(piece, lambda _, how: _attempt("Good morning.", -1.6, loops=how != "at 0.4"))
    assert asked == ["short en", "padded", "at 0.2", "at 0.4"]
    assert read(piece).average_logprob == -1.6


def test_a_loop_in_every_attempt_is_said_once() -> None:
    piece = _piece()
    _run(piece, lambda *_: _attempt("we go home " * 6, -0.1, loops=True))
    assert read(piece).text == "we go home"


def test_silence_is_not_tried_again() -> None:
    piece = _piece()
    assert _run(piece, lambda *_: _attempt("you", -1.7, 0.8)) == ["short en"]
    assert read(piece).text == ""


def test_what_is_improbable_and_hardly_speech_is_silence() -> None:
    piece = _piece()
    assert _run(piece, lambda *_: _attempt("The.", -1.3, 0.5)) == ["short en"]
    assert read(piece).text == ""


def test_what_fails_twice_and_is_hardly_speech_is_silence() -> None:
    piece = _piece()
    assert _run(piece, lambda *_: _attempt("the the " * 9, -0.4, 0.5, loops=True)) == ["short en", "padded"]
    assert read(piece).text == ""


@pytest.mark.parametrize("text", ["...", "。", "  "])
def test_punctuation_alone_says_nothing(text: str) -> None:
    piece = _piece()
    _run(piece, lambda *_: _attempt(text))
    assert read(piece).text == ""


def test_a_phantom_is_dropped_on_weak_evidence_only() -> None:
    weak, strong = _piece(), _piece()
    _run(weak, lambda *_: _attempt("Thanks for watching!", -0.9))
    _run(strong, lambda *_: _attempt("Thanks for watching!", -0.2))
    assert read(weak).text == ""
    assert read(strong).text == "Thanks for watching!"


def test_hotwords_that_only_echo_are_dropped_on_weak_evidence() -> None:
    piece = _piece(hotwords=("Quilter", "Siobhan"))
    _run(piece, lambda *_: _attempt("Siobhan, Quilter, Quilter", -0.7, 0.9))
    assert read(piece).text == ""


def test_a_final_of_uncertain_language_is_tried_in_the_other_likely_one() -> None:
    piece = _piece(language=None)
    asked = _run(
        piece,
        lambda piece, _: _attempt("text", -0.3 if piece.language == "en" else -0.8, language=piece.language or ""),
    )
    assert asked == ["short zh", "short en"]
    assert read(piece).language == "en"


def test_a_given_language_is_never_doubted() -> None:
    assert _run(_piece(language="en"), lambda *_: _attempt("text", -0.9)) == ["short en"]


def test_noise_is_not_tried_in_another_language() -> None:
    assert _run(_piece(language=None), lambda *_: _attempt("...AHH!", -1.4, 0.8, language="zh")) == ["short zh"]


def test_a_partial_gets_one_attempt_however_doubtful() -> None:
    piece = _piece(RecognitionKind.PARTIAL)
    assert _run(piece, lambda *_: _attempt("we go home " * 6, -1.3, loops=True)) == ["short en"]
    assert read(piece).text == "we go home"


def test_a_partial_goes_on_from_its_settled_text() -> None:
    piece = _piece(RecognitionKind.PARTIAL, settled="Good morning")
    assert _run(piece, lambda *_: _attempt("Good morning everybody")) == ["short en"]
    assert read(piece).text == "Good morning everybody"


@pytest.mark.parametrize(
    "first", [_attempt("Good morning.", None), _attempt("Good morning."), _attempt("Good morning x", -1.6)]
)
def test_settled_text_that_leads_nowhere_is_decoded_afresh_and_kept(first: Attempt) -> None:
    piece = _piece(RecognitionKind.PARTIAL, settled="Good morning")
    afresh = _attempt("Could warning everybody there")
    assert _run(piece, lambda _, how: afresh if how == "afresh" else first) == ["short en", "afresh"]
    assert read(piece).text == "Good morning everybody there"


def test_a_silent_partial_keeps_its_settled_text() -> None:
    piece = _piece(RecognitionKind.PARTIAL, settled="Good morning")
    _run(piece, lambda *_: _attempt("you", -2.0, 0.9))
    assert read(piece).text == "Good morning"


@pytest.mark.parametrize(
    ("settled", "text", "expected"),
    [
        ("Good morning", "good morning, all.", "Good morning, all."),
        ("Good morning", "God mourning, all.", "Good morning, all."),
        ("Good morning", "Good", "Good morning"),
        ("你好", "您好世界", "你好世界"),
        ("...", "hello", "...hello"),
        ("a b", "", "a b"),
    ],
)
def test_a_text_decoded_afresh_adds_what_it_has_beyond_the_settled_one(settled: str, text: str, expected: str) -> None:
    assert continued(settled, text) == expected
