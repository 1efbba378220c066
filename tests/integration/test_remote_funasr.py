"""A FunASR server over real sockets: every dialect, and everything that it can do wrong."""

import asyncio
import json
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from asr_service.domain.ports.recognizer import (
    RecognitionFailed,
    RecognitionKind,
    RecognitionRequest,
    RecognizerOverloaded,
    RecognizerUnavailable,
)
from asr_service.domain.value_objects.asr_config import RecognitionOptions
from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.hypothesis import Hypothesis, Timing
from asr_service.infrastructure.asr.remote.circuit_breaker import CircuitBreaker
from asr_service.infrastructure.asr.remote.remote_calls import CallPolicy
from asr_service.infrastructure.asr.remote_funasr_recognizer import FunAsrServer, RemoteFunAsrRecognizer
from tests.fakes.clocks import FakeClock
from tests.fakes.funasr_server import CHUNK_BYTES, FAIL, Dialect, FunAsrRuntime, funasr_runtime
from tests.fixtures.recognition_requests import recognition_request
from tests.fixtures.tidiness import everybody_waits

RETRY_S = 5.0
SOUND = b"\x10\x27"


class Asking:
    """A recognizer, the server that it asks, and the clock of both its breaker and its connections."""

    def __init__(
        self, runtime: FunAsrRuntime, policy: CallPolicy, max_streams: int, server: FunAsrServer | None
    ) -> None:
        self.runtime = runtime
        self.clock = FakeClock()
        self.breaker = CircuitBreaker("funasr", self.clock, retry_s=RETRY_S)
        self.recognizer = RemoteFunAsrRecognizer(
            server or FunAsrServer(runtime.url),
            breaker=self.breaker,
            clock=self.clock,
            policy=policy,
            max_streams=max_streams,
            patience_s=20.0,  # as long as it takes: what is awaited is known to come
        )

    async def text(self, request: RecognitionRequest | None = None) -> str:
        return (await self.recognizer.recognize(request or recognition_request())).text


@asynccontextmanager
async def asking(
    runtime: FunAsrRuntime,
    policy: CallPolicy | None = None,
    *,
    max_streams: int = 4,
    server: FunAsrServer | None = None,
) -> AsyncIterator[Asking]:
    opened = Asking(runtime, policy or CallPolicy(timeout_s=20.0), max_streams, server)
    await opened.recognizer.start()
    try:
        yield opened
    finally:
        await opened.recognizer.close()


def so_far(chunks: float, *, session: str = "ses_1", utterance: int = 0, start: int = 0) -> RecognitionRequest:
    """A partial of an utterance that has lasted so many chunks of 600 ms."""
    request = recognition_request(
        kind=RecognitionKind.PARTIAL,
        session_id=session,
        utterance=utterance,
        pcm=SOUND * round(chunks * CHUNK_BYTES / 2),
    )
    return replace(request, span=SampleSpan(start, start + len(request.span)))


# --- finals


@pytest.mark.parametrize("dialect", [dialect for dialect in Dialect if dialect is not Dialect.PYTHON_MUTE])
async def test_all_segments_are_there_whatever_the_server_means_by_final(dialect: Dialect) -> None:
    async with funasr_runtime(dialect, lambda _: ["第一句。", "第二句。"]) as runtime, asking(runtime) as one:
        assert await one.text() == "第一句。第二句。"
    async with funasr_runtime(dialect, lambda _: []) as runtime, asking(runtime) as one:
        assert await one.text() == ""


async def test_a_server_that_does_not_say_which_segment_is_the_last_is_heard_out() -> None:
    async with (
        funasr_runtime(Dialect.PYTHON_MUTE, lambda _: ["第一句。", "第二句。"]) as runtime,
        asking(runtime) as one,
    ):
        assert await one.text() == "第一句。第二句。"


async def test_the_server_gets_all_of_the_audio_and_the_options() -> None:
    async with funasr_runtime() as runtime, asking(runtime, server=FunAsrServer(runtime.url, api_key="a key")) as one:
        request = recognition_request(pcm=SOUND * 123_457)
        await one.text(replace(request, options=RecognitionOptions(language="yue", hotwords=("热词",))))
        (exchange,) = runtime.exchanges
        assert bytes(exchange.audio) == request.pcm
        assert (exchange.config["svs_lang"], json.loads(exchange.config["hotwords"])) == ("yue", {"热词": 20})
        assert (exchange.config["is_speaking"], exchange.config["is_end"]) == (False, True)
        assert runtime.headers[0]["authorization"] == "Bearer a key"


