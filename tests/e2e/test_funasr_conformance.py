"""FunASR's runtime protocol, item by item: what its many clients need of a server, each shown with real speech."""

import asyncio
import io
import json
import wave
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from asr_service.domain.value_objects.transcript import join_texts
from asr_service.infrastructure.artifacts.recordings import Recording
from tests.fixtures.funasr_client import FRAME_BYTES, Frame, connected, paced, stamps_that_html5_looks_up
from tests.fixtures.recordings import RATE_HZ, Clip, pcm_of
from tests.fixtures.server import RunningServer, eventually

FASTER_THAN_SPEECH = 2.0
PATIENCE_S = 3  # html5 and Java clients close so long after they have said that the input has ended
MANDATORY = {"mode", "text", "wav_name", "is_final"}  # the C# client fails without one of them


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
async def test_f01_clients_connect_to_any_of_their_paths(
    server: RunningServer, short_english_clip: Clip, path: str
) -> None:
    async with connected(server.ws_url + path) as client:
        (frame,) = await client.recognize(short_english_clip.pcm, "offline")
    assert short_english_clip.errors_in(frame["text"]) == 0


@pytest.mark.parametrize("offered", [[], ["binary"], ["other", "binary"], ["other"]])
async def test_f02_the_sub_protocol_is_selected_if_it_is_offered_and_never_required(
    server: RunningServer, offered: list[str]
) -> None:
    async with connected(f"{server.ws_url}/", offered) as client:
        assert client.subprotocol == ("binary" if "binary" in offered else None)
        await client.configure("2pass")
        await client.end()
        assert await client.receive() == {"mode": "2pass-offline", "wav_name": "demo", "text": "", "is_final": True}


async def test_f03_a_configuration_is_understood_as_clients_write_it(
    server: RunningServer, short_english_clip: Clip
) -> None:
    written = {"chunk_size": "5,10,5", "audio_fs": 16_000.0, "is_speaking": "true", "itn": "true", "wav_name": 7}
    async with connected(f"{server.ws_url}/ws") as client:
        await client.configure("office", **written)  # as the C# sample really does
        await client.send_audio(short_english_clip.pcm)
        await client.end(is_speaking="false", is_end="true")
        frames = [*await client.receive_exchange(), await client.receive()]
    assert short_english_clip.errors_in(displayed(frames)) == 0
    assert (frames[-2]["mode"], frames[-1]["mode"], frames[-1]["is_end"]) == ("2pass-offline", "2pass", True)
    assert {frame["wav_name"] for frame in frames} == {"7"}


def _as_wav(clip: Clip, channels: int) -> bytes:
    """A WAV file of the clip with the same in each channel."""
    samples = memoryview(clip.pcm).cast("h").tolist()
    interleaved = b"".join(sample.to_bytes(2, "little", signed=True) * channels for sample in samples)
    with io.BytesIO() as written:
        with wave.open(written, "wb") as file:
            file.setnchannels(channels)
            file.setsampwidth(2)
            file.setframerate(RATE_HZ)
            file.writeframes(interleaved)
        return written.getvalue()


@pytest.mark.parametrize("channels", [1, 2])
async def test_f04_a_wav_file_that_is_called_pcm_is_taken_by_its_header(
    server: RunningServer, short_english_clip: Clip, channels: int
) -> None:
    async with connected(f"{server.ws_url}/") as client:  # as html5 sends files
        (frame,) = await client.recognize(
            _as_wav(short_english_clip, channels),
            "offline",
            frame_bytes=960,
            wav_format="PCM",
            audio_fs=8_000,
            wav_name="h5",
        )
    assert short_english_clip.errors_in(frame["text"]) == 0
    assert frame["wav_name"] == "h5"


