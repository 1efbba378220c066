"""The checker lets good streams of events pass and stops at each kind of bad one."""

from dataclasses import replace

import pytest

from asr_service.domain.events.recognition_events import (
    PartialRecognized,
    SpeechEnded,
    SpeechStarted,
    UtteranceFailed,
    UtteranceFinalized,
)
from asr_service.domain.events.session_events import (
    AudioDiscarded,
    EndpointForced,
    EndpointingChanged,
    SessionEnded,
    SessionEvent,
    SessionStarted,
)
from asr_service.domain.value_objects.asr_config import EndpointingPolicy, SessionConfig
from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.caller import LOCAL_CALLER
from asr_service.domain.value_objects.hypothesis import Hypothesis, Timing, Word
from asr_service.domain.value_objects.session_status import EndReason
from tests.fixtures.event_checker import ProtocolViolation, SessionEventChecker

WORDS = (Word("the", SampleSpan(110, 200), 0.9), Word("cat", SampleSpan(200, 300)))

STARTED = SessionStarted(session_id="ses_1", at_s=1.0, caller=LOCAL_CALLER, config=SessionConfig())
SPEECH = SpeechStarted(session_id="ses_1", at_s=1.0, utterance=0, start=100)
FIRST = PartialRecognized(
    session_id="ses_1",
    at_s=1.0,
    utterance=0,
    revision=1,
    span=SampleSpan(100, 200),
    stable="the",
    volatile=" cat",
    language=None,
)
SECOND = replace(FIRST, revision=2, span=SampleSpan(100, 300), stable="the cat", volatile="")
SPEECH_ENDED = SpeechEnded(session_id="ses_1", at_s=1.0, utterance=0, span=SampleSpan(100, 400), forced=False)
FINAL = UtteranceFinalized(
    session_id="ses_1",
    at_s=1.0,
    utterance=0,
    span=SampleSpan(100, 400),
    hypothesis=Hypothesis("the cat", WORDS, Timing.ALIGNED),
    endpoint_at_s=1.0,
)
FAILURE = UtteranceFailed(
    session_id="ses_1", at_s=1.0, utterance=0, span=SampleSpan(100, 400), code="timed_out", message="Too late."
)
ENDED = SessionEnded(
    session_id="ses_1",
    at_s=1.0,
    reason=EndReason.COMPLETED,
    received_samples=900,
    decoded_samples=900,
    finalized_samples=900,
)
ABORTED = replace(ENDED, reason=EndReason.DISCONNECTED, finalized_samples=100)

NEXT_SPEECH = replace(SPEECH, utterance=1, start=400)
NEXT_SPEECH_ENDED = replace(SPEECH_ENDED, utterance=1, span=SampleSpan(400, 500))
NEXT_FAILURE = replace(FAILURE, utterance=1, span=SampleSpan(400, 500))
FORCED = EndpointForced(session_id="ses_1", at_s=1.0, position=400, utterance=0)
DISCARDED = AudioDiscarded(session_id="ses_1", at_s=1.0, position=400, utterance=0)
CHANGED = EndpointingChanged(session_id="ses_1", at_s=1.0, endpointing=EndpointingPolicy())

UTTERED = (STARTED, SPEECH, SPEECH_ENDED)


def check(*events: SessionEvent) -> None:
    checker = SessionEventChecker()
    for event in events:
        checker.observe(event)
    checker.finish()
    assert checker.ended


@pytest.mark.parametrize(
    "events",
    [
        (STARTED, ENDED),
        (ABORTED,),
        (*UTTERED, FINAL, ENDED),
        (*UTTERED, FAILURE, ENDED),
        (STARTED, SPEECH, FIRST, SECOND, SPEECH_ENDED, FINAL, ENDED),
        (*UTTERED, NEXT_SPEECH, FINAL, NEXT_SPEECH_ENDED, NEXT_FAILURE, ENDED),
        (*UTTERED, NEXT_SPEECH, NEXT_SPEECH_ENDED, FINAL, NEXT_FAILURE, replace(ENDED, reason=EndReason.TIMED_OUT)),
        (STARTED, SPEECH, FIRST, ABORTED),
        (*UTTERED, FINAL, NEXT_SPEECH, replace(ABORTED, finalized_samples=400)),
        (STARTED, replace(SPEECH, at_s=2.0), replace(ABORTED, at_s=2.0)),
        (*UTTERED, FORCED, FINAL, ENDED),
        (STARTED, CHANGED, replace(FORCED, utterance=None), ENDED),
        (STARTED, SPEECH, DISCARDED, NEXT_SPEECH, NEXT_SPEECH_ENDED, NEXT_FAILURE, ENDED),
        (*UTTERED, replace(DISCARDED, utterance=None), FINAL, ENDED),
    ],
)
def test_a_good_stream_passes(events: tuple[SessionEvent, ...]) -> None:
    check(*events)


def with_words(*words: Word) -> UtteranceFinalized:
    return replace(FINAL, hypothesis=Hypothesis("the cat", words, Timing.ALIGNED))


