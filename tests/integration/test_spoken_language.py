"""A conversation in two languages, heard by the real engine: Mandarin, a doubtful sound, English, Mandarin."""

from itertools import count
from pathlib import Path

import pytest

from asr_service.domain.entities.audio_session import AudioSession
from asr_service.domain.events.recognition_events import UtteranceFinalized
from asr_service.domain.ports.voice_activity import WINDOW_BYTES
from asr_service.domain.services.spoken_language import SURE_OF_LANGUAGE
from asr_service.domain.value_objects.asr_config import PartialPolicy, SessionConfig
from asr_service.domain.value_objects.caller import LOCAL_CALLER
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.infrastructure.artifacts.recordings import Recording
from asr_service.infrastructure.asr.faster_whisper_adapter import FasterWhisperEngine, FasterWhisperEngineFactory
from tests.fixtures.recordings import pcm_of
from tests.fixtures.spoken_text import error_rate

PAUSE_WINDOWS = 32  # 1 s
# A part of a Mandarin recording that is taken for another language when it is heard alone: its name, start and length.
DOUBTFUL = ("jishu", 0, 9_728)


@pytest.fixture(scope="module")
def engine(whisper_base_directory: Path) -> FasterWhisperEngine:
    """Without random texts: what is heard is the same in every run."""
    return FasterWhisperEngineFactory(whisper_base_directory, "whisper-base", beam_size=1, fallback_temperatures=())()


def converse(engine: FasterWhisperEngine, *parts: bytes) -> list[Hypothesis]:
    """Speaks the parts to a session that hears exactly where they are; the last request is always answered first."""
    ids = count()
    config = SessionConfig(partials=PartialPolicy(enabled=False))
    session = AudioSession("ses_1", LOCAL_CALLER, config, new_request_id=lambda: f"rec_{next(ids)}")
    session.open(0.0)
    for part in (*parts, b""):
        windows = -(-len(part) // WINDOW_BYTES)
        session.audio_received(bytes(PAUSE_WINDOWS * WINDOW_BYTES) + part.ljust(windows * WINDOW_BYTES, b"\0"))
        session.take_windows()
        session.voice_observed([0.0] * PAUSE_WINDOWS + [1.0] * windows)
    session.end_input()
    waiting = session.take_requests()
    while waiting:
        request = waiting.pop()
        (outcome,) = engine.recognize([request])
        assert isinstance(outcome, Hypothesis)
        session.recognized(request.request_id, outcome)
        waiting += session.take_requests()
    return [event.hypothesis for event in session.take_events() if isinstance(event, UtteranceFinalized)]


def test_a_doubtful_sound_does_not_change_the_language_and_a_sure_one_does(
    engine: FasterWhisperEngine, recordings: list[Recording]
) -> None:
    clips = {(recording.language, recording.path.stem): recording for recording in recordings}
    long_mandarin, mandarin = clips["zh", "pangrama"], clips["zh", "nihao_shijie"]
    english = clips["en", "quick_brown_fox"]
    name, start, samples = DOUBTFUL
    sound = pcm_of(clips["zh", name].path)[2 * start : 2 * (start + samples)]

    (alone,) = converse(engine, sound)
    assert alone.text
    assert alone.language != "zh"
    assert alone.language_confidence is not None
    assert alone.language_confidence < SURE_OF_LANGUAGE

    heard = converse(engine, pcm_of(long_mandarin.path), sound, pcm_of(english.path), pcm_of(mandarin.path))
    assert [hypothesis.language for hypothesis in heard] == ["zh", "zh", "en", "zh"]
    assert [hypothesis.language_confidence is None for hypothesis in heard] == [False, True, False, False]
    assert error_rate(english.reference, heard[2].text, "en") == 0
    assert error_rate(mandarin.reference, heard[3].text, "zh") == 0