@pytest.mark.parametrize("frame_bytes", [FRAME_BYTES + 1, 5 * 1024 * 1024])
async def test_f05_frames_may_be_of_any_size(server: RunningServer, short_english_clip: Clip, frame_bytes: int) -> None:
    pcm = short_english_clip.pcm
    whole = pcm if frame_bytes <= len(pcm) else pcm + bytes(frame_bytes - len(pcm))
    async with connected(f"{server.ws_url}/ws") as client:
        frames = await client.recognize(whole, "2pass", frame_bytes=frame_bytes)
    assert short_english_clip.errors_in(displayed(frames)) == 0


async def test_f06_two_pass_shows_increments_and_replaces_them_by_the_segment(
    server: RunningServer, english_clip: Clip
) -> None:
    async with connected(f"{server.ws_url}/ws", ["binary"]) as client:
        frames = await client.recognize(english_clip.pcm, "2pass", speed=FASTER_THAN_SPEECH, svs_lang="en")
    first, second = texts(frames, "2pass-offline")
    assert english_clip.errors_in(f"{first} {second}") <= 0.1
    assert english_clip.errors_in(displayed(frames)) <= 0.1
    increments = texts(frames, "2pass-online")
    assert increments
    assert len("".join(increments)) <= 1.2 * len(first + second)  # repeated text would be far longer


async def test_f06_online_sends_increments_that_add_up_to_the_text(server: RunningServer, mandarin_clip: Clip) -> None:
    async with connected(server.ws_url) as client:
        frames = await client.recognize(mandarin_clip.pcm, "online", speed=FASTER_THAN_SPEECH, svs_lang="zh")
    assert {frame["mode"] for frame in frames} == {"2pass-online"}
    assert mandarin_clip.errors_in("".join(texts(frames, "2pass-online"))) <= 0.2


@pytest.mark.parametrize("mode", ["2pass", "online", "offline"])
async def test_f07_one_result_is_the_final_one_and_it_is_the_last(
    server: RunningServer, mandarin_clip: Clip, mode: str
) -> None:
    async with connected(f"{server.ws_url}/wss/", ["binary"]) as client:
        frames = await client.recognize(mandarin_clip.pcm, mode, speed=FASTER_THAN_SPEECH, svs_lang="zh")
        await client.configure("offline", wav_name="next")
        await client.end()
        following = await client.receive()
    assert [frame["is_final"] for frame in frames] == [False] * (len(frames) - 1) + [True]
    assert following["wav_name"] == "next"  # nothing came in between
    shown = displayed(frames) if mode == "2pass" else join_texts(frame["text"] for frame in frames)
    assert mandarin_clip.errors_in(shown) <= 0.2, frames
    if mode == "offline":
        assert [frame["mode"] for frame in frames] == ["offline"]


async def test_f08_an_acknowledgement_comes_last_and_only_to_who_asks(
    server: RunningServer, short_english_clip: Clip
) -> None:
    async with connected(f"{server.ws_url}/ws") as client:
        silent = await client.recognize(short_english_clip.pcm, "2pass", wav_name="one")
        await client.configure("2pass", wav_name="two")
        await client.send_audio(short_english_clip.pcm)
        await client.end(is_end=True)
        answered = await client.receive_exchange()
        acknowledgement = await client.receive()
        await client.configure("offline", wav_name="three")
        await client.end()
        following = await client.receive()
    assert short_english_clip.errors_in(displayed(silent)) == short_english_clip.errors_in(displayed(answered)) == 0
    assert all("is_end" not in frame for frame in [*silent, *answered])
    assert {frame["wav_name"] for frame in answered} == {"two"}
    assert acknowledgement == {"mode": "2pass", "wav_name": "two", "text": "", "is_final": True, "is_end": True}
    assert following["wav_name"] == "three"


async def test_f09_an_end_that_is_said_twice_is_harmless(server: RunningServer, short_english_clip: Clip) -> None:
    async with connected(f"{server.ws_url}/ws", ["binary"]) as client:
        await client.configure("2pass", wav_name="one")
        await client.send_audio(short_english_clip.pcm)
        await client.end()
        await client.end()
        first = await client.receive_exchange()
        await client.end()
        second = await client.recognize(short_english_clip.pcm, "2pass", wav_name="two")
        await client.end()  # and gone, as one client does: that this is no error in the log, the server's fixture checks
    assert {frame["wav_name"] for frame in second} == {"two"}
    assert short_english_clip.errors_in(displayed(first)) == short_english_clip.errors_in(displayed(second)) == 0


