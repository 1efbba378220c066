"""Transcripts as text, SubRip and WebVTT."""

from asr_service.app.services.transcript_formats import captions_of, to_srt, to_text, to_vtt
from asr_service.domain.value_objects.audio_metadata import SampleSpan, samples_from_ms
from asr_service.domain.value_objects.hypothesis import Hypothesis, Timing, Word
from asr_service.domain.value_objects.transcript import TranscribedUtterance, Transcript

SILENCE = Transcript((), 16_000)


def _span(start_ms: int, end_ms: int) -> SampleSpan:
    return SampleSpan(samples_from_ms(start_ms), samples_from_ms(end_ms))


def _utterance(text: str, start_ms: int, end_ms: int, words: list[tuple[str, int, int]]) -> TranscribedUtterance:
    timed = tuple(Word(word, _span(start, end)) for word, start, end in words)
    timing = Timing.ALIGNED if timed else Timing.NONE
    return TranscribedUtterance(_span(start_ms, end_ms), Hypothesis(text, timed, timing, "en"))


TALK = Transcript(
    (
        _utterance("Go. Stop!", 0, 2_000, [("Go.", 100, 600), ("Stop!", 700, 1_900)]),
        _utterance("你好 <b> & 再见", 3_723_004, 3_725_000, []),
    ),
    samples_from_ms(3_726_000),
)


def test_text_is_one_line() -> None:
    assert to_text(TALK) == "Go. Stop!你好 <b> & 再见\n"
    assert to_text(SILENCE) == "\n"


def test_subrip_numbers_its_cues_and_writes_times_with_a_comma() -> None:
    assert to_srt(TALK) == (
        "1\n00:00:00,100 --> 00:00:00,600\nGo.\n\n"
        "2\n00:00:00,700 --> 00:00:01,900\nStop!\n\n"
        "3\n01:02:03,004 --> 01:02:05,000\n你好 <b> & 再见\n"
    )
    assert to_srt(SILENCE) == ""


def test_webvtt_has_a_header_and_escapes_markup() -> None:
    assert to_vtt(TALK) == (
        "WEBVTT\n\n"
        "00:00:00.100 --> 00:00:00.600\nGo.\n\n"
        "00:00:00.700 --> 00:00:01.900\nStop!\n\n"
        "01:02:03.004 --> 01:02:05.000\n你好 &lt;b&gt; &amp; 再见\n"
    )
    assert to_vtt(SILENCE) == "WEBVTT\n"


def test_hours_are_not_cut_at_a_day() -> None:
    long = Transcript((_utterance("Still here.", 360_000_000, 360_001_000, []),), samples_from_ms(360_002_000))
    assert "100:00:00,000 --> 100:00:01,000" in to_srt(long)


def test_captions_keep_the_order_of_the_utterances() -> None:
    assert [piece.text for piece in captions_of(TALK)] == ["Go.", "Stop!", "你好 <b> & 再见"]
