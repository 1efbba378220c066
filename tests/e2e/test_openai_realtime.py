"""OpenAI's Realtime interface with the unmodified package ``openai``, and by hand where that cannot be made to say it.

The names of the tests are those of the points of conformance, T1 to T10.
"""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from tests.fixtures.client_packages import OPENAI, run_client
from tests.fixtures.realtime_client import COMPLETED, DELTA, Event, RealtimeClient, connected
from tests.fixtures.recordings import Clip
from tests.fixtures.server import RunningServer
from tests.fixtures.transcoding import raw

pytestmark = pytest.mark.timeout(300)  # the first run installs

INTENT = {"intent": "transcription"}
RATE_HZ = 24_000
SILENCE = bytes(RATE_HZ * 2)  # a second


def pcm(clip: Clip, rate_hz: int = RATE_HZ) -> bytes:
    """What a client sends of a clip, before the silence in which its end is found."""
    return raw(clip.path, "pcm_s16le", layout="mono", rate_hz=rate_hz)


def transcribe(server: RunningServer, folder: Path, audio: list[bytes], **job: Any) -> list[Event]:
    """The events that a user of the package gets."""
    files = [folder / f"{number}.raw" for number in range(len(audio))]
    for file, content in zip(files, audio, strict=True):
        file.write_bytes(content)
    defaults = {"beta": False, "query": INTENT, "session": None, "commit": False, "items": 1}
    named = {"url": f"{server.http_url}/v1", "audio": [str(file) for file in files]}
    events: list[Event] = json.loads(run_client(OPENAI, "with_openai_realtime.py", json.dumps(defaults | named | job)))
    assert not [event for event in events if event["type"] == "error"], events
    return events


def kinds_of(events: list[Event], item_id: str) -> list[str]:
    """What was said of an item, but for its deltas."""
    of_item = [event for event in events if item_id in (event.get("item_id"), event.get("item", {}).get("id"))]
    return [event["type"].removeprefix("conversation.item.") for event in of_item if event["type"] != DELTA]


def transcript(events: list[Event]) -> str:
    """All that was said."""
    return " ".join(event["transcript"] for event in events if event["type"] == COMPLETED)


async def transcribed(client: RealtimeClient, clip: Clip) -> None:
    """The text of a clip whose audio was sent has come, and it is right."""
    await client.receive_until(COMPLETED)
    assert clip.errors_in(transcript(client.events)) == 0, client.events


@pytest.mark.parametrize("model", [None, "whisper-1", "gpt-4o-transcribe"])
def test_t01_the_model_may_stand_in_the_address(
    server: RunningServer, tmp_path: Path, short_english_clip: Clip, model: str | None
) -> None:
    query = INTENT if model is None else {**INTENT, "model": model}

    events = transcribe(server, tmp_path, [pcm(short_english_clip) + SILENCE], query=query)

    assert short_english_clip.errors_in(transcript(events)) == 0
    heard_by = events[0]["session"]["audio"]["input"]["transcription"]["model"]
    assert heard_by == (model or "whisper-base")


async def test_t01_an_unknown_model_is_refused_in_openais_words(server: RunningServer) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connected(server.ws_url, "?model=gpt-9"):
            pass
    assert refused.value.response.status_code == 404
    error = json.loads(refused.value.response.body or b"")["error"]
    assert (error["code"], error["type"], error["param"]) == ("model_not_found", "invalid_request_error", "model")


async def test_t02_session_created_comes_before_the_client_has_said_anything(server: RunningServer) -> None:
    async with connected(server.ws_url) as client:
        created = await client.receive()
    assert created["type"] == "session.created"
    assert created["session"]["type"] == "transcription"
    assert created["session"]["object"] == "realtime.transcription_session"
    assert created["session"]["id"].startswith("sess_")


async def test_t03_updates_change_what_they_name_and_null_turns_off(server: RunningServer) -> None:
    async with connected(server.ws_url) as client:
        first = await client.update(turn_detection={"type": "server_vad", "silence_duration_ms": 300})
        second = await client.update(transcription={"model": "whisper-1", "language": "en"})
        off = await client.update(turn_detection=None)
        still_off = await client.update(transcription={"prompt": "Names: Ann."})
        on = await client.update(turn_detection={"type": "semantic_vad", "eagerness": "high"})

    detection = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 300}
    assert first["turn_detection"] == second["turn_detection"] == detection
    assert off["turn_detection"] is still_off["turn_detection"] is None
    assert still_off["transcription"] == {"model": "whisper-1", "language": "en", "prompt": "Names: Ann."}
    assert on["turn_detection"] == {"type": "semantic_vad", "eagerness": "high"}