async def test_f10_a_second_utterance_follows_on_the_same_connection(
    server: RunningServer, short_english_clip: Clip, mandarin_clip: Clip
) -> None:
    async with connected(f"{server.ws_url}/ws", ["binary"]) as client:
        english = await client.recognize(short_english_clip.pcm, "2pass", wav_name="one")
        mandarin = await client.recognize(mandarin_clip.pcm, "2pass", wav_name="two")
    assert short_english_clip.errors_in(displayed(english)) == 0
    assert mandarin_clip.errors_in(displayed(mandarin)) <= 0.1
    assert ({frame["wav_name"] for frame in english}, {frame["wav_name"] for frame in mandarin}) == ({"one"}, {"two"})


async def test_f11_times_are_a_text_and_as_many_as_html5_looks_up(
    server: RunningServer, english_clip: Clip, mandarin_clip: Clip
) -> None:
    async with connected(f"{server.ws_url}/ws") as client:
        frames = [
            frame
            for clip in (english_clip, mandarin_clip)
            for frame in await client.recognize(clip.pcm, "2pass", svs_lang=clip.language)
        ]
    segments = [frame for frame in frames if frame["mode"] == "2pass-offline" and frame["text"]]
    assert english_clip.errors_in(join_texts(frame["text"] for frame in segments[:2])) <= 0.1
    for frame in segments:
        assert isinstance(frame["timestamp"], str)
        stamps = json.loads(frame["timestamp"])
        assert len(stamps) == stamps_that_html5_looks_up(frame["text"]), frame
        edges = [edge for stamp in stamps for edge in stamp]
        assert edges == sorted(edges)
        assert frame["stamp_sents"][-1]["end"] == stamps[-1][1]
    assert all("timestamp" not in frame for frame in frames if frame["mode"] == "2pass-online")


async def test_f12_every_frame_has_what_clients_cannot_do_without(
    server: RunningServer, short_english_clip: Clip
) -> None:
    async with connected(f"{server.ws_url}/ws") as client:
        await client.socket.send("no JSON")
        refused = await client.receive()
        frames = [refused]
        for mode in ("2pass", "online", "offline"):
            frames += await client.recognize(short_english_clip.pcm, mode, speed=FASTER_THAN_SPEECH)
            await client.end(is_end=True)
            frames.append(await client.receive())
    assert [sorted(MANDATORY - frame.keys()) for frame in frames] == [[]] * len(frames)
    kinds = {key: {type(frame[key]) for frame in frames} for key in MANDATORY}
    assert kinds == {"mode": {str}, "text": {str}, "wav_name": {str}, "is_final": {bool}}
    assert refused["code"] == "malformed_message"
    assert short_english_clip.errors_in(frames[-2]["text"]) == 0


@pytest.mark.parametrize(
    "hotwords",
    ['{"Klubs": 20}', {"Klubs": "20"}, r'{"\u004blubs": 20}', "Klubs,", "Klubs，", " Klubs ", ["Klubs"], "Klubs\n"],
    ids=["json", "object", "escaped", "comma", "full-width", "space", "list", "line"],
)
async def test_f13_hotwords_work_in_every_form(
    server: RunningServer, librivox: list[Recording], hotwords: object
) -> None:
    (recording,) = [one for one in librivox if one.path.stem == "003"]
    async with connected(f"{server.ws_url}/ws") as client:
        (usual,) = await client.recognize(pcm_of(recording.path), "offline", svs_lang="en", hotwords="")
        (wished,) = await client.recognize(pcm_of(recording.path), "offline", svs_lang="en", hotwords=hotwords)
    assert usual["text"].rstrip(".").lower() == recording.reference == "seven of clubs"
    assert wished["text"].rstrip(".") == "Seven of Klubs"


