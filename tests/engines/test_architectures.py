"""The table of architectures against sherpa-onnx as it is installed: every loader is there, and takes what it is given."""

import inspect

import pytest
import sherpa_onnx

from asr_service.infrastructure.asr.sherpa.architectures import ARCHITECTURES


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_sherpa_onnx_has_the_loader_and_its_arguments(name: str) -> None:
    architecture = ARCHITECTURES[name]
    recognizer = sherpa_onnx.OnlineRecognizer if architecture.streaming else sherpa_onnx.OfflineRecognizer
    given = {*architecture.parts, *architecture.options, "tokens", "num_threads", "provider"}
    if architecture.tells_language:
        given.add("language")
    if architecture.beam:
        given |= {"decoding_method", "max_active_paths", "modeling_unit", "bpe_vocab"}
    taken = inspect.signature(getattr(recognizer, architecture.loader)).parameters
    assert given - set(taken) == set()
    needed = {each.name for each in taken.values() if each.default is inspect.Parameter.empty}
    assert needed - given == set()
