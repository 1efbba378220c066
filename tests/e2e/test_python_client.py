"""The Python client, as its users write it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from asr_service.client import (
    AudioFormat,
    Client,
    Ended,
    Event,
    Final,
    Partial,
    Reconnecting,
    RequestRefused,
    ServerUnreachable,
    SpeechEnded,
    SpeechStarted,
    Started,
    StreamFailed,
    StreamPolicy,
    SyncClient,
)
from tests.fixtures.breakable_proxy import breakable_proxy
from tests.fixtures.native_client import packets
from tests.fixtures.recordings import Clip
from tests.fixtures.server import RunningServer
from tests.fixtures.speakers import Speaker

IMPATIENT = StreamPolicy(give_up_after_s=0.3)


async def events_of(client: Client, clip: Clip, **options: Any) -> list[Event]:
    return [event async for event in client.stream(packets(clip.pcm, 3_200), **options)]


async def test_a_stream_gives_typed_events(server: RunningServer, mandarin_clip: Clip) -> None:
    async with Client(server.http_url) as client:
        speech = Speaker(mandarin_clip.pcm, speed=4).packets()
        events = [event async for event in client.stream(speech, language="zh")]
    assert isinstance(events[0], Started)
    assert any(isinstance(event, Partial) for event in events)
    finals = [event for event in events if isinstance(event, Final)]
    assert mandarin_clip.errors_in("".join(final.text for final in finals)) <= 0.1
    assert finals[0].words[0].start_ms >= finals[0].start_ms
    assert isinstance(events[-1], Ended)
    assert events[-1].received_ms == mandarin_clip.duration_ms


def test_a_program_without_an_event_loop_streams_too(server: RunningServer, short_english_clip: Clip) -> None:
    client = SyncClient(server.http_url)
    events = list(client.stream(packets(short_english_clip.pcm, 3_200), AudioFormat(), language="en"))
    (text,) = [event.text for event in events if isinstance(event, Final)]
    assert short_english_clip.errors_in(text) <= 0.1
    stream = client.stream(packets(short_english_clip.pcm, 3_200))
    assert isinstance(next(stream), Started)
    stream.close()


def test_a_file_is_transcribed_and_its_upload_watched(server: RunningServer, english_clip: Clip) -> None:
    seen: list[tuple[int, int]] = []
    transcript = SyncClient(server.http_url).transcribe(
        english_clip.path, progress=lambda sent, whole: seen.append((sent, whole)), language="en"
    )
    assert english_clip.errors_in(transcript["text"]) <= 0.1
    size_bytes = english_clip.path.stat().st_size
    assert seen[-1] == (size_bytes, size_bytes)
    assert sorted(seen) == seen


async def test_a_file_that_is_no_audio_is_refused_with_the_code_of_the_server(
    server: RunningServer, tmp_path: Path
) -> None:
    junk = tmp_path / "junk.wav"
    junk.write_bytes(b"not audio" * 100)
    async with Client(server.http_url) as client:
        with pytest.raises(RequestRefused) as refusal:
            await client.transcribe(junk)
    assert refusal.value.code == "audio_not_decodable"


async def test_what_is_said_in_between_has_its_place_in_the_audio(
    server: RunningServer, short_english_clip: Clip
) -> None:
    told = asyncio.Event()

    async def speech() -> AsyncIterator[bytes]:
        yield short_english_clip.pcm
        await told.wait()
        yield short_english_clip.pcm

    finals, forced = [], []
    async with Client(server.http_url) as client:
        stream = client.open_stream(speech(), language="en", endpointing={"silence_ms": 5_000})
        async with aclosing(stream.events()) as events:
            async for event in events:
                match event:
                    case SpeechStarted(utterance=0):
                        await stream.configure(word_times=False)
                        await stream.force_endpoint()
                        told.set()
                    case SpeechEnded():
                        forced.append(event.forced)
                    case Final():
                        finals.append(event)
        with pytest.raises(StreamFailed):
            await stream.force_endpoint()
    assert forced == [True, False]
    assert [bool(final.words) for final in finals] == [True, False], "options change from the next utterance on"


async def test_a_wrong_option_is_reported_and_not_tried_again(server: RunningServer, short_english_clip: Clip) -> None:
    async with Client(server.http_url) as client:
        with pytest.raises(StreamFailed) as failure:
            await events_of(client, short_english_clip, langage="en")
    assert (failure.value.code, bool(failure.value.hint)) == ("malformed_message", True)


async def test_a_server_that_is_not_there_is_given_up(short_english_clip: Clip) -> None:
    async with Client("http://127.0.0.1:9", policy=IMPATIENT) as client:
        with pytest.raises(ServerUnreachable):
            await events_of(client, short_english_clip)
        with pytest.raises(ServerUnreachable):
            await client.transcribe(short_english_clip.path)


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="no address"):
        Client("127.0.0.1:8000")


async def test_a_source_that_fails_fails_the_stream(server: RunningServer) -> None:
    def broken() -> Iterator[bytes]:
        yield bytes(3_200)
        raise OSError("the microphone was unplugged")

    async with Client(server.http_url) as client:
        with pytest.raises(OSError, match="unplugged"):
            async for _ in client.stream(broken()):
                pass


async def test_a_container_is_streamed_but_not_resumed(server: RunningServer, short_english_clip: Clip) -> None:
    data = short_english_clip.path.read_bytes()
    async with Client(server.http_url, policy=IMPATIENT) as client:
        events = [event async for event in client.stream([data], AudioFormat("container"), language="en")]
        assert [event.text for event in events if isinstance(event, Final)]
        assert events[-1] == Ended("completed", *[short_english_clip.duration_ms] * 3)
    async with breakable_proxy(server.http_url) as proxy, Client(proxy.url, policy=IMPATIENT) as cut_off:
        stream = cut_off.stream(_unfinished(data), AudioFormat("container"))
        assert isinstance(await anext(stream), Started)
        proxy.refusing = True
        proxy.cut()
        assert isinstance(await anext(stream), Reconnecting)
        with pytest.raises(ServerUnreachable):
            await anext(stream)


async def _unfinished(data: bytes) -> AsyncIterator[bytes]:
    yield data
    await asyncio.Event().wait()
