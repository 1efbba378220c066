"""The engine around FunASR's models: what is refused, what is not even asked, and what becomes of a text."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from asr_service.domain.ports.model_store import ModelMissing, ModelUnsuitable
from asr_service.domain.ports.recognizer import EngineNotInstalled, RecognitionKind
from asr_service.domain.value_objects.asr_config import RecognitionOptions, Task
from asr_service.domain.value_objects.hypothesis import Hypothesis, Timing
from asr_service.infrastructure.asr.engine import EngineFailure
from asr_service.infrastructure.asr.funasr.hearing import Heard, Traits, Utterance
from asr_service.infrastructure.asr.funasr.loading import load_model
from asr_service.infrastructure.asr.funasr.punctuation import CtPunctuation
from asr_service.infrastructure.asr.funasr.timed_words import TimedPiece
from asr_service.infrastructure.asr.funasr_adapter import MAX_SECONDS, FunAsrEngine
from tests.fakes.funasr_models import FakeOfflineNetwork, loaded
from tests.fixtures.recognition_requests import recognition_request

PIECES = (TimedPiece("你", 0, 400), TimedPiece("好", 400, 800))
GREETING = Heard("你好", pieces=PIECES)
MANDARIN = Traits(frozenset({"zh"}), word_times=True)


class FakeHearing:
    """Hears the same in everything."""

    def __init__(self, heard: Heard, traits: Traits = MANDARIN) -> None:
        self.traits = traits
        self._heard = heard
        self.asked: list[Utterance] = []

    def hear(self, utterances: Sequence[Utterance]) -> list[Heard]:
        self.asked.extend(utterances)
        return [self._heard for _ in utterances]


def engine(heard: Heard = GREETING, **kept: Any) -> FunAsrEngine:
    return FunAsrEngine("paraformer-zh", FakeHearing(heard), **kept)


def stops() -> CtPunctuation:
    """Punctuation that ends every text with a full stop."""
    return CtPunctuation(loaded(FakeOfflineNetwork(lambda text, _: {"text": f"{text}。"}), "CTTransformer"))


def recognized(engine: FunAsrEngine, **asked: Any) -> Hypothesis:
    (outcome,) = engine.recognize([recognition_request(**asked)])
    assert isinstance(outcome, Hypothesis)
    return outcome


def test_it_says_what_its_model_can_do() -> None:
    traits = Traits(frozenset({"zh"}), word_times=True, hotwords=True, spoken_numbers=True, streaming=True)
    capabilities = FunAsrEngine("paraformer-zh", FakeHearing(Heard(""), traits)).capabilities
    assert (capabilities.engine, capabilities.model) == ("funasr", "paraformer-zh")
    assert capabilities.languages == {"zh"}
    assert capabilities.word_times
    assert capabilities.hotwords
    assert capabilities.spoken_numbers
    assert capabilities.streaming
    assert not capabilities.prompt
    assert not capabilities.translation


def test_a_final_has_punctuation_and_times() -> None:
    hypothesis = recognized(engine(punctuation=stops()))
    assert hypothesis.text == "你好。"
    assert [(word.text, word.span.start, word.span.end) for word in hypothesis.words] == [
        ("你", 0, 6_400),
        ("好。", 6_400, 12_800),
    ]
    assert hypothesis.timing is Timing.ALIGNED
    assert hypothesis.language == "zh"


def test_a_partial_has_neither() -> None:
    hypothesis = recognized(engine(punctuation=stops()), kind=RecognitionKind.PARTIAL)
    assert hypothesis == Hypothesis("你好", language="zh")


def test_what_is_punctuated_is_left_alone() -> None:
    assert recognized(engine(Heard("你好！", punctuated=True), punctuation=stops())).text == "你好！"


def test_times_that_nobody_wants_are_not_told() -> None:
    hypothesis = recognized(engine(), options=RecognitionOptions(word_times=False))
    assert hypothesis.words == ()
    assert hypothesis.timing is Timing.NONE


@pytest.mark.parametrize(
    ("given", "heard", "expected"), [(None, None, None), (None, "en", "en"), ("yue", None, "yue"), ("yue", "en", "yue")]
)
def test_the_language_is_the_one_given_else_the_one_heard(given: str | None, heard: str | None, expected: str) -> None:
    several = FakeHearing(Heard("text", heard), Traits(frozenset({"zh", "en", "yue"})))
    assert recognized(FunAsrEngine("sense-voice", several), language=given).language == expected


def test_what_cannot_be_recognized_is_refused_and_the_rest_is_not() -> None:
    hearing = FakeHearing(Heard("你好"))
    batch = [
        recognition_request(language="en"),
        recognition_request(),
        recognition_request(task=Task.TRANSLATE),
        recognition_request(seconds=MAX_SECONDS + 0.1),
        replace(recognition_request(), pcm=b"odd"),
        recognition_request(language="zh"),
    ]
    outcomes = FunAsrEngine("paraformer-zh", hearing).recognize(batch)
    failed = [isinstance(outcome, EngineFailure) for outcome in outcomes]
    assert failed == [True, False, True, True, True, False]
    assert len(hearing.asked) == 2


@pytest.mark.parametrize("pcm", [b"", b"\x01\x00", bytes(64_000), b"\x10\x27" * 399])
def test_what_is_too_short_or_inaudible_is_not_even_asked_for(pcm: bytes) -> None:
    hearing = FakeHearing(Heard("嗯"))
    (outcome,) = FunAsrEngine("paraformer-zh", hearing).recognize([recognition_request(pcm=pcm)])
    assert outcome == Hypothesis("")
    assert hearing.asked == []


def test_a_batch_that_needs_no_model_does_not_wake_it() -> None:
    assert engine().recognize([]) == []


def test_samples_are_told_with_full_scale_at_one() -> None:
    hearing = FakeHearing(Heard(""))
    FunAsrEngine("paraformer-zh", hearing).recognize([recognition_request(pcm=b"\x00\x80" * 400 + b"\x00\x40" * 400)])
    samples = hearing.asked[0].samples
    assert samples.dtype.name == "float32"
    assert (samples[0], samples[-1]) == (-1.0, 0.5)


@pytest.mark.parametrize("text", ["", "  "])
def test_nothing_has_no_punctuation(text: str) -> None:
    assert stops().punctuate(text) == ""


def test_a_text_is_never_an_address() -> None:
    network = FakeOfflineNetwork(lambda text, _: {"text": str(text.startswith("http"))})
    assert CtPunctuation(loaded(network, "CTTransformer")).punctuate("http://localhost/") == "False"


def test_punctuation_comes_from_a_model_of_it() -> None:
    with pytest.raises(ModelUnsuitable):
        CtPunctuation(loaded(FakeOfflineNetwork(lambda text, _: {"text": text}), "Paraformer"))


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").touch()
    with pytest.raises(ModelMissing, match=str(tmp_path)):
        load_model(tmp_path)


def test_a_missing_package_is_named_with_the_command_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("config.yaml", "model.pt"):
        (tmp_path / name).touch()
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(EngineNotInstalled, match="torch") as caught:
        load_model(tmp_path)
    assert "pip install" in (caught.value.hint or "")
