"""Whatever the format in which a client of the native protocol sends speech, its text comes."""

import pytest

from asr_service.infrastructure.artifacts.recordings import Recording
from tests.fixtures.native_client import connected, stream
from tests.fixtures.recordings import Clip, join_recordings
from tests.fixtures.server import RunningServer
from tests.fixtures.transcoding import opus_packets, raw, transcoded


@pytest.fixture(scope="module")
def telephone_clip(telephone: list[Recording], tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """A prompt of a real telephone exchange, recorded at 8 kHz."""
    prompt = next(recording for recording in telephone if recording.name == "cannot-complete-as-dialed.wav")
    return join_recordings([prompt], tmp_path_factory.mktemp("telephone") / "prompt.wav", silence_ms=500)


@pytest.mark.parametrize(("encoding", "codec"), [("mulaw", "pcm_mulaw"), ("alaw", "pcm_alaw")])
async def test_telephone_audio_is_understood(
    server: RunningServer, telephone_clip: Clip, encoding: str, codec: str
) -> None:
    audio = raw(telephone_clip.path, codec, layout="mono", rate_hz=8_000)

    dialogue = await stream(server.ws_url, audio, audio={"encoding": encoding, "sample_rate": 8_000}, language="en")

    assert telephone_clip.errors_in(dialogue.text) == 0, dialogue.text
    assert abs(dialogue.only("ended")["received_ms"] - telephone_clip.duration_ms) <= 1


async def test_studio_audio_is_understood(server: RunningServer, short_english_clip: Clip) -> None:
    audio = raw(short_english_clip.path, "pcm_f32le", layout="stereo", rate_hz=48_000)
    audio_format = {"encoding": "pcm_f32le", "sample_rate": 48_000, "channels": 2}

    dialogue = await stream(server.ws_url, audio, packet_bytes=10_007, audio=audio_format, language="en")

    assert short_english_clip.errors_in(dialogue.text) == 0, dialogue.text
    assert abs(dialogue.only("ended")["received_ms"] - short_english_clip.duration_ms) <= 1


async def test_a_wav_header_inside_pcm_is_no_noise(server: RunningServer, short_english_clip: Clip) -> None:
    wav_file = short_english_clip.path.read_bytes()

    # The first packet ends in the middle of the header.
    dialogue = await stream(server.ws_url, wav_file, packet_bytes=33, language="en")

    assert short_english_clip.errors_in(dialogue.text) == 0, dialogue.text
    assert dialogue.only("ended")["received_ms"] == short_english_clip.duration_ms


async def test_a_wav_header_inside_pcm_knows_better_than_the_start_message(
    server: RunningServer, short_english_clip: Clip
) -> None:
    wav_file = transcoded(short_english_clip.path, "wav")  # 44.1 kHz, stereo, 24 bit

    dialogue = await stream(server.ws_url, wav_file, audio={"sample_rate": 8_000}, language="en")

    assert short_english_clip.errors_in(dialogue.text) == 0, dialogue.text


@pytest.mark.parametrize(("layout", "frame_ms"), [("mono", 20), ("stereo", 60)])
async def test_opus_packets_are_understood(
    server: RunningServer, short_english_clip: Clip, layout: str, frame_ms: int
) -> None:
    sent = opus_packets(short_english_clip.path, layout=layout, frame_ms=frame_ms)
    channels = 2 if layout == "stereo" else 1
    async with connected(server.ws_url) as client:
        await client.send("start", audio={"encoding": "opus", "channels": channels}, language="en")
        for packet in sent:
            await client.send_frame(packet)
        await client.send("end")
        dialogue = await client.finish()
    plain = await stream(server.ws_url, short_english_clip.pcm, language="en")

    assert dialogue.text == plain.text
    assert short_english_clip.errors_in(dialogue.text) == 0, dialogue.text
    assert dialogue.only("started")["resume"] is None
    assert dialogue.only("ended")["received_ms"] == len(sent) * frame_ms
    assert sum(map(len, sent)) < len(short_english_clip.pcm) / 8


async def test_what_is_no_opus_packet_is_refused(server: RunningServer, short_english_clip: Clip) -> None:
    ogg = transcoded(short_english_clip.path, "ogg")

    dialogue = await stream(server.ws_url, b"\xff" + ogg[:50], audio={"encoding": "opus"})

    assert dialogue.only("error")["code"] == "audio_not_decodable"
    assert dialogue.close_code == 1003


@pytest.mark.parametrize("extension", ["mp3", "m4a", "ogg", "webm"])
async def test_a_whole_file_can_be_sent_as_it_is(server: RunningServer, mandarin_clip: Clip, extension: str) -> None:
    file = transcoded(mandarin_clip.path, extension)

    dialogue = await stream(server.ws_url, file, audio={"encoding": "container"}, language="zh")

    assert mandarin_clip.errors_in(dialogue.text) <= 0.1, dialogue.text
    assert abs(dialogue.only("ended")["received_ms"] - mandarin_clip.duration_ms) < 100  # encoders pad
