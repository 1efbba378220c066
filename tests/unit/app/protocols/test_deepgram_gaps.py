"""When somebody is told that nobody speaks."""

from asr_service.app.api.v1.websocket.protocols.deepgram_gaps import UtteranceGaps
from asr_service.domain.value_objects.audio_metadata import SampleSpan, samples_from_ms


class Stream:
    """Everything in milliseconds; a pause of a second is told, half a second ends an utterance."""

    def __init__(self) -> None:
        self._gaps = UtteranceGaps(1_000, 500)

    def received(self, ms: int) -> int | None:
        return _ms(self._gaps.audio_received(samples_from_ms(ms)))

    def started(self, utterance: int, ms: int) -> int | None:
        return _ms(self._gaps.speech_started(utterance, samples_from_ms(ms)))

    def ended(self, start_ms: int, end_ms: int) -> None:
        self._gaps.speech_ended(SampleSpan(samples_from_ms(start_ms), samples_from_ms(end_ms)))

    def settled(self, utterance: int, last_word_ms: int | None) -> int | None:
        return _ms(self._gaps.settled(utterance, None if last_word_ms is None else samples_from_ms(last_word_ms)))

    def over(self, ms: int) -> int | None:
        return _ms(self._gaps.ended(samples_from_ms(ms)))


def _ms(samples: int | None) -> int | None:
    return None if samples is None else samples // 16


def _one_utterance_while_it_is_spoken() -> Stream:
    """From 100 to 900 ms, its last word at 800; the endpoint is found 300 ms after the end, which has a tail of 200."""
    stream = Stream()
    assert stream.received(500) is None
    assert stream.started(0, 100) is None
    assert stream.received(1_200) is None
    stream.ended(100, 900)
    assert stream.settled(0, 800) is None
    return stream


def test_a_pause_is_told_when_the_audio_gets_there_and_once() -> None:
    stream = _one_utterance_while_it_is_spoken()
    assert [stream.received(ms) for ms in (1_790, 1_800, 1_900, 5_000)] == [None, 800, None, None]
    assert stream.over(9_000) is None


def test_a_pause_that_is_too_short_is_not_told() -> None:
    stream = _one_utterance_while_it_is_spoken()
    assert stream.received(1_700) is None
    assert stream.started(1, 1_600) is None
    assert stream.received(4_000) is None
    assert stream.settled(1, None) is None  # a cough
    assert stream.over(9_000) is None


def test_a_pause_is_told_when_speech_shows_how_long_it_was() -> None:
    stream = _one_utterance_while_it_is_spoken()
    assert stream.started(1, 1_800) == 800


def test_a_pause_at_the_end_is_told() -> None:
    stream = _one_utterance_while_it_is_spoken()
    assert stream.over(1_800) == 800


def test_a_final_that_comes_late_is_told_with_the_pause_after_it() -> None:
    stream = Stream()
    stream.started(0, 100)
    stream.received(3_000)
    stream.ended(100, 2_700)
    stream.started(1, 4_000)
    stream.started(2, 4_500)
    assert stream.settled(0, 2_600) == 2_600
    assert stream.settled(1, 4_400) is None
    assert stream.over(9_000) is None


def test_a_final_that_comes_after_the_pause_is_told_at_once() -> None:
    stream = Stream()
    stream.started(0, 100)
    stream.received(1_200)
    stream.ended(100, 900)
    assert stream.received(2_500) is None
    assert stream.settled(0, 800) == 800


def test_audio_that_nobody_has_listened_to_yet_is_no_pause() -> None:
    stream = Stream()
    stream.received(60_000)  # a recording, all at once
    stream.started(0, 100)
    stream.ended(100, 900)
    assert stream.settled(0, 800) is None
    assert stream.received(60_500) is None
    assert stream.received(60_600) == 800
