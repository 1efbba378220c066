"""The inside of the process that tells speakers apart, with a module in place of sherpa-onnx."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from asr_service.infrastructure.asr.sherpa import diarization_process
from asr_service.infrastructure.asr.sherpa.diarization_process import DiarizationPlan, answer_to_plan

PLAN = DiarizationPlan(Path("segmentation.onnx"), Path("campplus.onnx"), num_speakers=3, threshold=0.7, threads=2)
SAMPLES = np.full(32_000, 16_384, dtype="<i2")


@dataclass
class Segment:
    """As sherpa-onnx gives them, in seconds."""

    start: float
    end: float
    speaker: int


class Found:
    """A result of sherpa-onnx."""

    def __init__(self, *segments: Segment) -> None:
        self._segments = segments

    def sort_by_start_time(self) -> list[Segment]:
        return sorted(self._segments, key=lambda segment: segment.start)


class Config(SimpleNamespace):
    """What a configuration was made of; it is valid."""

    def validate(self) -> bool:
        return True


class Refused(Config):
    def validate(self) -> bool:
        return False


class Diarization:
    """Finds two turns; the second one ends in what the audio was filled up with."""

    sample_rate = 16_000
    configs: list[Config] = []  # noqa: RUF012 - of the test
    heard: list[NDArray[np.float32]] = []  # noqa: RUF012 - of the test

    def __init__(self, config: Config) -> None:
        self.configs.append(config)

    def process(self, samples: NDArray[np.float32], callback: Callable[[int, int], int]) -> Found:
        assert callback(1, 2) == 0
        self.heard.append(samples)
        return Found(Segment(1.25, 2.5, 4), Segment(-0.001, 1.0, 1), Segment(2.0, 2.4, 1))


class AnotherRate(Diarization):
    sample_rate = 8_000


class Unloadable(Diarization):
    def __init__(self, config: Config) -> None:
        raise RuntimeError("Protobuf parsing failed.")


class Failing(Diarization):
    def process(self, samples: NDArray[np.float32], callback: Callable[[int, int], int]) -> Found:
        raise RuntimeError("Non-zero status code.")


class Orphaned(Diarization):
    def process(self, samples: NDArray[np.float32], callback: Callable[[int, int], int]) -> Found:
        callback(1, 2)
        raise AssertionError("it went on without its parent")


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def install(diarization: type[Diarization] = Diarization, config: type[Config] = Config) -> None:
        module = SimpleNamespace(
            OfflineSpeakerDiarization=diarization,
            OfflineSpeakerDiarizationConfig=config,
            OfflineSpeakerSegmentationModelConfig=Config,
            OfflineSpeakerSegmentationPyannoteModelConfig=Config,
            SpeakerEmbeddingExtractorConfig=Config,
            FastClusteringConfig=Config,
        )
        monkeypatch.setitem(sys.modules, "sherpa_onnx", module)  # type: ignore[arg-type]
        monkeypatch.setattr(Diarization, "configs", [])
        monkeypatch.setattr(Diarization, "heard", [])

    return install


def _answer(plan: DiarizationPlan = PLAN) -> dict[str, Any]:
    return answer_to_plan(plan, lambda: SAMPLES)


def test_turns_are_samples_within_the_audio(install: Callable[..., None]) -> None:
    install()
    assert _answer() == {"turns": [(0, 16_000, 1), (20_000, 32_000, 4)]}
    (heard,) = Diarization.heard
    assert (heard.dtype, len(heard), heard[0]) == (np.float32, 32_000, 0.5)


@pytest.mark.parametrize(("num_speakers", "clusters"), [(3, 3), (0, -1)])
def test_the_plan_is_what_the_models_are_loaded_by(
    install: Callable[..., None], num_speakers: int, clusters: int
) -> None:
    install()
    _answer(DiarizationPlan(PLAN.segmentation, PLAN.embedding, num_speakers, 0.7, 2))
    (config,) = Diarization.configs
    assert config.segmentation == Config(pyannote=Config(model="segmentation.onnx"), num_threads=2)
    assert config.embedding == Config(model="campplus.onnx", num_threads=2)
    assert config.clustering == Config(num_clusters=clusters, threshold=0.7)


@pytest.mark.parametrize(
    ("diarization", "config", "code", "part"),
    [
        (Diarization, Refused, "model_unsuitable", "does not take"),
        (Unloadable, Config, "model_unsuitable", "Protobuf"),
        (AnotherRate, Config, "model_unsuitable", "want 8000 Hz"),
        (Failing, Config, "diarization_failed", "Non-zero"),
    ],
)
def test_what_is_wrong_is_told_and_not_raised(
    install: Callable[..., None], diarization: type[Diarization], config: type[Config], code: str, part: str
) -> None:
    install(diarization, config)
    error = _answer()["error"]
    assert error["code"] == code
    assert part in error["message"]
    assert code != "model_unsuitable" or "speakers.segmentation_model" in error["hint"]


def test_without_sherpa_onnx_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sherpa_onnx", None)
    with pytest.raises(ModuleNotFoundError):
        import sherpa_onnx  # noqa: F401, PLC0415 - it is not there
    error = _answer()["error"]
    assert error["code"] == "engine_not_installed"
    assert "asr-service[server,sherpa]" in error["hint"]


def test_without_its_parent_it_ends(install: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(code: int) -> None:
        raise SystemExit(code)

    parents = iter((1_000, 1))
    install(Orphaned)
    monkeypatch.setattr(diarization_process.os, "getppid", lambda: next(parents))
    monkeypatch.setattr(diarization_process.os, "_exit", leave)
    with pytest.raises(SystemExit):
        _answer()


def test_a_plan_comes_back_from_its_text() -> None:
    assert DiarizationPlan.from_json(PLAN.to_json()) == PLAN


STAND_IN = """
import os
class Settings:
    def __init__(self, **fields): pass
    def validate(self): return True
OfflineSpeakerSegmentationModelConfig = OfflineSpeakerSegmentationPyannoteModelConfig = Settings
SpeakerEmbeddingExtractorConfig = FastClusteringConfig = OfflineSpeakerDiarizationConfig = Settings
class OfflineSpeakerDiarization:
    sample_rate = 16_000
    def __init__(self, config): os.write(1, b"printed by a library")
    def process(self, samples, callback):
        assert callback(1, 1) == 0
        return self
    def sort_by_start_time(self): return []
"""


def test_only_the_answer_is_written_to_standard_output(tmp_path: Path) -> None:
    (tmp_path / "sherpa_onnx.py").write_text(STAND_IN)
    (tmp_path / "audio").write_bytes(SAMPLES.tobytes())
    with (tmp_path / "audio").open("rb") as audio:
        done = subprocess.run(
            [sys.executable, "-m", diarization_process.__name__, PLAN.to_json()],
            stdin=audio,
            capture_output=True,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            check=True,
        )
    assert json.loads(done.stdout) == {"turns": []}
    assert done.stderr == b"printed by a library"