@pytest.mark.parametrize("say_goodbye", [True, False])
async def test_f14_a_client_that_just_goes_frees_its_session(
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


async def test_f15_who_hangs_up_soon_after_the_end_has_the_whole_text(
    server: RunningServer, english_clip: Clip
) -> None:
    """The client is as patient as html5's is: 3 s. That is its behaviour, not a measure of speed."""
    frames: list[Frame] = []
    async with connected(f"{server.ws_url}/ws") as client:
        reading = asyncio.create_task(_read_until_closed(client.socket, frames))
        await client.configure("2pass", svs_lang="en")
        await client.send_audio(english_clip.pcm, speed=1.0)
        await client.end()
        await asyncio.wait([reading], timeout=PATIENCE_S)
    await reading
    assert frames[-1]["is_final"]
    assert english_clip.errors_in(displayed(frames)) <= 0.1


async def _read_until_closed(socket: ClientConnection, frames: list[Frame]) -> None:
    try:
        while not (frames and frames[-1]["is_final"]):
            frames.append(json.loads(await socket.recv()))
    except ConnectionClosed:
        return


async def test_f16_after_start_the_text_commands_of_the_newer_server_are_spoken(
    server: RunningServer, short_english_clip: Clip, mandarin_clip: Clip
) -> None:
    async with connect(server.ws_url, max_size=None) as socket:
        english = await _stream_by_commands(socket, short_english_clip, "HOTWORDS:", "LANGUAGE:English")
        mandarin = await _stream_by_commands(socket, mandarin_clip, "LANGUAGE:中文")
    assert english[:3] == [
        {"event": "started"},
        {"event": "hotwords_set", "hotwords": []},
        {"event": "language_set", "language": "English"},
    ]
    for told, clip in ((english, short_english_clip), (mandarin, mandarin_clip)):
        *before, final, stopped = told
        assert stopped == {"event": "stopped"}
        assert [message.get("is_final", False) for message in before] == [False] * len(before)
        assert any(message.get("partial") for message in before)
        assert clip.errors_in(join_texts(one["text"] for one in final["sentences"])) <= 0.1
        assert all(one["start"] < one["end"] <= final["duration_ms"] for one in final["sentences"])
        assert (final["partial"], final["duration_ms"]) == ("", clip.duration_ms)


async def test_f16_a_commit_has_the_text_of_all_audio_before_it(
    server: RunningServer, short_english_clip: Clip
) -> None:
    async with connect(server.ws_url, max_size=None) as socket:
        for command in ("start", "LANGUAGE:en", "POSTPROCESS_HOTWORDS:the=>THE"):
            await socket.send(command)
        finals = []
        for _ in range(2):
            await socket.send(short_english_clip.pcm)
            await socket.send("COMMIT")
            finals.append(await _receive_until(socket, is_final=True))
    once, twice = [join_texts(one["text"] for one in final[-1]["sentences"]) for final in finals]
    assert short_english_clip.errors_in(once) == 0
    assert twice == f"{once} {once}"
    assert "the" not in once.split()
    samples = len(short_english_clip.pcm) // 2
    assert [final[-1]["duration_ms"] for final in finals] == [samples // 16, 2 * samples // 16]


async def _stream_by_commands(socket: ClientConnection, clip: Clip, *commands: str) -> list[dict[str, Any]]:
    """What one stream is told, up to ``stopped``."""
    reading = asyncio.create_task(_receive_until(socket, event="stopped"))
    for command in ("START", *commands):
        await socket.send(command)
    async for frame in paced(clip.pcm, FRAME_BYTES, FASTER_THAN_SPEECH):
        await socket.send(frame)
    await socket.send("STOP")
    return await reading


async def _receive_until(socket: ClientConnection, **fields: object) -> list[dict[str, Any]]:
    """The messages up to the first one with these fields."""
    messages: list[dict[str, Any]] = []
    async with asyncio.timeout(60):
        while not (messages and fields.items() <= messages[-1].items()):
            messages.append(json.loads(await socket.recv()))
    return messages
