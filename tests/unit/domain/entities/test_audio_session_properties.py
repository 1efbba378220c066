"""What holds for every stream: whoever speaks when, however it is cut, whatever the load, however the answers come."""

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from asr_service.domain.events.recognition_events import SpeechEnded, SpeechStarted
from asr_service.domain.events.session_events import SessionEnded
from asr_service.domain.ports.voice_activity import WINDOW_SAMPLES
from asr_service.domain.value_objects.asr_config import PartialPolicy, SessionConfig
from asr_service.domain.value_objects.audio_metadata import SampleSpan, samples_from_ms
from asr_service.domain.value_objects.session_status import EndReason, SessionStatus
from tests.unit.domain.session_driver import SessionDriver, hear, stream_pcm
from tests.unit.domain.strategies import CONFIGS, LAST_WINDOW_SAMPLES, PACKETS, tracks

NO_PARTIALS = PartialPolicy(enabled=False)
SEEDS = st.integers(0, 2**32)
ABORT_REASONS = st.sampled_from([EndReason.DISCONNECTED, EndReason.FAILED])


def stream_samples(track: list[float], last_window_samples: int) -> int:
    """The length of a stream whose last window, if it is not whole, is one beyond the track."""
    return len(track) * WINDOW_SAMPLES + last_window_samples


def run_at_once(track: list[float], samples: int, config: SessionConfig) -> SessionDriver:
    """The plainest life of a stream: one packet, answers in order and at once."""
    driver = SessionDriver(track, config).open()
    driver.push(samples)
    driver.answer_all()
    driver.end_input()
    driver.answer_all()
    return driver


def run_in_packets(
    track: list[float], samples: int, config: SessionConfig, packets: list[int], chance: Random, failures: float = 0.0
) -> SessionDriver:
    """A restless life: any packets, any load, and between them any of the waiting requests answered, failed, or none."""
    driver = speak_in_packets(track, samples, config, packets, chance, failures)
    driver.end_input()
    while driver.waiting:
        answer_any(driver, chance, failures)
    return driver


def speak_in_packets(
    track: list[float], samples: int, config: SessionConfig, packets: list[int], chance: Random, failures: float
) -> SessionDriver:
    """The first part of a restless life, up to a position in the stream: the given packets first, then any."""
    driver = SessionDriver(track, config).open()
    waiting_packets = iter(packets)
    while driver.received < samples:
        packet = next(waiting_packets, chance.randint(1, 30 * WINDOW_SAMPLES))
        driver.load = chance.uniform(-0.5, 1.5)
        driver.push(min(packet, samples - driver.received))
        while driver.waiting and chance.random() < 0.5:
            answer_any(driver, chance, failures)
    return driver


def answer_any(driver: SessionDriver, chance: Random, failures: float) -> None:
    request = chance.choice(list(driver.waiting.values()))
    if chance.random() < failures:
        driver.fail(request)
    else:
        driver.answer(request)


@given(tracks(), LAST_WINDOW_SAMPLES, CONFIGS, PACKETS, SEEDS)
def test_results_depend_on_the_audio_alone(
    track: list[float], rest: int, config: SessionConfig, packets: list[int], seed: int
) -> None:
    samples = stream_samples(track, rest)
    plain = run_at_once(track, samples, replace(config, partials=NO_PARTIALS))
    restless = run_in_packets(track, samples, config, packets, Random(seed))
    assert restless.outcomes == plain.outcomes
    assert [(event.span, event.forced) for event in restless.events_of(SpeechEnded)] == [
        (event.span, event.forced) for event in plain.events_of(SpeechEnded)
    ]
    for _, span, text in plain.outcomes:
        assert text == hear(stream_pcm(span.start, span.end)).text


@given(tracks(), LAST_WINDOW_SAMPLES, CONFIGS, PACKETS, SEEDS, st.sampled_from([0.1, 0.5, 1.0]))
def test_draining_ends_with_one_outcome_for_each_utterance_whatever_fails(
    track: list[float], rest: int, config: SessionConfig, packets: list[int], seed: int, failures: float
) -> None:
    driver = run_in_packets(track, stream_samples(track, rest), config, packets, Random(seed), failures)
    assert driver.session.status is SessionStatus.CLOSED
    assert driver.ending.reason is EndReason.COMPLETED
    assert driver.ending.received_samples == driver.ending.finalized_samples == driver.received
    assert [index for index, _, _ in driver.outcomes] == list(range(len(driver.events_of(SpeechStarted))))


@given(tracks(), LAST_WINDOW_SAMPLES, CONFIGS)
def test_no_speech_is_lost_and_no_utterance_is_too_long(track: list[float], rest: int, config: SessionConfig) -> None:
    samples = stream_samples(track, rest)
    spans = [span for _, span, _ in run_at_once(track, samples, config).outcomes]
    longest = samples_from_ms(config.endpointing.max_utterance_ms)
    for span in spans:
        assert 0 < len(span) <= longest
    for speech in runs_of_speech(track, config):
        assert covered(speech, spans), f"{speech} is not inside {spans}"


def runs_of_speech(track: list[float], config: SessionConfig) -> list[SampleSpan]:
    """The stretches of speech without a single weaker window that are long enough to be no click."""
    runs, start = [], None
    for index, probability in enumerate([*track, 0.0]):
        if probability >= config.endpointing.threshold:
            start = index if start is None else start
        elif start is not None:
            runs.append(SampleSpan(start * WINDOW_SAMPLES, index * WINDOW_SAMPLES))
            start = None
    return [run for run in runs if len(run) >= samples_from_ms(config.endpointing.min_speech_ms)]


def covered(speech: SampleSpan, spans: list[SampleSpan]) -> bool:
    position = speech.start
    for span in spans:
        if span.start <= position:
            position = max(position, span.end)
    return position >= speech.end


@given(tracks(), LAST_WINDOW_SAMPLES, CONFIGS, PACKETS, SEEDS, st.booleans())
def test_the_deadline_ends_what_answers_do_not(
    track: list[float], rest: int, config: SessionConfig, packets: list[int], seed: int, heard_out: bool
) -> None:
    driver = speak_in_packets(track, stream_samples(track, rest), config, packets, Random(seed), failures=0.2)
    driver.receive(rest)
    driver.session.end_input(deadline_s=5.0)
    driver.collect()
    if heard_out:
        driver.listen()
    driver.tell_time(5.0)
    assert driver.session.status is SessionStatus.CLOSED
    assert len(driver.outcomes) == len(driver.events_of(SpeechStarted))


@given(tracks(), CONFIGS, PACKETS, SEEDS, ABORT_REASONS, st.booleans())
def test_an_abort_ends_any_session_once(
    track: list[float], config: SessionConfig, packets: list[int], seed: int, reason: EndReason, draining: bool
) -> None:
    driver = speak_in_packets(track, stream_samples(track, 0), config, packets, Random(seed), failures=0.2)
    if draining:
        driver.end_input()
    closed_before = driver.session.status is SessionStatus.CLOSED
    for _ in range(2):
        driver.session.abort(reason)
        driver.collect()
    assert driver.session.status is SessionStatus.CLOSED
    assert len(driver.events_of(SessionEnded)) == 1
    assert closed_before or driver.ending.reason is reason
