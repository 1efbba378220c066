"""Live sessions over the native protocol: real speech, the real model, the real process."""

import asyncio

from tests.fixtures.native_client import Dialogue, connected, stream
from tests.fixtures.recordings import Clip
from tests.fixtures.server import RunningServer

FASTER_THAN_SPEECH = 2.0  # slow enough for partials, on a machine with something else to do


def assert_all_audio_was_heard(dialogue: Dialogue, clip: Clip) -> None:
    ended = dialogue.only("ended")
    assert ended["reason"] == "completed"
    assert ended["received_ms"] == ended["decoded_ms"] == ended["final_ms"] == clip.duration_ms
    assert dialogue.close_code == 1000


async def test_english_speech_becomes_partials_and_then_finals(server: RunningServer, english_clip: Clip) -> None:
    dialogue = await stream(server.ws_url, english_clip.pcm, speed=FASTER_THAN_SPEECH, language="en")

    assert english_clip.errors_in(dialogue.text) <= 0.1, dialogue.text
    assert len(dialogue.of("final")) == 2
    assert dialogue.of("partial")[0]["utterance"] == 0
    assert_all_audio_was_heard(dialogue, english_clip)


async def test_mandarin_speech_becomes_partials_and_then_finals(server: RunningServer, mandarin_clip: Clip) -> None:
    dialogue = await stream(server.ws_url, mandarin_clip.pcm, speed=FASTER_THAN_SPEECH, language="zh")

    assert mandarin_clip.errors_in(dialogue.text) <= 0.1, dialogue.text
    assert dialogue.of("partial")
    assert_all_audio_was_heard(dialogue, mandarin_clip)


async def test_the_language_of_each_utterance_is_detected(
    server: RunningServer, short_english_clip: Clip, mandarin_clip: Clip
) -> None:
    dialogue = await stream(server.ws_url, short_english_clip.pcm + mandarin_clip.pcm)

    languages = [final["language"] for final in dialogue.of("final")]
    assert languages == ["en", "zh", "zh"]
    assert all(final["language_confidence"] > 0.5 for final in dialogue.of("final"))
    english, *mandarin = dialogue.of("final")
    assert short_english_clip.errors_in(english["text"]) == 0
    assert mandarin_clip.errors_in("".join(final["text"] for final in mandarin)) <= 0.1


async def test_words_are_where_they_were_spoken(server: RunningServer, english_clip: Clip) -> None:
    dialogue = await stream(server.ws_url, english_clip.pcm, language="en")

    first, second = dialogue.of("final")
    assert first["timing"] == second["timing"] == "aligned"
    for final in (first, second):
        spoken = " ".join(word["text"] for word in final["words"])
        assert spoken == final["text"]
    # The second sentence begins after at least the pause that was put before it.
    assert second["words"][0]["start_ms"] - first["words"][-1]["end_ms"] >= 700


async def test_what_is_wished_for_is_what_is_in_force(server: RunningServer, short_english_clip: Clip) -> None:
    dialogue = await stream(
        server.ws_url,
        short_english_clip.pcm,
        language="en",
        word_times=False,
        partials={"enabled": False},
        endpointing={"silence_ms": 300},
        name="front desk",
    )

    started, final = dialogue.only("started"), dialogue.only("final")
    assert started["model"] == "whisper-base"
    assert {"en", "zh"} <= set(started["capabilities"]["languages"])
    assert started["config"]["endpointing"]["silence_ms"] == 300
    assert (final["words"], final["timing"], dialogue.of("partial")) == ([], "none", [])
    listed = server.get(f"/api/v1/sessions/{started['session_id']}").json()
    assert listed["name"] == "front desk"


async def test_text_is_written_as_it_was_asked_for(server: RunningServer, short_english_clip: Clip) -> None:
    english = await stream(server.ws_url, short_english_clip.pcm, language="en", numbers="written", casing="lower")

    assert english.only("started")["wishes"] == {"word_times": "applied", "numbers": "emulated", "casing": "applied"}
    assert english.text == english.text.lower()
    assert short_english_clip.errors_in(english.text) == 0
    final = english.only("final")
    assert " ".join(word["text"] for word in final["words"]) == final["text"]


async def test_a_session_that_must_not_be_stored_is_not(server: RunningServer, short_english_clip: Clip) -> None:
    dialogue = await stream(server.ws_url, short_english_clip.pcm, store=False)

    assert dialogue.only("final")["text"]
    assert server.get(f"/api/v1/sessions/{dialogue.only('started')['session_id']}").status_code == 404


async def test_an_endpoint_on_demand_ends_the_utterance_at_once(
    server: RunningServer, short_english_clip: Clip
) -> None:
    async with connected(server.ws_url) as client:
        await client.send("start", language="en", endpointing={"silence_ms": 5_000})
        await client.send_audio(short_english_clip.pcm)
        await client.send("endpoint")
        await client.send("ping", id="still here")
        final = await client.receive_until("final")
        await client.send("end")
        dialogue = await client.finish()

    assert short_english_clip.errors_in(final["text"]) == 0
    assert dialogue.only("speech_ended")["forced"] is True
    assert dialogue.only("pong")["id"] == "still here"


async def test_silence_has_no_text(server: RunningServer) -> None:
    dialogue = await stream(server.ws_url, bytes(16_000 * 2 * 3))

    assert dialogue.kinds == ["started", "ended"]
    assert dialogue.only("ended")["received_ms"] == 3_000


async def test_sessions_side_by_side_get_their_own_text(
    server: RunningServer, short_english_clip: Clip, mandarin_clip: Clip
) -> None:
    clips = [short_english_clip, mandarin_clip] * 3

    dialogues = await asyncio.gather(*(stream(server.ws_url, clip.pcm) for clip in clips))

    assert max(clip.errors_in(dialogue.text) for clip, dialogue in zip(clips, dialogues, strict=True)) <= 0.1


async def test_the_result_does_not_depend_on_how_the_audio_is_cut(server: RunningServer, mandarin_clip: Clip) -> None:
    finals = [await _finals_of(server, mandarin_clip, packet_bytes) for packet_bytes in (1_920, 999, 1_000_000)]

    assert finals[0] == finals[1] == finals[2]


async def _finals_of(server: RunningServer, clip: Clip, packet_bytes: int) -> list[dict[str, object]]:
    dialogue = await stream(server.ws_url, clip.pcm, packet_bytes=packet_bytes, language=clip.language)
    assert clip.errors_in(dialogue.text) <= 0.1
    of_the_moment = {"seq", "durable"}  # durable: whether the journal had it within a tenth of a second
    return [{key: final[key] for key in final.keys() - of_the_moment} for final in dialogue.of("final")]