def test_t04_with_turn_detection_each_utterance_is_an_item_with_one_id(
    server: RunningServer, tmp_path: Path, english_clip: Clip
) -> None:
    session = {"type": "transcription", "audio": {"input": {"transcription": {"model": "whisper-1", "language": "en"}}}}

    events = transcribe(server, tmp_path, [pcm(english_clip)], session=session, items=2)

    assert english_clip.errors_in(transcript(events)) <= 0.1, transcript(events)
    started = [event for event in events if event["type"] == "input_audio_buffer.speech_started"]
    stopped = [event for event in events if event["type"] == "input_audio_buffer.speech_stopped"]
    committed = [event for event in events if event["type"] == "input_audio_buffer.committed"]
    for event in started:
        assert kinds_of(events, event["item_id"]) == [
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            "added",
            "done",
            "input_audio_transcription.completed",
        ]
    ids = [event["item_id"] for event in started]
    assert [event["item_id"] for event in committed] == ids
    assert [event["previous_item_id"] for event in committed] == [None, ids[0]]
    times = [time for pair in zip(started, stopped, strict=True) for time in pair]
    bounds_ms = [event.get("audio_start_ms", event.get("audio_end_ms")) for event in times]
    assert bounds_ms == sorted(bounds_ms)
    assert bounds_ms[-1] <= english_clip.duration_ms
    assert len({event["event_id"] for event in events}) == len(events)


def test_t05_without_turn_detection_items_end_where_the_client_commits(
    server: RunningServer, tmp_path: Path, english_clip: Clip, short_english_clip: Clip
) -> None:
    """The first clip has two sentences with a second of silence around each: that is still one item."""
    session = {"type": "transcription", "audio": {"input": {"turn_detection": None}}}
    audio = [pcm(english_clip), pcm(short_english_clip), SILENCE]

    events = transcribe(server, tmp_path, audio, session=session, commit=True, items=3)

    first, second, third = (event for event in events if event["type"] == COMPLETED)
    assert english_clip.errors_in(first["transcript"]) <= 0.1, first
    assert short_english_clip.errors_in(second["transcript"]) == 0, second
    assert third["transcript"] == ""
    assert [round(event["usage"]["seconds"], 1) for event in (first, second, third)] == [
        round(clip.duration_ms / 1_000, 1) for clip in (english_clip, short_english_clip)
    ] + [1.0]
    committed = [event for event in events if event["type"] == "input_audio_buffer.committed"]
    assert [event["item_id"] for event in committed] == [first["item_id"], second["item_id"], third["item_id"]]
    assert "input_audio_buffer.speech_started" not in {event["type"] for event in events}


async def test_t05_what_is_cleared_is_forgotten(
    server: RunningServer, short_english_clip: Clip, mandarin_clip: Clip
) -> None:
    async with connected(server.ws_url) as client:
        await client.update(turn_detection=None)
        await client.append(pcm(mandarin_clip))
        await client.send("input_audio_buffer.clear")
        await client.receive_until("input_audio_buffer.cleared")
        await client.append(pcm(short_english_clip))
        await client.send("input_audio_buffer.commit")
        await transcribed(client, short_english_clip)
    assert len(client.of("input_audio_buffer.committed")) == 1


async def test_t06_an_empty_commit_is_an_error_and_the_session_goes_on(
    server: RunningServer, short_english_clip: Clip
) -> None:
    async with connected(server.ws_url) as client:
        await client.update(turn_detection=None)
        await client.send("input_audio_buffer.commit", event_id="mine")
        error = (await client.receive())["error"]
        await client.append(pcm(short_english_clip))
        await client.send("input_audio_buffer.commit")
        await transcribed(client, short_english_clip)
    assert error["code"] == "input_audio_buffer_commit_empty"
    assert (error["type"], error["event_id"]) == ("invalid_request_error", "mine")


async def test_t06_one_with_turn_detection_does_no_harm(server: RunningServer, short_english_clip: Clip) -> None:
    async with connected(server.ws_url) as client:
        await client.send("input_audio_buffer.commit")
        await client.append(pcm(short_english_clip) + SILENCE)
        await transcribed(client, short_english_clip)
        await client.send("input_audio_buffer.commit")
        await client.update()
    assert not client.of("error")


@pytest.mark.parametrize(
    ("wanted", "codec", "rate_hz"),
    [
        ({"type": "audio/pcm"}, "pcm_s16le", 24_000),
        ({"type": "audio/pcm", "rate": 16_000}, "pcm_s16le", 16_000),
        ({"type": "audio/pcmu"}, "pcm_mulaw", 8_000),
        ({"type": "audio/pcma"}, "pcm_alaw", 8_000),
    ],
    ids=["pcm24", "pcm16", "pcmu", "pcma"],
)
async def test_t07_audio_of_every_format_is_understood(
    server: RunningServer, short_english_clip: Clip, wanted: dict[str, Any], codec: str, rate_hz: int
) -> None:
    async with connected(server.ws_url) as client:
        in_force = await client.update(format=wanted, turn_detection=None, transcription={"language": "en"})
        await client.append(raw(short_english_clip.path, codec, layout="mono", rate_hz=rate_hz))
        await client.send("input_audio_buffer.commit")
        await transcribed(client, short_english_clip)
    assert wanted.items() <= in_force["format"].items()


