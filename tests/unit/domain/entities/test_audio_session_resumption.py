"""A session that is broken off anywhere and taken up at its last checkpoint says what it would have said anyway."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from asr_service.domain.entities.audio_session import ReplayIncomplete
from asr_service.domain.events.recognition_events import SpeechEnded, SpeechStarted
from asr_service.domain.events.session_events import SessionResumed
from asr_service.domain.ports.voice_activity import WINDOW_SAMPLES
from asr_service.domain.value_objects.asr_config import PartialPolicy, SessionConfig
from asr_service.domain.value_objects.audio_metadata import samples_from_ms
from asr_service.domain.value_objects.session_checkpoint import SessionCheckpoint
from asr_service.domain.value_objects.session_status import EndReason
from tests.unit.domain.session_driver import VOICE_STATE, SessionDriver
from tests.unit.domain.strategies import CONFIGS, LAST_WINDOW_SAMPLES, tracks

SEEDS = st.integers(0, 2**32)
CHECKPOINTS = TypeAdapter(SessionCheckpoint)


def broken_off(track: list[float], samples: int, config: SessionConfig, chance: Random) -> SessionDriver:
    """A session that hears so much, in any packets, with some of its answers, and then no more."""
    driver = SessionDriver(track, config).open()
    return go_on(driver, samples, chance)


def go_on(driver: SessionDriver, samples: int, chance: Random) -> SessionDriver:
    while driver.received < samples:
        driver.push(min(chance.randint(1, 20 * WINDOW_SAMPLES), samples - driver.received))
        while driver.waiting and chance.random() < 0.7:
            driver.answer(chance.choice(list(driver.waiting.values())))
    return driver


def taken_up(driver: SessionDriver, config: SessionConfig) -> SessionDriver:
    """The session once more, from what another process would find of it."""
    if driver.checkpoint is None:
        return SessionDriver(driver.track, config).open()
    travelled = CHECKPOINTS.validate_json(CHECKPOINTS.dump_json(driver.checkpoint))
    assert travelled == driver.checkpoint
    return SessionDriver(driver.track, config, travelled).open()


def kept(driver: SessionDriver) -> list[object]:
    """The outcomes that count: those before the newest checkpoint."""
    return [] if driver.checkpoint is None else list(driver.outcomes[: driver.checkpoint.utterances])


@given(tracks(), LAST_WINDOW_SAMPLES, CONFIGS, SEEDS, st.lists(st.floats(0, 1), min_size=1, max_size=3).map(sorted))
def test_what_is_broken_off_and_taken_up_comes_out_the_same(
    track: list[float], rest: int, config: SessionConfig, seed: int, cuts: list[float]
) -> None:
    chance, samples = Random(seed), len(track) * WINDOW_SAMPLES + rest
    whole = go_on(SessionDriver(track, config).open(), samples, Random(seed))
    whole.end_input()
    whole.answer_all()

    driver, outcomes = SessionDriver(track, config).open(), list[object]()
    for cut in cuts:
        go_on(driver, int(cut * samples), chance)
        first = len(outcomes)
        settled = 0 if driver.checkpoint is None else driver.checkpoint.utterances
        outcomes += driver.outcomes[: settled - first]
        driver = taken_up(driver, config)
    go_on(driver, samples, chance)
    driver.end_input()
    driver.answer_all()
    outcomes += driver.outcomes

    assert outcomes == whole.outcomes
    assert driver.ending.received_samples == driver.ending.finalized_samples == samples


@given(tracks(), CONFIGS, SEEDS)
def test_a_checkpoint_lies_behind_what_is_owed_and_not_far(
    track: list[float], config: SessionConfig, seed: int
) -> None:
    driver = broken_off(track, len(track) * WINDOW_SAMPLES, config, Random(seed))
    place = driver.checkpoint
    if place is not None:
        assert place.replay_from <= place.position <= driver.received
        assert place.utterances <= len(driver.outcomes)
        assert all(span.end <= place.position for _, span, _ in driver.outcomes[: place.utterances])
        assert place.position - place.replay_from <= samples_from_ms(config.endpointing.max_utterance_ms)


def test_silence_brings_checkpoints_every_quarter_of_a_minute() -> None:
    driver = SessionDriver().open()
    positions = set()
    for _ in range(300):
        driver.push(samples_from_ms(200))
        positions.add(driver.checkpoint.position if driver.checkpoint else None)
    assert len(positions) == 4
    assert driver.checkpoint is not None
    held_back = driver.received - driver.checkpoint.replay_from
    assert held_back <= samples_from_ms(15_000 + 200 + 300 + 64)


def test_speech_without_a_pause_is_safe_up_to_its_last_forced_cut() -> None:
    driver = SessionDriver().open()
    for _ in range(10):
        driver.push_windows((0.97, 100))
        driver.answer_all()
    last = driver.events_of(SpeechEnded)[-1]
    assert last.forced
    assert driver.checkpoint is not None
    assert driver.checkpoint.replay_from == last.span.end
    resumed = SessionDriver(driver.track, checkpoint=driver.checkpoint).open()
    assert [event.start for event in resumed.events_of(SpeechStarted)] == [last.span.end]


def test_no_checkpoint_leaves_an_utterance_behind_that_is_owed() -> None:
    driver = SessionDriver().open()
    driver.push_windows((0.01, 20), (0.97, 30), (0.01, 200))
    (final,) = driver.finals_waiting
    assert driver.checkpoint is None
    driver.answer(final)
    driver.collect()
    assert driver.checkpoint is not None
    assert driver.checkpoint.utterances == 1
    assert driver.checkpoint.language == "en"
    assert driver.checkpoint.voice == VOICE_STATE


def test_a_pause_that_may_end_the_utterance_is_no_safe_place() -> None:
    driver = SessionDriver().open()
    driver.push_windows((0.97, 30))
    driver.push_windows((0.01, 10))
    assert driver.session.take_windows() == b""
    assert not driver.session.at_safe_place


def test_a_resumed_session_says_so() -> None:
    driver = SessionDriver(config=SessionConfig(partials=PartialPolicy(enabled=False))).open()
    driver.push_windows((0.97, 30), (0.01, 30))
    driver.answer_all()
    assert driver.checkpoint is not None
    resumed = SessionDriver(driver.track, driver.session.config, driver.checkpoint).open()
    (event,) = resumed.events_of(SessionResumed)
    assert (event.utterances, event.replay_from) == (1, driver.checkpoint.replay_from)


def test_a_resumed_session_wants_the_audio_that_it_asked_for() -> None:
    resumed = resumed_in_a_monologue()
    resumed.receive(16)
    with pytest.raises(ReplayIncomplete):
        resumed.session.end_input()


def test_an_endpoint_in_audio_that_was_heard_before_is_not_made_twice() -> None:
    resumed = resumed_in_a_monologue()
    resumed.receive(16)
    resumed.force_endpoint()
    assert resumed.events_of(SpeechEnded) == []
    resumed.push(40 * WINDOW_SAMPLES)
    resumed.force_endpoint()
    assert len(resumed.events_of(SpeechEnded)) == 1


def resumed_in_a_monologue() -> SessionDriver:
    """A session whose checkpoint lies just after a forced cut."""
    driver = SessionDriver().open()
    for _ in range(10):
        driver.push_windows((0.97, 100))
        driver.answer_all()
    return SessionDriver(driver.track, checkpoint=driver.checkpoint).open()


def test_a_session_that_is_broken_off_has_no_safe_place_behind_what_it_owes() -> None:
    driver = SessionDriver().open()
    driver.push_windows((0.97, 30), (0.01, 60))
    assert driver.waiting
    driver.session.abort(EndReason.DISCONNECTED)
    place = driver.session.take_checkpoint()
    assert place is None or place.utterances == 0
