"""A server of OpenAI's interface: what it is sent, and everything that it can answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from asr_service.domain.ports.recognizer import (
    RecognitionFailed,
    RecognitionKind,
    RecognitionSuperseded,
    RecognizerOverloaded,
    RecognizerUnavailable,
)
from asr_service.domain.value_objects.asr_config import RecognitionOptions
from asr_service.domain.value_objects.hypothesis import Timing
from asr_service.infrastructure.asr.remote.circuit_breaker import CircuitBreaker
from asr_service.infrastructure.asr.remote.remote_calls import CallPolicy
from asr_service.infrastructure.asr.remote_openai_recognizer import OpenAiServer, RemoteOpenAiRecognizer
from asr_service.shared.clock import SystemClock
from asr_service.shared.errors import AsrError
from tests.fakes.openai_server import OpenAiEndpoint, Reply, heard
from tests.fixtures.recognition_requests import recognition_request

SERVER = OpenAiServer("http://old.example/v1", model="whisper-large")


@asynccontextmanager
async def asking(
    endpoint: OpenAiEndpoint | None = None, server: OpenAiServer = SERVER, timeout_s: float = 20.0
) -> AsyncIterator[RemoteOpenAiRecognizer]:
    recognizer = RemoteOpenAiRecognizer(
        server,
        breaker=CircuitBreaker("openai", SystemClock(), retry_s=60.0),
        clock=SystemClock(),
        policy=CallPolicy(timeout_s=timeout_s),
        transport=endpoint,
    )
    await recognizer.start()
    try:
        yield recognizer
    finally:
        await recognizer.close()


def always(response: httpx.Response) -> OpenAiEndpoint:
    reply: Reply = lambda _: response  # noqa: E731 - a name for its type
    return OpenAiEndpoint(reply)


async def test_the_server_gets_a_recording_and_the_options() -> None:
    endpoint = OpenAiEndpoint()
    async with asking(endpoint, replace(SERVER, api_key="a key")) as recognizer:
        request = recognition_request(seconds=1.5, language="zh", prompt="names")
        hypothesis = await recognizer.recognize(request)
        assert (hypothesis.text, hypothesis.language, hypothesis.timing) == ("heard24000.", "en", Timing.ALIGNED)
        assert [(word.text, word.span.start, word.span.end) for word in hypothesis.words] == [
            ("heard24000.", 0, 24_000)
        ]
    (upload,) = endpoint.uploads
    assert (upload.pcm, upload.path, upload.authorization) == (request.pcm, "/v1/audio/transcriptions", "Bearer a key")
    assert upload.fields == {
        "model": "whisper-large",
        "response_format": "verbose_json",
        "temperature": "0",
        "language": "zh",
        "prompt": "names",
        "timestamp_granularities[]": "word",
    }


@pytest.mark.parametrize(
    ("server", "options", "expected"),
    [
        (SERVER, RecognitionOptions(word_times=False), {"response_format": "verbose_json"}),
        (replace(SERVER, word_times=False), RecognitionOptions(), {"response_format": "json"}),
    ],
)
async def test_what_is_not_wanted_or_not_known_is_not_asked_for(
    server: OpenAiServer, options: RecognitionOptions, expected: dict[str, Any]
) -> None:
    endpoint = OpenAiEndpoint()
    async with asking(endpoint, server) as recognizer:
        await recognizer.recognize(replace(recognition_request(), options=options))
        assert recognizer.capabilities.word_times is server.word_times
    (upload,) = endpoint.uploads
    assert upload.authorization is None
    assert upload.fields == {"model": "whisper-large", "temperature": "0", **expected}


async def test_partials_are_asked_for_only_if_that_is_allowed() -> None:
    partial = recognition_request(kind=RecognitionKind.PARTIAL)
    endpoint = OpenAiEndpoint()
    async with asking(endpoint) as recognizer:
        assert recognizer.capabilities.partials is False
        with pytest.raises(RecognitionSuperseded):
            await recognizer.recognize(partial)
    async with asking(endpoint, replace(SERVER, partials=True)) as recognizer:
        assert recognizer.capabilities.partials is True
        assert (await recognizer.recognize(partial)).text == "heard16000."
    assert len(endpoint.uploads) == 1


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (httpx.Response(429, headers={"Retry-After": "3"}), RecognizerOverloaded),
        (httpx.Response(503, headers={"Retry-After": "3"}), RecognizerOverloaded),
        (httpx.Response(503), RecognizerUnavailable),
        (httpx.Response(401, text="Incorrect API key provided: sk-secret"), RecognizerUnavailable),
        (httpx.Response(301, headers={"Location": "http://old.example/"}), RecognizerUnavailable),
        (httpx.Response(413), RecognitionFailed),
        (httpx.Response(200, text="<html>"), RecognizerUnavailable),
        (httpx.Response(200, content=b" " * (5 << 20)), RecognizerUnavailable),
    ],
)
async def test_what_is_no_text_is_a_typed_error_that_quotes_nothing(
    response: httpx.Response, kind: type[AsrError]
) -> None:
    async with asking(always(response)) as recognizer:
        with pytest.raises(kind) as told:
            await recognizer.recognize(recognition_request())
    assert "sk-secret" not in f"{told.value} {told.value.hint}"


async def test_a_busy_server_is_not_given_up() -> None:
    async with asking(always(httpx.Response(429, headers={"Retry-After": "3"}))) as recognizer:
        for _ in range(4):
            with pytest.raises(RecognizerOverloaded) as told:
                await recognizer.recognize(recognition_request())
        assert (recognizer.is_ready, told.value.retry_after_s) == (True, 3.0)


async def test_a_server_that_fails_again_and_again_is_given_up() -> None:
    endpoint = always(httpx.Response(500))
    async with asking(endpoint) as recognizer:
        for _ in range(5):
            with pytest.raises(RecognizerUnavailable):
                await recognizer.recognize(recognition_request())
        assert (recognizer.is_ready, len(endpoint.uploads)) == (False, 3)


# --- real sockets


@asynccontextmanager
async def listening(reply: bytes | None) -> AsyncIterator[str]:
    """A port that answers so to whatever it is sent, and hangs up; or reads and says nothing."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if reply is None:
            await reader.read(-1)  # until the client has had enough
        else:
            writer.write(reply)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


