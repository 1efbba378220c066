"""Silence and noise yield no words; a quiet or hesitant voice still does."""

import numpy as np
import pytest

from asr_service.infrastructure.asr.whisper.guard import Attempt, Verdict, best_of, judge
from asr_service.infrastructure.asr.whisper.phantom_phrases import PHANTOM_PHRASES, echoes, is_phantom
from asr_service.infrastructure.asr.whisper.silence import frame_levels_dbfs, is_inaudible, is_weak
from tests.fixtures.sounds import as_pcm, noise, tone

LOUD = np.array([-20.0], dtype=np.float32)
FAINT = np.array([-60.0], dtype=np.float32)
MEMORY = np.zeros((2, 4), dtype=np.float32)


def _levels(pcm: bytes) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return frame_levels_dbfs(np.frombuffer(pcm, "<i2"))


def _attempt(
    logprob: float | None, no_speech: float = 0.05, *, text: str = "well said", stuck: bool = False
) -> Attempt:
    return Attempt(text, "en", MEMORY, logprob, no_speech, loops=stuck)


def test_levels_are_in_decibels_below_full_scale() -> None:
    levels = _levels(as_pcm(tone(400.0, 1.0, amplitude=0.5)))
    assert len(levels) == 50
    assert levels == pytest.approx(np.full(50, -9.03), abs=0.1)


def test_digital_silence_and_faint_hiss_are_inaudible() -> None:
    assert is_inaudible(_levels(bytes(32_000)))
    assert is_inaudible(_levels(as_pcm(noise(1.0, amplitude=0.0002))))
    assert is_inaudible(_levels(b""))
    assert is_inaudible(_levels(b"\x10\x27" * 100))  # less than a frame


def test_one_soft_word_in_silence_is_audible() -> None:
    word = as_pcm(tone(300.0, 0.2, amplitude=0.004))
    assert not is_inaudible(_levels(bytes(32_000) + word + bytes(32_000)))


@pytest.mark.parametrize(
    ("logprob", "no_speech", "stuck", "verdict"),
    [
        (-0.3, 0.05, False, Verdict.CREDIBLE),
        (-0.3, 0.9, False, Verdict.CREDIBLE),
        (-0.9, 0.44, False, Verdict.CREDIBLE),
        (-1.2, 0.05, False, Verdict.DOUBTFUL),
        (-2.5, 0.05, False, Verdict.DOUBTFUL),
        (-0.1, 0.05, True, Verdict.DOUBTFUL),
        (-1.2, 0.9, False, Verdict.SILENT),
        (-0.1, 0.9, True, Verdict.SILENT),
        (-0.81, 0.73, False, Verdict.SILENT),  # a dog, taken for "BAH!"
        (-1.9, 0.5, False, Verdict.SILENT),
        (None, 0.9, False, Verdict.DOUBTFUL),
    ],
)
def test_a_text_is_judged_by_its_probability_its_loops_and_the_signs_of_speech(
    logprob: float | None, no_speech: float, stuck: bool, verdict: Verdict
) -> None:
    assert judge(_attempt(logprob, no_speech, stuck=stuck)) is verdict


def test_the_most_probable_attempt_that_is_not_stuck_is_the_best() -> None:
    stuck, poor, fair, nothing = _attempt(-0.1, stuck=True), _attempt(-2.0), _attempt(-1.1), _attempt(None)
    assert best_of([stuck, poor, fair, nothing]) is fair
    assert best_of([stuck, _attempt(-0.4, stuck=True)]) is stuck
    assert best_of([nothing, poor]) is poor


@pytest.mark.parametrize(
    "text",
    [
        "Thank you.",
        "Thanks for watching!",
        "you",
        "Subtitles by the Amara.org community",
        "請不吝點贊 訂閱 轉發 打賞支持明鏡與點點欄目",
        "字幕由Amara.org社区提供",
        "谢谢观看。谢谢观看。",
        "ご視聴ありがとうございました。",
        "MBC 뉴스 이덕영입니다.",
        "Sous-titres réalisés para la communauté d'Amara.org",
    ],
)
def test_well_known_phantoms_are_known_in_any_spelling(text: str) -> None:
    assert is_phantom(text)


@pytest.mark.parametrize(
    "text", ["", "...", "Thank you for the meeting notes.", "谢谢你昨天来接我", "you and me", "Watching the subtitles"]
)
def test_texts_that_only_contain_such_words_are_no_phantoms(text: str) -> None:
    assert not is_phantom(text)


def test_mandarin_and_english_have_their_phantoms() -> None:
    assert len(PHANTOM_PHRASES["zh"]) > 10
    assert len(PHANTOM_PHRASES["en"]) > 10


def test_a_phantom_needs_weak_evidence_to_be_dropped() -> None:
    assert not is_weak(0.05, -0.2, LOUD)
    assert is_weak(0.5, -0.2, LOUD)
    assert is_weak(0.05, -0.8, LOUD)
    assert is_weak(0.05, -0.2, FAINT)
    assert is_weak(0.05, None, LOUD)


def test_a_text_made_of_the_prompt_is_an_echo() -> None:
    assert echoes("张三丰, 达摩院, 丰", "张三丰 达摩院 云计算")
    assert echoes("Quilter", "Kubernetes Quilter")
    assert not echoes("Mr. Quilter", "Kubernetes Quilter")
    assert not echoes("hello", "")
