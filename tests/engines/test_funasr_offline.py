"""Models for whole utterances beside FunASR itself: batches, punctuation, hotwords, languages and times."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from asr_service.domain.ports.model_store import ModelUnsuitable
from asr_service.domain.ports.recognizer import RecognitionRequest
from asr_service.domain.value_objects.asr_config import Numbers, RecognitionOptions
from asr_service.domain.value_objects.hypothesis import Hypothesis, Timing
from asr_service.infrastructure.asr.funasr.loading import load_model
from asr_service.infrastructure.asr.funasr.punctuation import CtPunctuation
from asr_service.infrastructure.asr.funasr.rich_text import read_rich_text
from asr_service.infrastructure.asr.funasr_adapter import FunAsrEngineFactory
from asr_service.infrastructure.asr.self_test import run_self_test
from tests.engines import tiny_funasr
from tests.fixtures.recognition_requests import recognition_request
from tests.fixtures.sounds import as_pcm, babble

SOUNDS = [as_pcm(babble(1 + seed, seed=seed)) for seed in range(6)]
SENTENCES = (
    "的一是不了人我在有他这为之大来以个中上们到说国和地也子时道出而要于",
    "hello world 你 好 good morning",
    "一",
    "a",
)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the folders of models."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def paraformer(models: Path) -> Path:
    return tiny_funasr.fit_counting(tiny_funasr.build(models / "paraformer", tiny_funasr.PARAFORMER))


@pytest.fixture(scope="module")
def seaco(models: Path) -> Path:
    return tiny_funasr.fit_counting(tiny_funasr.build(models / "seaco", tiny_funasr.SEACO_PARAFORMER))


@pytest.fixture(scope="module")
def sense_voice(models: Path) -> Path:
    return tiny_funasr.build_sense_voice(models / "sense-voice")


@pytest.fixture(scope="module")
def ct_punc(models: Path) -> Path:
    return tiny_funasr.build(models / "ct-punc", tiny_funasr.CT_TRANSFORMER, seed=3, spread=3.0)


def floats(pcm: bytes) -> NDArray[np.float32]:
    return np.frombuffer(pcm, "<i2") * np.float32(1 / 32_768)


def told_by_funasr(
    directory: Path, sounds: Sequence[bytes], *, models: dict[str, str] | None = None, **told: Any
) -> list[Any]:
    """FunASR's results for the sounds, one by one."""
    reference = tiny_funasr.load(directory, **(models or {}))
    results: list[Any] = reference.generate(input=[floats(pcm) for pcm in sounds], **told)
    return results


def requests(sounds: Sequence[bytes], **options: Any) -> list[RecognitionRequest]:
    return [replace(recognition_request(pcm=pcm), options=RecognitionOptions(**options)) for pcm in sounds]


def recognized(directory: Path, batch: Sequence[RecognitionRequest], **more: Any) -> list[Hypothesis]:
    outcomes = FunAsrEngineFactory(directory, "tiny", **more)().recognize(batch)
    assert all(isinstance(outcome, Hypothesis) for outcome in outcomes), outcomes
    return outcomes  # type: ignore[return-value]


def told_apart(texts: Sequence[str]) -> bool:
    return all(texts) and len(set(texts)) == len(texts)


def test_a_batch_of_paraformer_is_what_funasr_says_of_each_alone(paraformer: Path) -> None:
    expected = [result["text"] for result in told_by_funasr(paraformer, SOUNDS)]
    hypotheses = recognized(paraformer, requests(SOUNDS))
    assert [hypothesis.text for hypothesis in hypotheses] == expected
    assert told_apart(expected)
    assert all(hypothesis.timing is Timing.NONE for hypothesis in hypotheses)


def test_paraformer_and_sense_voice_pass_the_self_test(paraformer: Path) -> None:
    run_self_test(FunAsrEngineFactory(paraformer, "tiny")())


def test_finals_have_the_punctuation_that_funasr_gives_them(paraformer: Path, ct_punc: Path) -> None:
    expected = [
        result["text"].strip() for result in told_by_funasr(paraformer, SOUNDS, models={"punc_model": str(ct_punc)})
    ]
    said = [hypothesis.text for hypothesis in recognized(paraformer, requests(SOUNDS), punctuation_directory=ct_punc)]
    assert said == expected
    assert said != [hypothesis.text for hypothesis in recognized(paraformer, requests(SOUNDS))]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_punctuation_is_that_of_funasr(ct_punc: Path, sentence: str) -> None:
    expected = tiny_funasr.load(ct_punc).generate(input=sentence)[0]["text"].strip()
    assert CtPunctuation(load_model(ct_punc)).punctuate(sentence) == expected


