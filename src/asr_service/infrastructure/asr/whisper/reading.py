"""What a piece finally says: the attempt to believe, without what nobody said."""

from dataclasses import replace

from asr_service.infrastructure.asr.whisper.decoding import continued
from asr_service.infrastructure.asr.whisper.guard import Attempt, Verdict, best_of, judge
from asr_service.infrastructure.asr.whisper.phantom_phrases import echoes, is_phantom
from asr_service.infrastructure.asr.whisper.piece import Piece
from asr_service.infrastructure.asr.whisper.repetition import says_one_thing, units, without_loops
from asr_service.infrastructure.asr.whisper.silence import is_weak


def read(piece: Piece) -> Attempt:
    """The attempt that counts, its text without loops, empty when nobody spoke; a partial keeps its settled text."""
    attempt = best_of(piece.attempts) if piece.is_final else piece.attempts[-1]
    text = without_loops(attempt.text)
    if _nobody_said(piece, attempt, text):
        text = ""
    settled = piece.settled_text
    return replace(attempt, text=continued(settled, text) if settled else text)


def _nobody_said(piece: Piece, attempt: Attempt, text: str) -> bool:
    verdict = judge(attempt)
    if not units(text) or verdict is Verdict.SILENT:
        return True
    if verdict is Verdict.DOUBTFUL and piece.is_final and piece.seems_silent:
        return True
    if not is_weak(attempt.no_speech_probability, attempt.average_logprob, piece.levels_dbfs):
        return False
    options = piece.request.options
    return is_phantom(text) or says_one_thing(text) or echoes(text, " ".join([options.prompt or "", *options.hotwords]))
