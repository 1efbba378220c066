"""How settings become a directory of lineups, and what their workers share."""

from typing import Any

import pytest

from asr_service import lineups
from asr_service.domain.value_objects.asr_config import PartialPolicy
from asr_service.infrastructure.asr.pool_sizing import Hardware
from asr_service.infrastructure.asr.recognizer_load import RecognizerLoad
from asr_service.infrastructure.config.problems import InvalidSettings
from asr_service.infrastructure.config.sections import RecognizerSettings
from asr_service.infrastructure.config.settings import Settings
from asr_service.infrastructure.monitoring.metrics import Metrics
from asr_service.lineups import SharedWorkers, make_directory, make_load
from tests.fakes.clocks import FakeClock

NO_STORE: Any = None


@pytest.mark.parametrize("name", ["whisper-1", "gpt-4o-transcribe", "gpt-realtime"])
def test_a_name_that_clients_mean_any_model_by_is_refused(name: str) -> None:
    settings = Settings(lineups={"named": {name: {"model": "whisper-tiny.en"}}})  # type: ignore[arg-type]
    metrics = Metrics()
    with pytest.raises(InvalidSettings, match=name):
        make_directory(settings, NO_STORE, metrics, make_load(settings, metrics))


class WatchedLoad(RecognizerLoad):
    """Tells how many workers it reckons with."""

    def __init__(self) -> None:
        super().__init__(1, FakeClock(), PartialPolicy())
        self.sizes: list[int] = []

    def resize(self, workers: int) -> None:
        super().resize(workers)
        self.sizes.append(workers)


def test_the_load_is_that_of_workers_that_can_work_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lineups, "find_hardware", lambda _device: Hardware(cpus=4.0))
    load = WatchedLoad()
    shared = SharedWorkers(load, RecognizerSettings())
    shared.joined("default", 3)
    shared.joined("fast", 3)
    shared.left("default")
    shared.left("fast")
    assert load.sizes == [3, 4, 3, 1]


def test_where_a_server_recognizes_the_load_is_of_its_places() -> None:
    at_server = Settings(
        recognizer={"remote": "main"},  # type: ignore[arg-type]
        remote={"url": "ws://127.0.0.1:10095", "at_once": 7},  # type: ignore[arg-type]
    )
    metrics = Metrics()
    assert make_load(at_server, metrics).of_newcomer < make_load(Settings(), metrics).of_newcomer
