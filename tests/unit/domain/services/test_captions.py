from asr_service.domain.services.captions import MAX_CAPTION_COLUMNS, MAX_CAPTION_MS, Caption, caption
from asr_service.domain.value_objects.audio_metadata import SampleSpan, samples_from_ms
from asr_service.domain.value_objects.hypothesis import Hypothesis, Timing, Word
from asr_service.domain.value_objects.transcript import TranscribedUtterance


def spoken(*words: str | int, word_ms: int = 100) -> TranscribedUtterance:
    """An utterance of words of equal length; a number is a pause in milliseconds."""
    position, placed = 0, []
    for word in words:
        if isinstance(word, int):
            position += samples_from_ms(word)
        else:
            placed.append(Word(word, SampleSpan(position, position := position + samples_from_ms(word_ms))))
    text = " ".join(word.text for word in placed)
    return TranscribedUtterance(SampleSpan(0, position), Hypothesis(text, tuple(placed), Timing.ALIGNED))


def texts(utterance: TranscribedUtterance) -> list[str]:
    return [piece.text for piece in caption(utterance)]


def test_without_word_times_an_utterance_stays_whole() -> None:
    utterance = TranscribedUtterance(SampleSpan(5, 500_000), Hypothesis("One. Two. Three. " * 20))
    assert caption(utterance) == [Caption(SampleSpan(5, 500_000), utterance.hypothesis.text)]


def test_a_caption_lies_where_its_words_do() -> None:
    utterance = spoken(200, "Good", 50, "day.", 300, "Well?")
    first, second = caption(utterance)
    assert first == Caption(SampleSpan(3_200, 7_200), "Good day.", utterance.hypothesis.words[:2])
    assert second == Caption(SampleSpan(12_000, 13_600), "Well?", utterance.hypothesis.words[2:])


def test_it_ends_with_a_sentence() -> None:
    assert texts(spoken("Yes.", "No!", "Why?", "Well…", "so")) == ["Yes.", "No!", "Why?", "Well…", "so"]
    assert texts(spoken("是", "的。", "不！")) == ["是的。", "不！"]


def test_it_ends_at_a_long_pause() -> None:
    assert texts(spoken("well", 699, "then", 700, "go")) == ["well then", "go"]


def test_it_ends_at_a_clause_once_it_has_some_length() -> None:
    assert texts(spoken("well,", "yes,", "no")) == ["well, yes, no"]
    assert texts(spoken(*["longest"] * 4, "goes,", "here")) == ["longest longest longest longest goes, here"]
    assert texts(spoken(*["anything"] * 4, "goes,", "here")) == ["anything anything anything anything goes,", "here"]


def test_it_is_no_wider_than_two_lines() -> None:
    latin = texts(spoken(*["twelve"] * 30))
    chinese = texts(spoken(*"字" * 80))
    assert max(map(len, latin)) <= MAX_CAPTION_COLUMNS
    assert max(map(len, chinese)) <= 33
    assert "".join(chinese) == "字" * 80


def test_it_is_on_the_screen_for_no_longer_than_seven_seconds() -> None:
    pieces = caption(spoken(*["slow"] * 20, word_ms=900))
    assert all(len(piece.span) <= samples_from_ms(MAX_CAPTION_MS) for piece in pieces)
    assert [len(piece.words) for piece in pieces] == [7, 7, 6]
