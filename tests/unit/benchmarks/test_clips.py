"""How texts are compared with what was said."""

from pathlib import Path

from scripts.benchmarks.clips import Clip, error_percent_of_all, errors_by_group

CLIPS = [
    Clip("a", Path("a.wav"), "en", "four words are said", 2.0),
    Clip("b", Path("b.wav"), "zh", "我们说六个字", 2.0),
]


def test_each_language_has_its_own_rate() -> None:
    texts = {"a": "Four words are SAID!", "b": "我們說六個子。"}
    assert errors_by_group(CLIPS, texts) == {"en": 0.0, "zh": 16.67}


def test_over_all_a_character_counts_as_much_as_a_word() -> None:
    assert error_percent_of_all(CLIPS, {"a": "four words are sad", "b": "我们说六个"}) == 20.0