@pytest.mark.parametrize(
    ("events", "violation"),
    [
        ((), "without SessionEnded"),
        ((STARTED, SPEECH), "without SessionEnded"),
        ((STARTED, STARTED), "a second SessionStarted"),
        ((SPEECH,), "before SessionStarted"),
        ((STARTED, ENDED, ENDED), "SessionEnded after SessionEnded"),
        ((STARTED, ENDED, SPEECH), "SpeechStarted after SessionEnded"),
        ((STARTED, replace(SPEECH, session_id="ses_2")), "another session"),
        ((STARTED, replace(SPEECH, at_s=0.5)), "time went back"),
        ((STARTED, SessionEvent(session_id="ses_1", at_s=1.0)), "no known kind"),
        ((STARTED, NEXT_SPEECH), "utterance 1 out of its turn"),
        ((STARTED, replace(SPEECH, start=-1)), "before the stream"),
        ((STARTED, SPEECH, NEXT_SPEECH), "inside the one before"),
        ((*UTTERED, replace(NEXT_SPEECH, start=399)), "overlaps"),
        ((STARTED, FIRST), "has not begun"),
        ((*UTTERED, SECOND), "after its endpoint"),
        ((*UTTERED, FINAL, FIRST), "after its endpoint"),
        ((STARTED, SPEECH, SECOND), "follows revision 0"),
        ((STARTED, SPEECH, FIRST, FIRST), "follows revision 1"),
        ((STARTED, SPEECH, replace(FIRST, span=SampleSpan(0, 200))), "begins elsewhere"),
        ((STARTED, SPEECH, replace(FIRST, span=SampleSpan(100, 100))), "made from nothing"),
        ((STARTED, SPEECH, FIRST, replace(SECOND, span=SampleSpan(100, 199))), "older than what was shown"),
        ((STARTED, SPEECH, FIRST, replace(SECOND, stable="th")), "takes back"),
        ((STARTED, SPEECH, replace(FIRST, stable="", volatile="")), "is empty"),
        ((*UTTERED, SPEECH_ENDED), "a second SpeechEnded"),
        ((STARTED, SPEECH, replace(SPEECH_ENDED, span=SampleSpan(99, 400))), "another start"),
        ((STARTED, SPEECH, replace(SPEECH_ENDED, span=SampleSpan(100, 100))), "is empty"),
        ((STARTED, SPEECH, FINAL), "before its endpoint"),
        ((*UTTERED, FINAL, FINAL), "came twice"),
        ((*UTTERED, FINAL, FAILURE), "came twice"),
        ((*UTTERED, NEXT_SPEECH, NEXT_SPEECH_ENDED, NEXT_FAILURE), "before that of utterance 0"),
        ((*UTTERED, replace(FINAL, span=SampleSpan(100, 401))), "another span"),
        ((*UTTERED, replace(FINAL, endpoint_at_s=0.9)), "another time of its endpoint"),
        ((*UTTERED, replace(FAILURE, code="")), "does not say what failed"),
        ((*UTTERED, replace(FAILURE, message="")), "does not say what failed"),
        ((*UTTERED, replace(FINAL, hypothesis=Hypothesis(" the cat"))), "spaces around"),
        ((*UTTERED, replace(FINAL, hypothesis=Hypothesis("the cat", WORDS))), "invented word times"),
        ((*UTTERED, with_words(Word("the", SampleSpan(99, 200)))), "a word before its start"),
        ((*UTTERED, with_words(Word("the", SampleSpan(100, 401)))), "a word after its end"),
        ((*UTTERED, with_words(Word("the", SampleSpan(100, 200), 1.1))), "oddly confident"),
        ((*UTTERED, with_words(*reversed(WORDS))), "overlapping words"),
        ((STARTED, SPEECH, FORCED), "is open at a forced endpoint"),
        ((*UTTERED, replace(FORCED, utterance=1)), "not the last utterance"),
        ((*UTTERED, DISCARDED), "discarded is 0, open is None"),
        ((STARTED, SPEECH, replace(DISCARDED, utterance=None)), "discarded is None, open is 0"),
        ((STARTED, SPEECH, DISCARDED, replace(DISCARDED, position=399, utterance=None)), "go back"),
        ((STARTED, SPEECH, DISCARDED, replace(NEXT_SPEECH, start=399)), "begins before"),
        ((STARTED, SPEECH, DISCARDED, FINAL), "none is owed"),
        ((STARTED, replace(ENDED, decoded_samples=901)), "contradict"),
        ((STARTED, replace(ENDED, finalized_samples=901)), "contradict"),
        ((STARTED, replace(ENDED, finalized_samples=-1)), "contradict"),
        ((STARTED, SPEECH, replace(ABORTED, decoded_samples=99, finalized_samples=0)), "after the audio"),
        ((STARTED, SPEECH, FIRST, replace(ABORTED, decoded_samples=199)), "after the audio"),
        ((*UTTERED, FINAL, replace(ABORTED, decoded_samples=399)), "after the audio"),
        ((*UTTERED, ENDED), "owing outcomes"),
        ((*UTTERED, replace(ENDED, reason=EndReason.TIMED_OUT)), "owing outcomes"),
        ((STARTED, replace(ENDED, finalized_samples=899)), "without all audio"),
        ((*UTTERED, replace(ABORTED, finalized_samples=101)), "called finalized"),
    ],
)
def test_a_bad_stream_is_stopped(events: tuple[SessionEvent, ...], violation: str) -> None:
    with pytest.raises(ProtocolViolation, match=violation):
        check(*events)
