"""Clients of FunASR's runtime protocol are served as by FunASR's own servers."""

import json

import pytest

from asr_service.domain.value_objects.transcript import join_texts
from tests.fixtures.funasr_client import Frame, connected
from tests.fixtures.recordings import Clip
from tests.fixtures.server import RunningServer, eventually

FASTER_THAN_SPEECH = 2.0


def texts(frames: list[Frame], *modes: str) -> list[str]:
    return [frame["text"] for frame in frames if frame["mode"] in modes and frame["text"]]


def displayed(frames: list[Frame]) -> str:
    """What clients show: increments are appended, a segment's result replaces those since the one before."""
    settled, increments = [], ""
    for frame in frames:
        if frame["mode"] == "2pass-offline" and frame["text"]:
            settled.append(frame["text"])
            increments = ""
        elif frame["mode"] == "2pass-online":
            increments += frame["text"]
    return join_texts([*settled, *([increments] if increments else [])])


@pytest.mark.parametrize("path", ["", "/", "/ws", "/wss/"])
@pytest.mark.parametrize("subprotocols", [[], ["binary"], ["binary", "other"]])
async def test_clients_connect_to_any_of_their_paths_with_and_without_the_sub_protocol(
    server: RunningServer, path: str, subprotocols: list[str]
) -> None:
    async with connected(server.ws_url + path, subprotocols) as client:
        assert client.subprotocol == ("binary" if subprotocols else None)
        await client.configure("2pass")
        await client.end()
        assert await client.receive() == {"mode": "2pass-offline", "wav_name": "demo", "text": "", "is_final": True}


async def test_two_pass_shows_increments_and_replaces_them_by_the_segment(
    server: RunningServer, english_clip: Clip
) -> None:
    async with connected(f"{server.ws_url}/ws", ["binary"]) as client:
        frames = await client.recognize(english_clip.pcm, "2pass", speed=FASTER_THAN_SPEECH, svs_lang="en")

    first, second = texts(frames, "2pass-offline")
    assert english_clip.errors_in(f"{first} {second}") <= 0.1
    assert english_clip.errors_in(displayed(frames)) <= 0.1
    assert texts(frames, "2pass-online")
    assert [frame["is_final"] for frame in frames] == [False] * (len(frames) - 1) + [True]
    assert {frame["wav_name"] for frame in frames} == {"demo"}
    first_frame = next(frame for frame in frames if frame["text"] == first)
    stamps = json.loads(first_frame["timestamp"])
    assert len(stamps) >= len(first.split())
    assert [stamp for pair in stamps for stamp in pair] == sorted(stamp for pair in stamps for stamp in pair)
    assert first_frame["stamp_sents"][-1]["end"] == stamps[-1][1]


async def test_online_sends_increments_that_add_up_to_the_text(server: RunningServer, mandarin_clip: Clip) -> None:
    async with connected(server.ws_url) as client:
        frames = await client.recognize(mandarin_clip.pcm, "online", speed=FASTER_THAN_SPEECH, svs_lang="zh")

    assert {frame["mode"] for frame in frames} == {"2pass-online"}
    assert mandarin_clip.errors_in("".join(texts(frames, "2pass-online"))) <= 0.2


async def test_offline_answers_once_with_the_whole_text(server: RunningServer, mandarin_clip: Clip) -> None:
    async with connected(f"{server.ws_url}/wss/", ["binary"]) as client:
        (frame,) = await client.recognize(mandarin_clip.pcm, "offline", svs_lang="zh")

    assert (frame["mode"], frame["is_final"]) == ("offline", True)
    assert mandarin_clip.errors_in(frame["text"]) <= 0.1, frame


async def test_a_file_in_its_container_is_recognized_as_html5_clients_send_it(
    server: RunningServer, short_english_clip: Clip
) -> None:
    wav_file = short_english_clip.path.read_bytes()  # declared as PCM, header included

    async with connected(f"{server.ws_url}/") as client:
        (frame,) = await client.recognize(wav_file, "offline", wav_format="PCM", wav_name="h5")

    assert short_english_clip.errors_in(frame["text"]) == 0
    assert frame["wav_name"] == "h5"


async def test_two_utterances_on_one_connection_and_an_end_that_is_said_twice(
    server: RunningServer, short_english_clip: Clip, mandarin_clip: Clip
) -> None:
    async with connected(f"{server.ws_url}/ws", ["binary"]) as client:
        english = await client.recognize(short_english_clip.pcm, "2pass", wav_name="one")
        await client.end()
        mandarin = await client.recognize(mandarin_clip.pcm, "2pass", wav_name="two")
        await client.end(is_end=True)
        acknowledged = await client.receive()

    assert short_english_clip.errors_in(displayed(english)) == 0
    assert mandarin_clip.errors_in(displayed(mandarin)) <= 0.1
    assert ({frame["wav_name"] for frame in english}, {frame["wav_name"] for frame in mandarin}) == ({"one"}, {"two"})
    assert acknowledged == {"mode": "2pass", "wav_name": "two", "text": "", "is_final": True, "is_end": True}


@pytest.mark.parametrize("say_goodbye", [True, False])
async def test_a_client_that_just_goes_frees_its_session(
    server: RunningServer, english_clip: Clip, say_goodbye: bool
) -> None:
    eventually(lambda: server.metric("asr_sessions_active") == 0, "the server is idle")
    gone_before = server.metric("asr_sessions_ended_total", reason="disconnected")

    async with connected(f"{server.ws_url}/ws") as client:
        await client.configure("2pass", wav_name=f"gone {say_goodbye}")
        await client.send_audio(english_clip.pcm)
        await client.receive()
        assert server.metric("asr_sessions_active") == 1
        if say_goodbye:
            await client.socket.close()
        else:
            client.socket.transport.abort()

    eventually(lambda: server.metric("asr_sessions_active") == 0, "the session is freed")
    assert server.metric("asr_sessions_ended_total", reason="disconnected") == gone_before + 1
    eventually(lambda: server.metric("asr_queue_items", queue="recognizer") == 0, "nothing waits to be recognized")
    newest = eventually(lambda: _newest_closed_session(server, f"gone {say_goodbye}"), "the end is stored")
    assert newest["end_reason"] == "disconnected"


def _newest_closed_session(server: RunningServer, name: str) -> dict[str, object] | None:
    (newest,) = server.get("/api/v1/sessions", limit=1).json()["items"]
    return newest if (newest["name"], newest["status"]) == (name, "closed") else None