@pytest.mark.parametrize(
    "reply", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{", b"HTTP/1.1 200 OK\r\n"]
)
async def test_a_server_that_hangs_up_in_the_middle_is_unavailable(reply: bytes) -> None:
    async with listening(reply) as url, asking(server=OpenAiServer(url)) as recognizer:
        with pytest.raises(RecognizerUnavailable, match="cannot be reached"):
            await recognizer.recognize(recognition_request())


async def test_a_server_that_says_nothing_is_not_waited_for_for_ever() -> None:
    async with listening(None) as url, asking(server=OpenAiServer(url), timeout_s=0.05) as recognizer:
        with pytest.raises(RecognizerUnavailable, match="has not answered"):
            await recognizer.recognize(recognition_request(seconds=0.05))


async def test_a_port_where_nobody_listens_is_told_at_once() -> None:
    async with listening(b"") as url:
        pass
    async with asking(server=OpenAiServer(url)) as recognizer:
        with pytest.raises(RecognizerUnavailable, match="ConnectError"):
            await recognizer.recognize(recognition_request())
        await recognizer.close()
        with pytest.raises(RecognizerUnavailable, match="closed"):
            await recognizer.recognize(recognition_request())


async def test_the_fake_hears_what_it_is_sent() -> None:
    async with asking(OpenAiEndpoint(heard)) as recognizer:
        assert (await recognizer.recognize(recognition_request(pcm=bytes(32_000)))).text == ""