def test_seaco_times_its_words_as_funasr_does(seaco: Path) -> None:
    results = told_by_funasr(seaco, SOUNDS)
    hypotheses = recognized(seaco, requests(SOUNDS))
    assert ["".join(result["text"].split()) for result in results] == [
        "".join(hypothesis.text.split()) for hypothesis in hypotheses
    ]
    assert told_apart([hypothesis.text for hypothesis in hypotheses])
    for pcm, result, hypothesis in zip(SOUNDS, results, hypotheses, strict=True):
        assert hypothesis.timing is Timing.ALIGNED
        assert [word.text for word in hypothesis.words] == result["text"].split()
        starts = [min(max(0, round(start * 16)), len(pcm) // 2) for start, _ in result["timestamp"]]
        assert [word.span.start for word in hypothesis.words] == pytest.approx(starts, abs=16)


def test_hotwords_change_what_seaco_says_and_are_those_that_funasr_is_told(seaco: Path) -> None:
    words = ("天", "地 人")
    results = told_by_funasr(seaco, SOUNDS, hotword=" ".join(words))
    hypotheses = recognized(seaco, requests(SOUNDS, hotwords=words))
    assert ["".join(result["text"].split()) for result in results] == [
        "".join(hypothesis.text.split()) for hypothesis in hypotheses
    ]
    assert hypotheses != recognized(seaco, requests(SOUNDS))


def test_capabilities_are_those_of_the_architecture(paraformer: Path, seaco: Path, sense_voice: Path) -> None:
    plain, biased, rich = (
        FunAsrEngineFactory(folder, "tiny")().capabilities for folder in (paraformer, seaco, sense_voice)
    )
    assert (plain.hotwords, plain.word_times, plain.languages) == (False, False, {"zh"})
    assert (biased.hotwords, biased.word_times, biased.languages) == (True, True, {"zh"})
    assert (rich.hotwords, rich.word_times, rich.languages) == (False, True, {"zh", "yue", "en", "ja", "ko"})
    assert not any(capabilities.streaming for capabilities in (plain, biased, rich))


@pytest.mark.parametrize("language", ["zh", "en", None])
@pytest.mark.parametrize("numbers", Numbers)
def test_sense_voice_is_what_funasr_says_without_the_tags(
    sense_voice: Path, language: str | None, numbers: Numbers
) -> None:
    itn = numbers is not Numbers.SPOKEN
    results = told_by_funasr(sense_voice, SOUNDS, language=language or "auto", use_itn=itn)
    hypotheses = recognized(sense_voice, requests(SOUNDS, language=language, numbers=numbers, word_times=False))
    rich = [read_rich_text(result["text"]) for result in results]
    assert [hypothesis.text for hypothesis in hypotheses] == [text.text for text in rich]
    assert any(hypothesis.text for hypothesis in hypotheses)
    assert [hypothesis.language for hypothesis in hypotheses] == [language or text.language for text in rich]


def test_what_sense_voice_is_asked_makes_a_difference(sense_voice: Path) -> None:
    asked = [{"language": "zh"}, {"language": "en"}, {"language": "zh", "numbers": Numbers.SPOKEN}]
    said = [
        [hypothesis.text for hypothesis in recognized(sense_voice, requests(SOUNDS, **options))] for options in asked
    ]
    assert said[0] != said[1]
    assert said[0] != said[2]


def test_a_final_of_sense_voice_is_the_same_with_and_without_times(sense_voice: Path) -> None:
    timed, untimed = (recognized(sense_voice, requests(SOUNDS, word_times=times)) for times in (True, False))
    assert [hypothesis.text for hypothesis in timed] == [hypothesis.text for hypothesis in untimed]


def test_sense_voice_hears_the_same_alone_and_beside_others(sense_voice: Path) -> None:
    engine = FunAsrEngineFactory(sense_voice, "tiny")()
    batch = requests(SOUNDS, word_times=False)
    assert engine.recognize(batch) == [outcome for request in batch for outcome in engine.recognize([request])]


def test_a_model_for_another_purpose_is_refused(ct_punc: Path) -> None:
    with pytest.raises(ModelUnsuitable, match="CTTransformer"):
        FunAsrEngineFactory(ct_punc, "ct-punc")()
