"""What is said to FunASR's models for whole utterances, and how their answers are read."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from asr_service.domain.ports.recognizer import RecognitionKind
from asr_service.domain.value_objects.asr_config import Numbers, RecognitionOptions
from asr_service.infrastructure.asr.funasr.hearing import Heard, Utterance
from asr_service.infrastructure.asr.funasr.offline import (
    OfflineHearing,
    ParaformerDialect,
    SenseVoiceDialect,
    hotword_line,
)
from asr_service.infrastructure.asr.funasr.timed_words import TimedPiece
from tests.fakes.funasr_models import FakeOfflineNetwork, loaded
from tests.fixtures.recognition_requests import recognition_request

SENSE_VOICE = "<|en|><|NEUTRAL|><|Speech|><|withitn|>At 9."


def utterance(number: int = 1, *, kind: RecognitionKind = RecognitionKind.FINAL, **options: Any) -> Utterance:
    """As many samples as its number, to tell it from others."""
    request = recognition_request(kind=kind, options=RecognitionOptions(**options))
    return Utterance(request, np.zeros(number, np.float32))


def by_length(samples: NDArray[np.float32], told: dict[str, Any]) -> dict[str, Any]:
    return {"text": f"{len(samples)} "}


def test_utterances_that_ask_for_the_same_are_heard_together_and_answered_in_order() -> None:
    network = FakeOfflineNetwork(by_length)
    hearing = OfflineHearing(loaded(network, "SenseVoiceSmall"), SenseVoiceDialect())
    batch = [utterance(1), utterance(2, language="ja"), utterance(3), utterance(4, language="ja")]
    assert [heard.text for heard in hearing.hear(batch)] == ["1", "2", "3", "4"]
    assert [(size, told["language"]) for size, told in network.calls] == [(2, "auto"), (2, "ja")]


def test_paraformer_hears_only_utterances_of_one_length_together() -> None:
    network = FakeOfflineNetwork(by_length)
    model = loaded(network, "SeacoParaformer")
    hearing = OfflineHearing(model, ParaformerDialect(model, hotwords=True))
    batch = [utterance(1), utterance(2), utterance(1), utterance(1, hotwords=("魔搭",))]
    assert [heard.text for heard in hearing.hear(batch)] == ["1", "2", "1", "1"]
    assert [(size, told.get("hotword")) for size, told in network.calls] == [(2, None), (1, None), (1, " 魔搭 ")]


def test_hotwords_are_for_models_that_take_them() -> None:
    model = loaded(FakeOfflineNetwork(by_length), "Paraformer")
    assert ParaformerDialect(model).choices(utterance(hotwords=("魔搭",))) == {}


@pytest.mark.parametrize("word", ["http://localhost/words.txt", "words.txt", "https://x"])
def test_hotwords_are_no_address_and_no_file(word: str) -> None:
    line = hotword_line([word])
    assert not line.startswith("http")
    assert not line.endswith(".txt")
    assert line.split() == [word]


def test_no_token_in_the_whole_batch_is_an_empty_text_for_each() -> None:
    class Wordless:
        def inference(self, **told: Any) -> list[Any]:
            return []

    model = loaded(Wordless(), "Paraformer")
    assert OfflineHearing(model, ParaformerDialect(model)).hear([utterance(), utterance()]) == [Heard(""), Heard("")]


def test_words_with_times_are_put_together_to_a_text() -> None:
    model = loaded(FakeOfflineNetwork(by_length))
    dialect = ParaformerDialect(model, word_times=True)
    heard = dialect.read({"text": "你 好 hello", "timestamp": [[0, 90], [90, 180], [200, 500]]}, {})
    assert heard == Heard(
        "你好hello", pieces=(TimedPiece("你", 0, 90), TimedPiece("好", 90, 180), TimedPiece("hello", 200, 500))
    )
    assert dialect.read({"text": "你 好", "timestamp": [[0, 90]]}, {}) == Heard("你好")


@pytest.mark.parametrize(
    ("options", "language", "itn"),
    [
        ({}, "auto", True),
        ({"language": "yue"}, "yue", True),
        ({"numbers": Numbers.SPOKEN}, "auto", False),
        ({"likely_languages": ("ja",)}, "ja", True),
        ({"likely_languages": ("ja", "en")}, "auto", True),
    ],
)
def test_sense_voice_is_told_language_and_numbers(options: dict[str, Any], language: str, itn: bool) -> None:
    choices = SenseVoiceDialect().choices(utterance(**options))
    assert (choices["language"], choices["use_itn"]) == (language, itn)


@pytest.mark.parametrize(
    ("kind", "wanted", "expected"),
    [
        (RecognitionKind.FINAL, True, True),
        (RecognitionKind.FINAL, False, False),
        (RecognitionKind.PARTIAL, True, False),
    ],
)
def test_times_are_for_finals_that_ask_for_them(kind: RecognitionKind, wanted: bool, expected: bool) -> None:
    assert SenseVoiceDialect().choices(utterance(kind=kind, word_times=wanted))["output_timestamp"] is expected


def test_sense_voice_is_read_without_its_tags() -> None:
    dialect = SenseVoiceDialect()
    result = {"text": SENSE_VOICE, "words": ["At", "9"], "timestamp": [[0, 300], [300, 600]]}
    heard = dialect.read(result, dialect.choices(utterance()))
    assert heard == Heard("At 9.", "en", (TimedPiece("At", 0, 300), TimedPiece("9", 300, 600)), punctuated=True)
    spoken = dialect.read({"text": SENSE_VOICE}, dialect.choices(utterance(language="zh", numbers=Numbers.SPOKEN)))
    assert spoken == Heard("At 9.", "zh")


def test_a_text_that_cannot_be_aligned_is_told_without_times() -> None:
    def unalignable(samples: NDArray[np.float32], told: dict[str, Any]) -> dict[str, Any]:
        if told["output_timestamp"]:
            raise IndexError("list index out of range")
        return {"text": SENSE_VOICE}

    network = FakeOfflineNetwork(unalignable)
    hearing = OfflineHearing(loaded(network, "SenseVoiceSmall"), SenseVoiceDialect())
    assert hearing.hear([utterance()]) == [Heard("At 9.", "en", punctuated=True)]
    assert len(network.calls) == 2


def test_a_model_that_fails_without_times_too_fails() -> None:
    def broken(samples: NDArray[np.float32], told: dict[str, Any]) -> dict[str, Any]:
        raise RuntimeError("no memory")

    hearing = OfflineHearing(loaded(FakeOfflineNetwork(broken), "SenseVoiceSmall"), SenseVoiceDialect())
    with pytest.raises(RuntimeError):
        hearing.hear([utterance()])
    with pytest.raises(RuntimeError):
        hearing.hear([utterance(word_times=False)])
