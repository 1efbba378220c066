import pytest

from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.domain.value_objects.transcript import TranscribedUtterance, Transcript, join_texts


@pytest.mark.parametrize(
    ("texts", "joined"),
    [
        ([], ""),
        ([""], ""),
        (["one"], "one"),
        (["one.", "Two."], "one. Two."),
        (["", "one", "", "two", ""], "one two"),
        (["今天", "天气"], "今天天气"),
        (["今天。", "天气"], "今天。天气"),
        (["ひらがな", "カタカナ"], "ひらがなカタカナ"),
        (["안녕", "하세요"], "안녕 하세요"),
        (["我用", "Python", "写代码"], "我用Python写代码"),
        (["wait，", "yes"], "wait，yes"),
    ],
)
def test_texts_are_joined_as_they_are_written(texts: list[str], joined: str) -> None:
    assert join_texts(texts) == joined


def transcript(*utterances: tuple[int, str, str | None]) -> Transcript:
    """A transcript of utterances of so many samples, with their text and language."""
    position, transcribed = 0, []
    for samples, text, language in utterances:
        span = SampleSpan(position, position + samples)
        transcribed.append(TranscribedUtterance(span, Hypothesis(text, language=language)))
        position = span.end
    return Transcript(tuple(transcribed), position)


def test_its_text_is_that_of_its_utterances() -> None:
    assert transcript((10, "Good day.", "en"), (10, "你好。", "zh"), (10, "再见", "zh")).text == "Good day.你好。再见"


def test_its_language_is_the_one_that_is_spoken_longest() -> None:
    assert transcript((30, "Good day.", "en"), (20, "你好", "zh"), (20, "再见", "zh")).language == "zh"
    assert transcript((30, "…", None), (20, "你好", "zh")).language == "zh"


def test_without_speech_it_has_neither_text_nor_language() -> None:
    assert (transcript().text, transcript().language) == ("", None)
    assert transcript((10, "…", None)).language is None
