"""Sounds without words, made of numbers: the same samples for the same seed, 16 kHz, full scale at 1."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
SEED = 20_231_123
_PERIOD_S = 60  # noises repeat after a minute
_PEAK = 0.99

Sound: TypeAlias = NDArray[np.float64]


def generated_sounds() -> dict[str, Callable[[], Sound]]:
    """What there is, by name; each call makes the same minute of sound."""
    sounds: dict[str, Callable[[], Sound]] = {}
    for colour, exponent in (("white", 0.0), ("pink", 0.5), ("brown", 1.0)):
        for level_dbfs in (-60, -45, -30, -15):
            sounds[f"{colour} noise {level_dbfs} dBFS"] = _noise(exponent, level_dbfs)
    return sounds | {
        "hum 50 Hz": lambda: at_level(hum(50.0), -35),
        "hum 60 Hz with hiss": lambda: at_level(hum(60.0), -30) + at_level(coloured_noise(0.0), -50),
        "keyboard": lambda: keyboard() + at_level(coloured_noise(0.5), -65),
        "clicks": clicks,
        "ring tone of America": lambda: cadence((440.0, 480.0), 2.0, 4.0),
        "ring tone of China": lambda: cadence((450.0,), 1.0, 4.0),
        "hold tone": lambda: cadence((425.0,), 0.25, 0.25),
        "breath": lambda: at_level(breath(), -30),
        "breath, close": lambda: at_level(breath(), -18),
        "chords": lambda: at_level(chords(), -20),
        "chords, quiet": lambda: at_level(chords(), -40),
    }


def at_level(sound: Sound, level_dbfs: float) -> Sound:
    """The sound with this root mean square; what is over full scale is clipped."""
    present = float(np.sqrt(np.mean(np.square(sound))))
    return np.clip(sound / present * 10 ** (level_dbfs / 20), -_PEAK, _PEAK)


def as_pcm(sound: Sound) -> bytes:
    """As signed 16-bit little-endian samples."""
    return np.rint(np.clip(sound, -1.0, _PEAK) * 32_767).astype("<i2").tobytes()


def looped(pcm: bytes, seconds: float) -> bytes:
    """The samples over and over, up to this duration."""
    wanted = round(seconds * RATE_HZ) * 2
    return (pcm * (wanted // len(pcm) + 1))[:wanted]


def coloured_noise(exponent: float, seed: int = SEED) -> Sound:
    """Noise whose amplitude falls with the frequency to the power of the exponent: 0 white, 0.5 pink, 1 brown."""
    count = _PERIOD_S * RATE_HZ
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(count))
    frequencies_hz = np.fft.rfftfreq(count, 1 / RATE_HZ)
    spectrum /= np.maximum(frequencies_hz, 20.0) ** exponent
    return np.fft.irfft(spectrum, count)


def hum(mains_hz: float) -> Sound:
    """Mains hum: the odd and even harmonics of a transformer."""
    time_s = _times_s(_PERIOD_S)
    return sum((np.sin(2 * np.pi * mains_hz * n * time_s) / n for n in range(1, 12)), np.zeros_like(time_s))


def keyboard(seed: int = SEED) -> Sound:
    """Typing: five strokes a second on average, each a short burst of noise for the key down and a weaker one for up."""
    random = np.random.default_rng(seed)
    sound = np.zeros(_PERIOD_S * RATE_HZ)
    for at_s in np.cumsum(random.exponential(0.2, 5 * _PERIOD_S)):
        for delay_s, strength in ((0.0, 0.3), (0.07, 0.12)):
            length = round(0.02 * RATE_HZ)
            first = round((at_s + delay_s) * RATE_HZ)
            if first + length < len(sound):
                decay = np.exp(-np.arange(length) / (0.004 * RATE_HZ))
                sound[first : first + length] += strength * random.standard_normal(length) * decay
    return np.clip(sound, -_PEAK, _PEAK)


def clicks() -> Sound:
    """A single sample each 0.7 s, as of a bad cable."""
    sound = np.zeros(_PERIOD_S * RATE_HZ)
    sound[:: round(0.7 * RATE_HZ)] = 0.9
    return sound


def cadence(frequencies_hz: tuple[float, ...], on_s: float, off_s: float, level_dbfs: float = -18) -> Sound:
    """Tones of a telephone exchange: some frequencies together, on and off."""
    time_s = _times_s(_PERIOD_S)
    tones = sum((np.sin(2 * np.pi * hz * time_s) for hz in frequencies_hz), np.zeros_like(time_s))
    sounding = np.asarray(time_s % (on_s + off_s) < on_s)
    return np.where(sounding, tones / len(frequencies_hz) * 10 ** (level_dbfs / 20), 0.0)


def breath(seed: int = SEED) -> Sound:
    """Breathing: noise of 300 to 3000 Hz that swells for 1.2 s, and again a little weaker, 15 times a minute."""
    count = _PERIOD_S * RATE_HZ
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(count))
    frequencies_hz = np.fft.rfftfreq(count, 1 / RATE_HZ)
    spectrum *= np.exp(-(((np.log(np.maximum(frequencies_hz, 1.0)) - np.log(900.0)) / 0.8) ** 2))
    phase_s = _times_s(_PERIOD_S) % 4.0
    inward = np.sin(np.pi * np.clip(phase_s / 1.2, 0, 1)) ** 2
    outward = 0.6 * np.sin(np.pi * np.clip((phase_s - 1.5) / 1.5, 0, 1)) ** 2
    return np.fft.irfft(spectrum, count) * (inward + outward)


def chords() -> Sound:
    """Music-like: a triad with six harmonics each two seconds, struck and decaying, with a little vibrato."""
    time_s = _times_s(_PERIOD_S)
    roots_hz = (220.0, 174.61, 261.63, 196.0)
    sound = np.zeros_like(time_s)
    number = (time_s // 2.0).astype(int) % len(roots_hz)
    root_hz = np.asarray(roots_hz)[number]
    vibrato = 0.02 * np.sin(2 * np.pi * 5.5 * time_s)
    for interval in (1.0, 1.25, 1.5):
        phase = 2 * np.pi * np.cumsum(root_hz * interval) / RATE_HZ + vibrato
        for harmonic in range(1, 7):
            sound += np.sin(harmonic * phase) / harmonic**1.5
    return sound * np.exp(-(time_s % 2.0) / 1.2)


def _noise(exponent: float, level_dbfs: float) -> Callable[[], Sound]:
    return lambda: at_level(coloured_noise(exponent), level_dbfs)


def _times_s(seconds: float) -> Sound:
    return np.arange(round(seconds * RATE_HZ)) / RATE_HZ
