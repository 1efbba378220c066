from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.hypothesis import SILENCE, Hypothesis, Timing, Word


def test_moving_a_hypothesis_moves_its_words_and_nothing_else() -> None:
    words = (Word("good", SampleSpan(0, 800), 0.9), Word("day", SampleSpan(900, 1_600)))
    hypothesis = Hypothesis("good day", words, Timing.ALIGNED, language="en", average_logprob=-0.2)
    assert hypothesis.shifted(16_000) == Hypothesis(
        "good day",
        (Word("good", SampleSpan(16_000, 16_800), 0.9), Word("day", SampleSpan(16_900, 17_600))),
        Timing.ALIGNED,
        language="en",
        average_logprob=-0.2,
    )
    assert hypothesis.words == words


def test_what_is_unknown_is_none() -> None:
    assert SILENCE.shifted(100) == SILENCE
    assert (SILENCE.text, SILENCE.words, SILENCE.timing) == ("", (), Timing.NONE)
    assert SILENCE.language is None
    assert SILENCE.language_confidence is None
    assert SILENCE.average_logprob is None
    assert SILENCE.no_speech_probability is None
    assert SILENCE.compression_ratio is None
