"""Bad input gets a clear answer, and nobody else notices: during each of these tests another session is served."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect as websocket_connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.fixtures import funasr_client, wyoming_client
from tests.fixtures.native_client import NativeClient, connected, stream
from tests.fixtures.recordings import Clip
from tests.fixtures.server import RunningServer

GARBAGE = random.Random(7).randbytes(100_000)


@asynccontextmanager
async def undisturbed(server: RunningServer, clip: Clip) -> AsyncIterator[None]:
    """A session that is served while the block runs; it gets its whole text."""
    session = asyncio.create_task(stream(server.ws_url, clip.pcm, speed=4.0, language=clip.language))
    try:
        yield
    finally:
        dialogue = await session
    assert clip.errors_in(dialogue.text) <= 0.1
    assert (dialogue.of("error"), dialogue.only("ended")["reason"]) == ([], "completed")
    assert server.is_ready()


@pytest.fixture
async def bystander(server: RunningServer, mandarin_clip: Clip) -> AsyncIterator[None]:
    async with undisturbed(server, mandarin_clip):
        yield


async def refusal_of(client: NativeClient, frame: str | bytes) -> dict[str, Any]:
    """The error message that answers a frame."""
    await client.send_frame(frame)
    return await client.receive_until("error")


REFUSED_FRAMES: list[tuple[str | bytes, str, str | None]] = [  # frame, code, field
    ("hello", "malformed_message", None),
    ('{"type": "start"', "malformed_message", None),
    ("[1, 2]", "malformed_message", "type"),
    ('{"type": "stop"}', "malformed_message", "type"),
    ('{"type": "start", "lang": "en"}', "malformed_message", "lang"),
    ('{"type": "start", "audio": {"rate": 8000}}', "malformed_message", "audio.rate"),
    ('{"type": "start", "audio": {"sample_rate": "fast"}}', "malformed_message", "audio.sample_rate"),
    ('{"type": "start", "language": "tlh"}', "unsupported_language", "language"),
    (
        '{"type": "start", "language": "yue"}',
        "unsupported_language",
        "language",
    ),  # Whisper has it since its third version
    ('{"type": "end"}', "out_of_turn", None),
    ('{"type": "configure", "language": "en"}', "out_of_turn", None),
    (bytes(3_200), "out_of_turn", None),
]


@pytest.mark.usefixtures("bystander")
async def test_frames_that_cannot_be_understood_are_refused_and_the_session_can_still_be_had(
    server: RunningServer, short_english_clip: Clip
) -> None:
    async with connected(server.ws_url) as client:
        for frame, code, field in REFUSED_FRAMES:
            refusal = await refusal_of(client, frame)
            assert (refusal["code"], refusal["field"], refusal["fatal"]) == (code, field, False), frame
        await client.send("start", language="en")
        await client.send_audio(short_english_clip.pcm)
        in_mid_session = await refusal_of(client, "hello")
        await client.send("end")
        dialogue = await client.finish()

    assert (in_mid_session["code"], in_mid_session["fatal"]) == ("malformed_message", False)
    assert short_english_clip.errors_in(dialogue.text) == 0
    assert dialogue.close_code == 1000


@pytest.mark.usefixtures("bystander")
async def test_garbage_that_is_called_a_container_ends_its_session_only(server: RunningServer) -> None:
    dialogue = await stream(server.ws_url, GARBAGE, audio={"encoding": "container"})

    error = dialogue.only("error")
    assert (error["code"], error["fatal"]) == ("audio_not_decodable", True)
    assert dialogue.close_code == 1003
    assert dialogue.of("final") == []


@pytest.mark.usefixtures("bystander")
async def test_half_a_sample_at_the_end_is_no_harm(server: RunningServer, short_english_clip: Clip) -> None:
    dialogue = await stream(server.ws_url, short_english_clip.pcm + b"\x01", packet_bytes=1_601, language="en")

    assert short_english_clip.errors_in(dialogue.text) == 0
    assert dialogue.only("ended")["received_ms"] == short_english_clip.duration_ms


@pytest.mark.usefixtures("bystander")
async def test_a_frame_that_is_too_large_closes_its_connection_only(server: RunningServer) -> None:
    async with connected(server.ws_url) as client:
        await client.send("start")
        await client.receive_until("started")
        with suppress(ConnectionClosed):  # perhaps before all of it is sent
            await client.send_frame(bytes(17 << 20))
        with pytest.raises(ConnectionClosed) as closed:
            await client.receive()

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


@pytest.mark.usefixtures("bystander")
async def test_nonsense_from_a_funasr_client_is_answered_and_survived(
    server: RunningServer, short_english_clip: Clip
) -> None:
    async with funasr_client.connected(f"{server.ws_url}/ws") as client:
        await client.socket.send("hello")
        refusal = await client.receive()
        assert (refusal["code"], refusal["text"], refusal["is_final"]) == ("malformed_message", "", False)
        await client.send({"audio_fs": "very fast", "is_speaking": True})
        assert (await client.receive())["code"] == "malformed_message"
        frames = await client.recognize(short_english_clip.pcm, "offline")

    assert short_english_clip.errors_in(frames[-1]["text"]) == 0


REFUSED_UPLOADS: list[tuple[bytes | None, dict[str, str], int, str, str | None]] = (
    [  # content, form, status, code, param
        (b"", {}, 400, "empty_audio", None),
        (GARBAGE, {}, 400, "audio_not_decodable", None),
        (None, {}, 400, "invalid_request", "file"),
        (b"x", {"response_format": "pdf"}, 400, "invalid_request", "response_format"),
        (b"x", {"language": "tlh"}, 400, "unsupported_language", "language"),
        (b"x", {"language": "yue"}, 400, "unsupported_language", "language"),
        (b"x", {"model": "whisper-9"}, 404, "model_not_found", None),
    ]
)


@pytest.mark.usefixtures("bystander")
async def test_a_bad_upload_is_answered_as_clients_of_openai_expect(server: RunningServer) -> None:
    async with httpx.AsyncClient(base_url=server.http_url, timeout=60) as client:
        for content, form, status, code, param in REFUSED_UPLOADS:
            files = {"picture": ("x.png", b"x")} if content is None else {"file": ("recording.wav", content)}
            answer = await client.post("/v1/audio/transcriptions", files=files, data=form)
            error = answer.json()["error"]
            assert (answer.status_code, error["code"], error["param"]) == (status, code, param), error
            assert (error["type"], error["message"][-1:]) == ("invalid_request_error", ".")


async def test_a_recording_that_is_cut_short_gives_what_it_has(server: RunningServer, mandarin_clip: Clip) -> None:
    whole = mandarin_clip.path.read_bytes()

    async with httpx.AsyncClient(base_url=server.http_url, timeout=60) as client:
        files = {"file": ("recording.wav", whole[: len(whole) * 2 // 3])}
        answer = await client.post("/v1/audio/transcriptions", files=files, data={"language": "zh"})

    assert answer.status_code == 200
    assert answer.json()["text"].startswith("123")


@pytest.mark.usefixtures("bystander")
async def test_bytes_that_are_no_wyoming_events_close_their_connection_only(
    server: RunningServer, short_english_clip: Clip
) -> None:
    huge = b'{"type": "audio-chunk", "data_length": 2, "payload_length": 99999999999}\n{}'
    async with wyoming_client.connected(server.wyoming_url) as silent:  # half open, as a plug that was pulled
        for sent in (GARBAGE, huge, huge[:20] + b"\n", b"x" * 100_000, GARBAGE.replace(b"\n", b"")):
            async with wyoming_client.connected(server.wyoming_url) as client:
                await client.send_bytes(sent)
                (error,) = await client.hear_all()
                assert (error.type, error.data["code"]) == ("error", "malformed_message")
        silent.vanish()
    async with wyoming_client.connected(server.wyoming_url) as client:
        await client.send("transcribe", language="en")
        await client.say(short_english_clip.pcm)
        (transcript,) = await client.hear_all()

    assert short_english_clip.errors_in(transcript.data["text"]) == 0


@pytest.mark.usefixtures("bystander")
async def test_nonsense_from_a_deepgram_client_is_answered_and_survived(
    server: RunningServer, short_english_clip: Clip
) -> None:
    url = f"{server.ws_url}/v1/listen?encoding=linear16&sample_rate=16000&language=en"
    async with websocket_connect(url) as socket:
        for frame in ("hello", "[]", '{"type": "Configure"}'):
            await socket.send(frame)
            answer = json.loads(await socket.recv())
            assert (answer["type"], answer["variant"]) == ("Error", "malformed_message")
        await socket.send(short_english_clip.pcm)
        await socket.send('{"type": "CloseStream"}')
        messages = [json.loads(frame) async for frame in socket]

    results = [message for message in messages if message["type"] == "Results"]
    text = " ".join(message["channel"]["alternatives"][0]["transcript"] for message in results)
    assert short_english_clip.errors_in(text) == 0
    with pytest.raises(InvalidStatus) as refused:
        await websocket_connect(url.replace("language=en", "language=tlh"))
    assert refused.value.response.status_code == 400
    assert json.loads(refused.value.response.body or b"")["err_code"] == "UNSUPPORTED_LANGUAGE"
