"""What is opened for whom."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from asr_service import bootstrap
from asr_service.bootstrap import Engines, open_decoder, open_transcriber
from asr_service.infrastructure.config.settings import Settings
from asr_service.infrastructure.monitoring.metrics import Metrics
from tests.fakes.recognizer_directory import FakeRecognizerDirectory
from tests.fakes.recognizers import FakeRecognizer
from tests.fakes.voice_activity import EnergyVoiceActivity


async def test_for_recordings_no_model_for_partials_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Settings] = []

    @asynccontextmanager
    async def open_engines(settings: Settings, metrics: Metrics) -> AsyncIterator[Engines]:
        opened.append(settings)
        yield Engines(open_decoder(settings), EnergyVoiceActivity(), FakeRecognizerDirectory(FakeRecognizer()))

    monkeypatch.setattr(bootstrap, "open_engines", open_engines)
    recognizer = {"partials_model": "whisper-tiny.en", "fallback_model": "whisper-tiny.en", "beam_size": 2}
    async with open_transcriber(Settings(recognizer=recognizer)):  # type: ignore[arg-type]
        (settings,) = opened
    assert settings.recognizer.partials_model == ""
    assert (settings.recognizer.fallback_model, settings.recognizer.beam_size) == ("whisper-tiny.en", 2)
