"""Recordings that are long and mostly silent. ``make trust PART=long`` has six hours of one."""

from pathlib import Path

import httpx

from scripts.benchmarks.processes import rss_bytes
from tests.fixtures.native_client import stream
from tests.fixtures.recordings import Clip, write_wav
from tests.fixtures.server import RunningServer

LOOP_MS = 150_000
LOOPS = 4
GROWTH_ALLOWED_BYTES = 64 << 20
HOUR_MS = 3_600_000


def test_word_times_do_not_drift_and_memory_does_not_grow(
    server: RunningServer, short_english_clip: Clip, tmp_path: Path
) -> None:
    loop = short_english_clip.pcm.ljust(LOOP_MS * 32, b"\0")
    write_wav(tmp_path / "long.wav", loop * LOOPS)
    before = rss_bytes(server.pid)

    with (tmp_path / "long.wav").open("rb") as file:
        answer = httpx.post(
            f"{server.http_url}/v1/audio/transcriptions",
            files={"file": file},
            data={"language": "en", "response_format": "verbose_json", "timestamp_granularities[]": "word"},
            timeout=60,
        ).json()

    words = answer["words"]
    loops = [[word for word in words if word["start"] * 1_000 // LOOP_MS == number] for number in range(LOOPS)]
    assert [short_english_clip.errors_in(" ".join(word["word"] for word in loop)) for loop in loops] == [0] * LOOPS
    first, last = loops[0], loops[-1]
    shift_s = (LOOPS - 1) * LOOP_MS / 1_000
    assert max(abs(b["start"] - shift_s - a["start"]) for a, b in zip(first, last, strict=True)) <= 0.1
    assert answer["duration"] == LOOPS * LOOP_MS / 1_000
    assert rss_bytes(server.pid) - before < GROWTH_ALLOWED_BYTES


async def test_after_an_hour_of_silence_speech_is_heard_in_its_place(
    server: RunningServer, short_english_clip: Clip
) -> None:
    pcm = bytes(HOUR_MS * 32) + short_english_clip.pcm

    dialogue = await stream(server.ws_url, pcm, packet_bytes=1 << 20, language="en")

    final = dialogue.only("final")
    assert short_english_clip.errors_in(final["text"]) == 0
    assert (
        HOUR_MS
        <= final["words"][0]["start_ms"]
        < final["words"][-1]["end_ms"]
        <= HOUR_MS + short_english_clip.duration_ms
    )
