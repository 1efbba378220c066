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


@pytest.mark.parametrize("dbfs", [-10.0, -40.0, -65.0, -69.0])
def test_sound_is_always_heard(dbfs: float) -> None:
    assert EnergyGate().admit(windows_at(dbfs, 3 * SETTLING_WINDOWS)).all()


@pytest.mark.parametrize("dbfs", [-71.0, -90.0, -200.0])
def test_quiet_is_heard_until_it_has_settled(dbfs: float) -> None:
    admitted = EnergyGate().admit(windows_at(dbfs, 3 * SETTLING_WINDOWS))
    assert admitted.tolist() == [True] * SETTLING_WINDOWS + [False] * 2 * SETTLING_WINDOWS


def test_one_loud_window_begins_the_settling_anew() -> None:
    gate = EnergyGate()
    gate.admit(windows_at(-200, 2 * SETTLING_WINDOWS))
    assert gate.admit(windows_at(-30, 1)).all()
    assert gate.admit(windows_at(-200, SETTLING_WINDOWS)).all()
    assert not gate.admit(windows_at(-200, 1)).any()


def test_a_constant_offset_is_quiet() -> None:
    assert not EnergyGate().admit(windows_at(-200, 2 * SETTLING_WINDOWS, offset=0.1))[SETTLING_WINDOWS:].any()


def test_sound_on_a_constant_offset_is_heard() -> None:
    assert EnergyGate().admit(windows_at(-60, 2 * SETTLING_WINDOWS, offset=0.1)).all()


def test_the_cut_does_not_matter() -> None:
    windows = np.concatenate([windows_at(dbfs, 25) for dbfs in (-200, -30, -80, -75, -200, -50, -90)])
    gate = EnergyGate()
    in_pieces = [admitted for window in windows for admitted in gate.admit(window[np.newaxis])]
    assert in_pieces == EnergyGate().admit(windows).tolist()
