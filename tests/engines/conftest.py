"""Models for the tests of engines: real ones from the catalogue, and tiny ones that are made here."""

from pathlib import Path

import pytest

from asr_service.bootstrap import open_model_store
from asr_service.domain.ports.model_store import RecognitionModel
from asr_service.infrastructure.config.settings import Settings
from tests.engines.tiny_models import write_ctc, write_streaming_transducer, write_transducer


@pytest.fixture(scope="session")
def moonshine(service_settings: Settings) -> RecognitionModel:
    """Moonshine tiny for English, from the catalogue."""
    store = open_model_store(service_settings)
    store.pull("moonshine-tiny-en", lambda _progress: None)
    return store.recognition_model("moonshine-tiny-en")


@pytest.fixture(scope="session")
def streaming_transducer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny streaming transducer."""
    return write_streaming_transducer(tmp_path_factory.mktemp("streaming-transducer"))


@pytest.fixture(scope="session")
def transducer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny transducer."""
    return write_transducer(tmp_path_factory.mktemp("transducer"))


@pytest.fixture(scope="session")
def ctc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with CTC."""
    return write_ctc(tmp_path_factory.mktemp("ctc"))
