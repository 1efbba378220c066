"""The energy gate opens at once, and closes only after a second of quiet."""

import numpy as np
import pytest
from numpy.typing import NDArray

from asr_service.domain.ports.voice_activity import WINDOW_SAMPLES
from asr_service.infrastructure.vad.energy_gate import SETTLING_WINDOWS, EnergyGate
from tests.fixtures.sounds import tone


def windows_at(dbfs: float, count: int, *, offset: float = 0.0) -> NDArray[np.float32]:
    """A tone of so many dBFS (root mean square), on top of a constant offset."""
    wave = tone(440, count * WINDOW_SAMPLES / 16_000, amplitude=10 ** (dbfs / 20) * 2**0.5)
    return (wave + offset).astype(np.float32).reshape(count, WINDOW_SAMPLES)


def noise_at(dbfs: float, count: int) -> NDArray[np.float32]:
    noise = np.random.default_rng(7).normal(0, 10 ** (dbfs / 20), (count, WINDOW_SAMPLES))
    return noise.astype(np.float32)


@pytest.mark.parametrize("dbfs", [-10.0, -40.0, -44.0])
def test_what_is_louder_than_a_quiet_room_is_always_heard(dbfs: float) -> None:
    assert all(EnergyGate().admit(windows_at(dbfs, 3 * SETTLING_WINDOWS)))


@pytest.mark.parametrize("dbfs", [-46.0, -60.0, -71.0, -90.0, -200.0])
def test_quiet_is_heard_until_it_has_settled(dbfs: float) -> None:
    admitted = EnergyGate().admit(windows_at(dbfs, 3 * SETTLING_WINDOWS))
    assert admitted == [True] * SETTLING_WINDOWS + [False] * 2 * SETTLING_WINDOWS


def test_the_noise_of_a_room_is_not_heard() -> None:
    admitted = EnergyGate().admit(noise_at(-55, 1_000))
    assert admitted[:SETTLING_WINDOWS] == [True] * SETTLING_WINDOWS
    assert not any(admitted[SETTLING_WINDOWS:])


@pytest.mark.parametrize("dbfs", [-60.0, -80.0])
def test_what_rises_above_the_noise_is_heard_at_once(dbfs: float) -> None:
    gate = EnergyGate()
    gate.admit(noise_at(dbfs, 1_000))
    louder = max(dbfs + 7, -68.0)
    assert gate.admit(noise_at(louder, 1)) == [True]


def test_soft_speech_is_heard_for_as_long_as_it_changes() -> None:
    gate = EnergyGate()
    gate.admit(noise_at(-65, 1_000))
    syllables = np.concatenate([noise_at(-50, 6), noise_at(-64, 4)] * 50)
    assert all(gate.admit(syllables))


def test_a_vowel_that_is_held_is_heard_for_seconds() -> None:
    gate = EnergyGate()
    gate.admit(noise_at(-65, 1_000))
    assert all(gate.admit(windows_at(-46, 150)))


def test_the_floor_follows_a_room_that_becomes_louder() -> None:
    gate = EnergyGate()
    gate.admit(noise_at(-65, 1_000))
    assert not any(gate.admit(noise_at(-50, 400))[300:])


def test_one_loud_window_begins_the_settling_anew() -> None:
    gate = EnergyGate()
    gate.admit(windows_at(-200, 2 * SETTLING_WINDOWS))
    assert all(gate.admit(windows_at(-30, 1)))
    assert all(gate.admit(windows_at(-200, SETTLING_WINDOWS)))
    assert not any(gate.admit(windows_at(-200, 1)))


def test_a_constant_offset_is_quiet() -> None:
    assert not any(EnergyGate().admit(windows_at(-200, 2 * SETTLING_WINDOWS, offset=0.1))[SETTLING_WINDOWS:])


def test_sound_on_a_constant_offset_is_heard() -> None:
    assert all(EnergyGate().admit(windows_at(-40, 2 * SETTLING_WINDOWS, offset=0.1)))


def test_the_cut_does_not_matter() -> None:
    windows = np.concatenate([noise_at(dbfs, 25) for dbfs in (-200, -30, -80, -75, -55, -50, -90)])
    gate, whole = EnergyGate(), EnergyGate()
    in_pieces = [admitted for window in windows for admitted in gate.admit(window[np.newaxis])]
    assert in_pieces == whole.admit(windows)
    assert (gate.quiet_windows, gate.floor_power) == (whole.quiet_windows, whole.floor_power)


def test_it_goes_on_from_what_it_remembers() -> None:
    windows = noise_at(-60, 100)
    first, whole = EnergyGate(), EnergyGate()
    admitted = first.admit(windows[:50]) + EnergyGate(first.quiet_windows, first.floor_power).admit(windows[50:])
    assert admitted == whole.admit(windows)
