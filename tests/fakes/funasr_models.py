"""Models that stand in for FunASR's, where FunASR is not installed."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_service.infrastructure.asr.funasr.loading import LoadedModel

VOCABULARY = ("<blank>", "<s>", "</s>", *"零一二三四五六七八九")


class FakeTokenizer:
    """Numbers and tokens of ``VOCABULARY``."""

    def ids2tokens(self, ids: Sequence[int]) -> list[str]:
        return [VOCABULARY[number] for number in ids]


class FakeStreamingNetwork:
    """Hears one token in each chunk: the digit of its loudest sample. Refuses audio that is no whole chunk before the end."""

    def __init__(self) -> None:
        self.heard_samples: list[int] = []

    def inference(self, data_in: Sequence[NDArray[np.float32]], key: Sequence[str], **told: Any) -> tuple[Any, ...]:
        (samples,), chunk = data_in, told["chunk_size"][1] * 960
        assert told["is_final"] or len(samples) % chunk == 0
        self.heard_samples.append(len(samples))
        told["cache"].setdefault("chunks", []).append(len(samples))
        chunks = [samples[start : start + chunk] for start in range(0, len(samples), chunk)]
        told["tokenizer"].ids2tokens([3 + round(float(np.abs(chunk).max()) * 10) % 10 for chunk in chunks])
        return [{"key": key[0], "text": ""}], {}


class FakeOfflineNetwork:
    """Answers with what ``answer`` makes of each utterance and of what it was told; remembers the calls."""

    def __init__(self, answer: Callable[[NDArray[np.float32], dict[str, Any]], dict[str, Any]]) -> None:
        self._answer = answer
        self.calls: list[tuple[int, dict[str, Any]]] = []

    def inference(self, data_in: Sequence[Any], key: Sequence[str], **told: Any) -> tuple[Any, ...]:
        assert len(data_in) == len(key)
        self.calls.append((len(data_in), told))
        return [self._answer(samples, told) for samples in data_in], {}


def loaded(network: Any, architecture: str = "ParaformerStreaming") -> LoadedModel:
    """A fake network as if it had been loaded from a folder."""
    return LoadedModel(architecture, network, {"tokenizer": FakeTokenizer(), "token_list": VOCABULARY, "device": "cpu"})