async def test_words_have_times_if_the_server_says_them_and_they_are_wanted() -> None:
    async with funasr_runtime(segments=lambda _: ["你好。"]) as runtime, asking(runtime) as one:
        assert (await one.recognizer.recognize(recognition_request())).timing is Timing.NONE
        runtime.fields = {"timestamp": "[[100,200],[200,400]]"}
        heard = await one.recognizer.recognize(recognition_request(language="zh"))
        assert [(word.text, word.span.start) for word in heard.words] == [("你", 1_600), ("好。", 3_200)]
        assert (heard.timing, heard.language) == (Timing.ALIGNED, "zh")
        plain = replace(recognition_request(), options=RecognitionOptions(word_times=False))
        assert await one.recognizer.recognize(plain) == Hypothesis(text="你好。")


async def test_what_the_server_says_of_an_audio_is_no_reason_to_give_it_up() -> None:
    async with funasr_runtime() as runtime, asking(runtime) as one:
        failing = replace(recognition_request(), options=RecognitionOptions(hotwords=(FAIL,)))
        for _ in range(4):
            with pytest.raises(RecognitionFailed, match="could not process"):
                await one.text(failing)
        assert one.recognizer.is_ready


@pytest.mark.parametrize("kind", RecognitionKind)
@pytest.mark.parametrize("reply", [["{}"], ["<html>"], ["started"], [""]])
async def test_a_server_that_talks_nonsense_or_hangs_up_is_unavailable(kind: RecognitionKind, reply: list[str]) -> None:
    async with funasr_runtime() as runtime, asking(runtime) as one:
        runtime.reply = reply
        with pytest.raises(RecognizerUnavailable):
            await one.text(recognition_request(kind=kind))
        runtime.reply = None
        assert await one.text(recognition_request(kind=kind))


@pytest.mark.parametrize("kind", RecognitionKind)
async def test_a_server_that_is_not_there_is_given_up_and_tried_again(kind: RecognitionKind) -> None:
    async with funasr_runtime() as runtime:
        url = runtime.url
    async with funasr_runtime() as runtime, asking(runtime, server=FunAsrServer(url)) as one:
        for _ in range(3):
            with pytest.raises(RecognizerUnavailable, match="cannot be reached"):
                await one.text(recognition_request(kind=kind))
        assert not one.recognizer.is_ready
        with pytest.raises(RecognizerUnavailable, match="does not answer"):
            await one.text(recognition_request(kind=kind))
        one.clock.advance(RETRY_S)
        assert one.recognizer.is_ready


async def test_a_server_that_is_too_slow_is_unavailable() -> None:
    async with funasr_runtime() as runtime, asking(runtime, CallPolicy(timeout_s=0.05)) as one:
        runtime.gate.clear()
        with pytest.raises(RecognizerUnavailable, match="has not answered"):
            await one.text(recognition_request(seconds=0.05))


async def test_what_waits_for_a_busy_server_is_bounded() -> None:
    async with (
        funasr_runtime() as runtime,
        asking(runtime, CallPolicy(at_once=1, max_waiting=1, timeout_s=20.0)) as one,
    ):
        runtime.gate.clear()
        first = asyncio.create_task(one.text())
        await runtime.wait_for(lambda: bool(runtime.exchanges) and runtime.exchanges[0].ended)
        second = asyncio.create_task(one.text(recognition_request(session_id="ses_2")))
        await everybody_waits()
        assert one.recognizer.waiting == 1
        with pytest.raises(RecognizerOverloaded):
            await one.text(recognition_request(session_id="ses_3"))
        runtime.gate.set()
        assert len({await first, await second}) == 2


async def test_a_caller_that_goes_away_hangs_up() -> None:
    async with funasr_runtime() as runtime, asking(runtime) as one:
        runtime.gate.clear()
        call = asyncio.create_task(one.text())
        await runtime.wait_for(lambda: bool(runtime.exchanges) and runtime.exchanges[0].ended)
        call.cancel()
        runtime.gate.set()
        await runtime.wait_for(lambda: runtime.connected == 0)
        assert call.cancelled()


# --- partials


async def test_a_connection_is_fed_only_what_is_new_and_increments_are_joined() -> None:
    async with funasr_runtime() as runtime, asking(runtime) as one:
        assert await one.text(so_far(1.5)) == "1,"
        assert await one.text(so_far(2)) == "1,2,"
        assert await one.text(so_far(3.2)) == "1,2,3,"
        (exchange,) = runtime.exchanges
        assert exchange.config["mode"] == "online"
        await runtime.wait_for(lambda: (exchange.frames, len(exchange.audio)) == (32, 3.2 * CHUNK_BYTES))


