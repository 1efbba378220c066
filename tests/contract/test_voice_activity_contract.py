"""What every voice activity detector promises, the fake included."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from asr_service.domain.ports.voice_activity import WINDOW_BYTES, VoiceActivityDetector, VoiceActivityStream
from asr_service.domain.value_objects.session_checkpoint import CheckpointUnusable
from asr_service.infrastructure.vad.silero_detector import SileroVoiceActivityDetector
from tests.fakes.voice_activity import EnergyVoiceActivity
from tests.fixtures.catalogue_files import silero_model
from tests.fixtures.sounds import as_pcm, babble

WINDOWS = 90
TOLERANCE = 1e-4


@pytest.fixture(params=["energy", "silero"], ids=["energy fake", "Silero"])
async def detector(request: pytest.FixtureRequest) -> AsyncIterator[VoiceActivityDetector]:
    if request.param == "energy":
        yield EnergyVoiceActivity()
    else:
        silero = SileroVoiceActivityDetector(silero_model())
        yield silero
        await silero.close()


def sound(seed: int) -> bytes:
    return as_pcm(babble(3, seed=seed))[: WINDOWS * WINDOW_BYTES]


def cut(pcm: bytes, windows_per_call: Iterator[int]) -> Iterator[bytes]:
    start = 0
    while start < len(pcm):
        end = start + next(windows_per_call) * WINDOW_BYTES
        yield pcm[start:end]
        start = end


async def heard(stream: VoiceActivityStream, calls: Iterator[bytes]) -> list[float]:
    return [probability for call in calls for probability in await stream.observe(call)]


async def test_each_window_gets_one_probability(detector: VoiceActivityDetector) -> None:
    probabilities = await detector.open_stream().observe(sound(1))
    assert len(probabilities) == WINDOWS
    assert all(0 <= probability <= 1 for probability in probabilities)


async def test_loud_and_soft_windows_are_told_apart(detector: VoiceActivityDetector) -> None:
    probabilities = await detector.open_stream().observe(sound(1))
    assert min(probabilities) < 0.35
    assert max(probabilities) > 0.5


async def test_no_audio_has_no_probabilities(detector: VoiceActivityDetector) -> None:
    assert await detector.open_stream().observe(b"") == ()


@pytest.mark.parametrize("size", [1, WINDOW_BYTES - 2, WINDOW_BYTES + 1])
async def test_a_part_of_a_window_is_refused(detector: VoiceActivityDetector, size: int) -> None:
    with pytest.raises(ValueError, match="windows"):
        await detector.open_stream().observe(bytes(size))


async def test_digital_silence_is_no_speech(detector: VoiceActivityDetector) -> None:
    probabilities = await detector.open_stream().observe(bytes(WINDOWS * WINDOW_BYTES))
    assert len(probabilities) == WINDOWS
    assert max(probabilities) < 0.35


async def test_silence_after_sound_is_no_speech_for_long(detector: VoiceActivityDetector) -> None:
    stream = detector.open_stream()
    await stream.observe(sound(1))
    probabilities = await stream.observe(bytes(WINDOWS * WINDOW_BYTES))
    assert max(probabilities[10:]) < 0.35


@pytest.mark.parametrize("most_windows", [1, 3, 20, WINDOWS])
async def test_the_cut_does_not_matter(detector: VoiceActivityDetector, most_windows: int) -> None:
    # Pauses of two seconds included, since a detector may treat long silence differently.
    pcm = sound(1) + bytes(64 * WINDOW_BYTES) + sound(2)
    random_sizes = random.Random(most_windows)
    whole = await detector.open_stream().observe(pcm)
    sizes = iter(lambda: random_sizes.randint(1, most_windows), None)
    in_pieces = await heard(detector.open_stream(), cut(pcm, sizes))
    assert in_pieces == pytest.approx(whole, abs=TOLERANCE)


@pytest.mark.parametrize("windows", [0, 1, 37, WINDOWS + 50])
async def test_a_stream_goes_on_where_another_one_stopped(detector: VoiceActivityDetector, windows: int) -> None:
    pcm = sound(1) + bytes(64 * WINDOW_BYTES) + sound(2)
    first, rest = pcm[: windows * WINDOW_BYTES], pcm[windows * WINDOW_BYTES :]
    stopped = detector.open_stream()
    await stopped.observe(first)
    state = stopped.state()
    assert len(state) <= 65_536
    assert await detector.open_stream(state).observe(rest) == await stopped.observe(rest)


@pytest.mark.parametrize("damage", [lambda state: b"", lambda state: state[:-1], lambda state: b"x" + state[1:]])
async def test_a_damaged_state_is_refused(detector: VoiceActivityDetector, damage: Callable[[bytes], bytes]) -> None:
    with pytest.raises(CheckpointUnusable):
        detector.open_stream(damage(detector.open_stream().state()))


async def test_streams_do_not_disturb_each_other(detector: VoiceActivityDetector) -> None:
    sounds = [sound(seed) for seed in range(12)]
    alone = [await detector.open_stream().observe(pcm) for pcm in sounds]
    together = await asyncio.gather(
        *(heard(detector.open_stream(), cut(pcm, iter([1 + i] * WINDOWS))) for i, pcm in enumerate(sounds))
    )
    for one, other in zip(alone, together, strict=True):
        assert other == pytest.approx(one, abs=TOLERANCE)
