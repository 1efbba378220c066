"""Where nobody speaks, no word is written. ``make trust PART=silence`` has hours of it; this is the reduced form."""

import pytest

from scripts.benchmarks.sounds import as_pcm, generated_sounds, looped
from tests.fixtures.native_client import stream
from tests.fixtures.server import RunningServer

SOUNDS = (
    "white noise -30 dBFS",
    "pink noise -45 dBFS",
    "brown noise -15 dBFS",
    "hum 60 Hz with hiss",
    "keyboard",
    "ring tone of America",
    "breath, close",
    "chords",
)


@pytest.mark.parametrize("language", [None, "zh", "en"])
async def test_noise_tones_and_breath_have_no_words(server: RunningServer, language: str | None) -> None:
    sounds = generated_sounds()
    pcm = b"".join(looped(as_pcm(sounds[name]()), 8) + bytes(32_000) for name in SOUNDS)

    dialogue = await stream(server.ws_url, pcm, language=language)

    assert [final["text"] for final in dialogue.of("final") if final["text"]] == []
    assert dialogue.only("ended")["final_ms"] == len(pcm) // 32


async def test_a_quarter_of_an_hour_of_digital_silence_is_no_utterance(server: RunningServer) -> None:
    dialogue = await stream(server.ws_url, bytes(15 * 60 * 32_000), packet_bytes=64_000)

    assert dialogue.kinds == ["started", "ended"]