async def test_what_is_less_than_a_frame_goes_with_the_next_partial() -> None:
    async with funasr_runtime() as runtime, asking(runtime) as one:
        await one.text(so_far(1.05))
        assert len(runtime.exchanges[0].audio) == CHUNK_BYTES
        await one.text(so_far(2))
        assert len(runtime.exchanges[0].audio) == 2 * CHUNK_BYTES


async def test_a_connection_that_is_gone_is_replaced_by_one_that_hears_all_of_it() -> None:
    async with funasr_runtime() as runtime, asking(runtime) as one:
        await one.text(so_far(2))
        runtime.cut()
        await runtime.wait_for(lambda: runtime.connected == 0)
        with suppress(RecognizerUnavailable):  # unless the news of it has come already
            await one.text(so_far(3))
        assert (await one.text(so_far(4))).startswith("1,")
        assert len(runtime.exchanges) == 2
        await runtime.wait_for(lambda: len(runtime.exchanges[1].audio) == 4 * CHUNK_BYTES)


async def test_sessions_and_utterances_have_connections_of_their_own() -> None:
    async with funasr_runtime() as runtime, asking(runtime) as one:
        requests = [so_far(1), so_far(1, session="ses_2"), so_far(1, utterance=1), so_far(1, utterance=1, start=16_000)]
        texts = [await one.text(request) for request in requests]
        assert (texts, len(runtime.exchanges), one.recognizer.streams) == (["1,"] * 4, 4, 3)


async def test_a_sentence_that_is_written_anew_replaces_its_increments() -> None:
    async with funasr_runtime() as runtime, asking(runtime) as one:
        runtime.reply = ['{"mode": "2pass-online", "text": "你好", "is_final": false}']
        assert (await one.text(so_far(0.1))) == "你好"
        runtime.reply = ['{"mode": "2pass-offline", "text": "你好。", "is_final": false}']
        assert (await one.text(so_far(0.2))) == "你好。"
        runtime.reply = ['{"mode": "2pass-online", "text": "再见", "is_final": false}']
        assert (await one.text(so_far(0.3))) == "你好。再见"


async def test_an_error_in_the_middle_is_no_text() -> None:
    async with funasr_runtime() as runtime, asking(runtime) as one:
        runtime.reply = ['{"mode": "online", "text": "", "error": "broken"}']
        with pytest.raises(RecognitionFailed, match="reports an error"):
            await one.text(so_far(1))


async def test_the_connection_idle_longest_makes_room_and_those_of_dead_sessions_are_closed() -> None:
    async with funasr_runtime() as runtime, asking(runtime, max_streams=2) as one:
        for session in ("ses_1", "ses_2", "ses_1", "ses_3"):
            one.clock.advance(1.0)
            await one.text(so_far(1 if session != "ses_1" else len(runtime.exchanges), session=session))
        assert (one.recognizer.streams, len(runtime.exchanges)) == (2, 3)
        one.clock.advance(60.0)
        await one.text(so_far(1, session="ses_4"))
        assert one.recognizer.streams == 1
        await runtime.wait_for(lambda: runtime.connected == 1)


async def test_when_every_connection_is_in_use_a_partial_is_refused() -> None:
    async with funasr_runtime() as runtime, asking(runtime, max_streams=1) as one:
        waiting = asyncio.create_task(one.text(so_far(0.5)))
        await runtime.wait_for(lambda: bool(runtime.exchanges) and bool(runtime.exchanges[0].audio))
        with pytest.raises(RecognizerOverloaded, match="in use"):
            await one.text(so_far(1, session="ses_2"))
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert await one.text(so_far(1, session="ses_1")) == "1,"
        assert len(runtime.exchanges) == 1


async def test_a_final_ends_the_connection_of_its_utterance() -> None:
    async with funasr_runtime() as runtime, asking(runtime) as one:
        await one.text(so_far(1))
        await one.text(so_far(1, session="ses_2"))
        await one.text(recognition_request())
        assert one.recognizer.streams == 1
        await runtime.wait_for(lambda: runtime.connected == 1)


# --- TLS


@pytest.fixture
def certificate(tmp_path: Path) -> ssl.SSLContext:
    """A certificate that signs itself, as FunASR's servers have."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    command = ["openssl", "req", "-x509", *curve, "-subj", "/CN=old", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


async def test_a_certificate_that_nobody_trusts_is_refused_unless_it_is_allowed(certificate: ssl.SSLContext) -> None:
    async with funasr_runtime(tls=certificate) as runtime:
        async with asking(runtime) as one:
            with pytest.raises(RecognizerUnavailable, match="SSLCertVerificationError"):
                await one.text()
        async with asking(runtime, server=FunAsrServer(runtime.url, verify_tls=False)) as one:
            assert await one.text()