def test_t08_deltas_are_appended_and_the_transcript_has_its_usage(
    server: RunningServer, tmp_path: Path, mandarin_clip: Clip
) -> None:
    audio = [pcm(mandarin_clip) + SILENCE]
    session = {"type": "transcription", "audio": {"input": {"transcription": {"language": "zh"}}}}

    events = transcribe(server, tmp_path, audio, session=session, items=2)

    completed = [event for event in events if event["type"] == COMPLETED]
    deltas = "".join(event["delta"] for event in events if event["type"] == DELTA)
    assert mandarin_clip.errors_in("".join(event["transcript"] for event in completed)) <= 0.1, completed
    assert mandarin_clip.errors_in(deltas) <= 0.1, deltas
    for event in completed:
        assert event["usage"]["type"] == "duration"
        assert 0 < event["usage"]["seconds"] <= mandarin_clip.duration_ms / 1_000
        assert event["languages"] == [{"code": "zh"}]
    for earlier, later in pairwise(events):
        assert not (earlier in completed and later["type"] == DELTA and later["item_id"] == earlier["item_id"])


async def test_t08_deltas_come_while_somebody_speaks(server: RunningServer, english_clip: Clip) -> None:
    async with connected(server.ws_url) as client:
        await client.update(transcription={"language": "en"})
        await client.append(pcm(english_clip), speed=2.0)  # slow enough for partials, on a busy machine
        for _ in range(2):
            await client.receive_until(COMPLETED)
    assert english_clip.errors_in(transcript(client.events)) <= 0.1, client.events
    kinds = [event["type"] for event in client.events]
    assert DELTA in kinds[: kinds.index("input_audio_buffer.speech_stopped")]


def test_t09_clients_of_the_beta_are_answered_in_its_shapes(
    server: RunningServer, tmp_path: Path, short_english_clip: Clip
) -> None:
    session = {
        "input_audio_format": "pcm16",
        "input_audio_transcription": {"model": "gpt-4o-transcribe", "language": "en"},
        "turn_detection": {"type": "server_vad", "silence_duration_ms": 400},
    }
    query = {**INTENT, "model": "gpt-4o-realtime-preview"}

    events = transcribe(server, tmp_path, [pcm(short_english_clip) + SILENCE], beta=True, query=query, session=session)

    assert short_english_clip.errors_in(transcript(events)) == 0
    assert [event["type"] for event in events[:2]] == ["transcription_session.created", "transcription_session.updated"]
    in_force = events[1]["session"]
    assert in_force["input_audio_format"] == "pcm16"
    assert in_force["turn_detection"]["silence_duration_ms"] == 400
    assert "audio" not in in_force
    kinds = [event["type"] for event in events]
    assert kinds.count("conversation.item.created") == 1
    assert not {"conversation.item.added", "conversation.item.done"} & set(kinds)


async def test_t10_browsers_show_their_key_among_the_sub_protocols(
    server: RunningServer, short_english_clip: Clip
) -> None:
    key = "sk-never-to-be-seen"
    protocols = ["realtime", f"openai-insecure-api-key.{key}", "openai-beta.realtime-v1"]
    async with connected(server.ws_url, "?model=gpt-realtime", protocols=protocols) as client:
        created = await client.receive()
        await client.append(pcm(short_english_clip) + SILENCE)
        await transcribed(client, short_english_clip)
        assert client.socket.subprotocol == "realtime"
    assert "input_audio_format" in created["session"]
    assert key not in server.log_text


def client_secret(server: RunningServer, **audio_input: Any) -> dict[str, Any]:
    """What a backend asks for on behalf of a browser."""
    body = {"expires_after": {"anchor": "created_at", "seconds": 60}, "session": {"audio": {"input": audio_input}}}
    made: dict[str, Any] = httpx.post(f"{server.http_url}/v1/realtime/client_secrets", json=body).json()
    return made


async def test_t10_a_client_secret_brings_its_session(server: RunningServer, short_english_clip: Clip) -> None:
    secret = client_secret(server, turn_detection=None, format={"type": "audio/pcmu"}, transcription={"language": "en"})
    protocols = ["realtime", f"openai-insecure-api-key.{secret['value']}"]

    async with connected(server.ws_url, "", protocols=protocols) as client:
        created = await client.receive()
        await client.append(raw(short_english_clip.path, "pcm_mulaw", layout="mono", rate_hz=8_000))
        await client.send("input_audio_buffer.commit")
        await transcribed(client, short_english_clip)

    assert created["session"]["audio"] == secret["session"]["audio"]
    assert created["session"]["audio"]["input"]["turn_detection"] is None
    assert secret["value"] not in server.log_text


async def test_t10_an_unknown_client_secret_is_refused(server: RunningServer) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connected(server.ws_url, key="ek_unknown"):
            pass
    assert refused.value.response.status_code == 401
    error = json.loads(refused.value.response.body or b"")["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert error["code"] == "invalid_client_secret"
