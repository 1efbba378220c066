"""FunASR's models keep the promises of every engine. A model is a line in ``CASES``."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from asr_service.infrastructure.asr.funasr_adapter import FunAsrEngineFactory
from tests.contract.engine_contract import *  # noqa: F403 - the suite
from tests.contract.engine_contract import EngineCase, pooled
from tests.engines import tiny_funasr
from tests.fixtures.sounds import as_pcm, babble


def tiny(folder: Path, configuration: Mapping[str, Any], *, workers: int = 1) -> EngineCase:
    tiny_funasr.fit_counting(tiny_funasr.build(folder, configuration, tokens=tiny_funasr.CHINESE_TOKENS))
    factory = FunAsrEngineFactory(folder, "tiny")
    return EngineCase(pooled(factory, workers=workers), as_pcm(babble(4, seed=1)), "zh", hotwords=("天", "地"))


CASES: dict[str, Callable[[Path], EngineCase]] = {
    "streaming": lambda folder: tiny(folder, tiny_funasr.PARAFORMER_STREAMING),
    "streaming, two workers": lambda folder: tiny(folder, tiny_funasr.PARAFORMER_STREAMING, workers=2),
    "paraformer": lambda folder: tiny(folder, tiny_funasr.PARAFORMER),
    "seaco": lambda folder: tiny(folder, tiny_funasr.SEACO_PARAFORMER),
}


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> EngineCase:
    return CASES[request.param](tmp_path_factory.mktemp("models") / "tiny")
