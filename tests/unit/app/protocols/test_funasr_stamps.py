"""Word times as FunASR's html5 client counts them."""

import pytest

from asr_service.app.api.v1.websocket.protocols.funasr_stamps import stamped_sentences, stamps
from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.hypothesis import Hypothesis, Timing, Word


def _hypothesis(text: str, *words: tuple[str, int, int]) -> Hypothesis:
    timed = tuple(Word(word, SampleSpan(start * 16, end * 16)) for word, start, end in words)
    return Hypothesis(text, timed, Timing.ALIGNED)


@pytest.mark.parametrize(
    ("hypothesis", "expected"),
    [
        (_hypothesis("go on", ("go", 0, 200), ("on", 200, 300)), [(0, 200), (200, 300)]),
        (_hypothesis("今天", ("今天", 0, 200)), [(0, 100), (100, 200)]),
        (_hypothesis("don't", ("don't", 0, 500)), [(0, 100), (100, 200), (200, 300), (300, 400), (400, 500)]),
        (_hypothesis("3.14", ("3.14", 0, 400)), [(0, 100), (200, 300), (300, 400)]),
        (_hypothesis("𠮷", ("𠮷", 0, 100)), [(0, 100), (0, 100)]),  # two units of UTF-16
        (_hypothesis("OK好", ("OK", 0, 200), ("好", 200, 300)), [(0, 100), (100, 200), (200, 300)]),
        # What no word covers has no length; what is between two words stays between them.
        (_hypothesis("啊 好 吧", ("好", 100, 200)), [(100, 100), (100, 200), (200, 200)]),
        (_hypothesis("一二", ("一", 0, 50), ("", 50, 60), ("二", 60, 80)), [(0, 50), (60, 80)]),
    ],
)
def test_there_is_a_stamp_for_each_thing_that_is_looked_up(
    hypothesis: Hypothesis, expected: list[tuple[int, int]]
) -> None:
    assert stamps(hypothesis) == expected


@pytest.mark.parametrize(
    "hypothesis", [_hypothesis("今天"), _hypothesis("今天", ("", 0, 100)), _hypothesis("今天", ("明天", 0, 100))]
)
def test_without_times_that_fit_there_are_none(hypothesis: Hypothesis) -> None:
    assert stamps(hypothesis) is None
    assert stamped_sentences(hypothesis) is None


def test_punctuation_alone_has_no_stamp() -> None:
    assert stamps(_hypothesis("。？", ("。？", 0, 100))) == []
    assert stamped_sentences(_hypothesis("。？", ("。？", 0, 100))) == []


def test_sentences_end_where_punctuation_is() -> None:
    hypothesis = _hypothesis(
        "好，go on。再见", ("好，", 0, 200), ("go", 200, 300), ("on。", 300, 500), ("再见", 600, 800)
    )
    assert stamped_sentences(hypothesis) == [
        {"text_seg": "好", "punc": "，", "start": 0, "end": 100, "ts_list": [(0, 100)]},
        {"text_seg": "go on", "punc": "。", "start": 200, "end": 433, "ts_list": [(200, 300), (300, 433)]},
        {"text_seg": "再 见", "punc": "", "start": 600, "end": 800, "ts_list": [(600, 700), (700, 800)]},
    ]
