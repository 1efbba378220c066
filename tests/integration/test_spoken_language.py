"""A conversation in two languages, heard by the real engine: Mandarin, of which one utterance is mistaken, and English."""

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
# Which sounds a model takes for another language changes with the processor: so one detection is spoiled by hand.
MISTAKEN = Hypothesis(text="クック", language="ja", language_confidence=SURE_OF_LANGUAGE / 2, average_logprob=-1.0)


@pytest.fixture(scope="module")
def engine(whisper_base_directory: Path) -> FasterWhisperEngine:
    """Without random texts: what is heard is the same in every run."""
    return FasterWhisperEngineFactory(whisper_base_directory, "whisper-base", beam_size=1, fallback_temperatures=())()


def converse(engine: FasterWhisperEngine, *parts: bytes, mistaken: int) -> list[Hypothesis]:
    """Speaks the parts to a session that hears exactly where they are; the last request is always answered first.

    When the language of the utterance ``mistaken`` is detected, ``MISTAKEN`` comes of it.
    """
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
        if request.utterance == mistaken and request.options.language is None:
            outcome = MISTAKEN
        session.recognized(request.request_id, outcome)
        waiting += session.take_requests()
    return [event.hypothesis for event in session.take_events() if isinstance(event, UtteranceFinalized)]


def test_a_mistaken_detection_does_not_change_the_language_and_a_sure_one_does(
    engine: FasterWhisperEngine, recordings: list[Recording]
) -> None:
    clips = {(recording.language, recording.path.stem): recording for recording in recordings}
    mandarin, greeting = clips["zh", "pangrama"], clips["zh", "nihao_shijie"]
    english = clips["en", "quick_brown_fox"]

    heard = converse(engine, *(pcm_of(clip.path) for clip in (mandarin, greeting, english, greeting)), mistaken=1)

    assert [hypothesis.language for hypothesis in heard] == ["zh", "zh", "en", "zh"]
    assert [hypothesis.language_confidence is None for hypothesis in heard] == [False, True, False, False]
    for hypothesis, clip in zip(heard[1:], (greeting, english, greeting), strict=True):
        assert error_rate(clip.reference, hypothesis.text, clip.language) == 0
