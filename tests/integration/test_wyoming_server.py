"""Wyoming over real sockets, with fakes for ear and recognizer: clients of every kind of manners."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import pytest
import uvloop
from structlog.testing import capture_logs

from asr_service.app.api.v1.live.connection import ConnectionLimits
from asr_service.app.api.v1.live.outbox import ClientGone
from asr_service.app.api.v1.tcp.listener import CannotListen, listening
from asr_service.app.api.v1.tcp.protocols.wyoming import WyomingCodec
from asr_service.app.api.v1.tcp.protocols.wyoming_framing import MAX_HEADER_BYTES
from asr_service.app.api.v1.tcp.wyoming_server import WyomingTransport, wyoming_served
from asr_service.app.api.v1.websocket.protocols.codec import CodecFactory
from asr_service.app.services.audio_session_service import SessionLimits
from asr_service.domain.events.session_events import SessionEnded
from asr_service.domain.value_objects.caller import LOCAL_CALLER
from asr_service.domain.value_objects.session_status import EndReason
from tests.fakes.recognizers import FakeRecognizer
from tests.fixtures.live_sessions import Studio, sound, utterances
from tests.fixtures.tidiness import everybody_waits
from tests.fixtures.wyoming_client import ANSWER_TIMEOUT_S, Event, WyomingClient, connected
from tests.unit.app.websocket.test_audio_handler import Door

pytestmark = pytest.mark.usefixtures("tidy")


async def until(condition: Callable[[], object]) -> None:
    """Returns when it is true, by what comes over sockets."""
    async with asyncio.timeout(ANSWER_TIMEOUT_S):
        while not condition():
            await everybody_waits()


@asynccontextmanager
async def client_of(door: Door, codec: CodecFactory = WyomingCodec) -> AsyncIterator[WyomingClient]:
    """A client of a server that has one port of this machine while the block runs, and until it is done with the client."""
    async with wyoming_served(door.reception, codec, "127.0.0.1", 0) as address:
        async with connected(address) as client:
            yield client
        await until(lambda: door.admission.active == 0)


def _error(code: str, text: str) -> list[Event]:
    return [Event("error", {"text": text, "code": code})]


async def _ended(door: Door) -> SessionEnded:
    """The end of the one session, when it is there."""
    await until(lambda: door.studio.publisher.of_type(SessionEnded))
    return door.studio.publisher.of_type(SessionEnded)[0]


# --- clients that behave


async def test_an_utterance_is_answered_by_its_text_and_the_connection_closed() -> None:
    door = Door()
    async with client_of(door) as client:
        await client.send("describe")
        info = await client.hear()
        assert info is not None
        assert [program["name"] for program in info.data["asr"]] == ["asr-service"]
        await client.send("transcribe", language="en")
        await client.say(utterances(2))
        (transcript,) = await client.hear_all()
    assert transcript.type == "transcript"
    assert transcript.data["text"].count("heard") == 2
    assert door.closes == [("wyoming", 1000)]
    assert {request.options.language for request in door.studio.recognizer.requests} == {"en"}
    assert (await _ended(door)).reason is EndReason.COMPLETED


async def test_text_is_streamed_where_it_is_wanted() -> None:
    async with client_of(Door(), partial(WyomingCodec, streaming=True)) as client:
        await client.say(utterances(2))
        events = await client.hear_all()
    assert [event.type for event in events] == [
        "transcript-start",
        "transcript-chunk",
        "transcript-chunk",
        "transcript",
        "transcript-stop",
    ]
    assert events[1].data["text"] + events[2].data["text"] == events[3].data["text"]


async def test_audio_of_any_rate_and_of_two_channels_is_heard() -> None:
    door = Door()
    async with client_of(door) as client:
        await client.say(sound(3_000), rate=48_000, channels=2)  # as canonical audio 500 ms
        (transcript,) = await client.hear_all()
    assert transcript.data["text"].startswith("heard")
    assert (await _ended(door)).received_samples == 8_000


async def test_the_stop_without_audio_is_answered_by_an_empty_text() -> None:
    async with client_of(Door()) as client:
        await client.send("transcribe")
        await client.send("audio-stop")
        assert await client.hear_all() == [Event("transcript", {"text": ""})]


async def test_a_whole_utterance_may_come_in_one_event_and_bytes_one_by_one() -> None:
    async with client_of(Door()) as client:
        await client.send("audio-chunk", utterances(1) * 20, rate=16_000, width=2, channels=1)
        for byte in b'{"type": "ping", "data": {"text": "x"}}\n':
            await client.send_bytes(bytes([byte]))
        assert await client.hear() == Event("pong", {"text": "x"})
        await client.send("audio-stop")
        (transcript,) = await client.hear_all()
    assert transcript.data["text"].count("heard") == 20


async def test_two_clients_get_their_own_text() -> None:
    door = Door()
    async with (
        wyoming_served(door.reception, WyomingCodec, "127.0.0.1", 0) as address,
        connected(address) as first,
        connected(address) as second,
    ):
        await first.say(utterances(1))
        await second.say(utterances(3))
        heard = [(await client.hear_all())[0].data["text"].count("heard") for client in (first, second)]
    assert heard == [1, 3]
    assert door.admission.active == 0


# --- clients that do not


@pytest.mark.parametrize(
    ("sent", "complaint"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "The header of an event is no JSON in UTF-8."),
        (b"\x16\x03\x01\x02\x00\x01\n", "The header of an event is no JSON in UTF-8."),
        (b"x" * (MAX_HEADER_BYTES + 1_000), "The header is longer than"),
        (b'{"type": "audio-chunk", "payload_length": 9999999999}\n', "The payload_length of the header is no number"),
        (b'{"type": "transcribe", "data_length": 9999999999}\n', "The data_length of the header is no number"),
    ],
    ids=["http", "tls", "endless header", "huge payload", "huge data"],
)
async def test_what_is_no_event_is_told_and_the_connection_closed(sent: bytes, complaint: str) -> None:
    door = Door()
    async with client_of(door) as client:
        await client.send_bytes(sent)
        (error,) = await client.hear_all()
    assert (error.type, error.data["code"]) == ("error", "malformed_message")
    assert error.data["text"].startswith(complaint)
    assert door.closes == [("wyoming", 1008)]


async def test_events_before_the_nonsense_are_answered() -> None:
    async with client_of(Door()) as client:
        await client.send_bytes(b'{"type": "ping"}\nnonsense\n')
        assert [event.type for event in await client.hear_all()] == ["pong", "error"]


async def test_a_stream_that_is_cut_off_within_an_event_is_told() -> None:
    door = Door()
    async with client_of(door) as client:
        await client.send_bytes(b'{"type": "audio-chunk", "payload_length": 3200}\n' + bytes(1_000))
        client.end_input()
        assert await client.hear_all() == _error("malformed_message", "The stream ended within an event.")
    assert (await _ended(door)).reason is EndReason.DISCONNECTED


async def test_audio_that_cannot_be_heard_is_told_while_more_of_it_comes() -> None:
    door = Door()
    async with client_of(door) as client:
        await client.say(bytes(1_000_000), width=4)
        assert await client.hear_all() == _error("malformed_message", "The audio's width must be 2.")
    assert door.closes == [("wyoming", 1008)]


async def test_a_client_that_says_nothing_is_told_and_closed() -> None:
    hint = "Send audio, or a ping message, to keep a session."
    door = Door(limits=ConnectionLimits(idle_timeout_s=0.02))
    async with client_of(door) as client:
        assert await client.hear_all() == _error("idle_timeout", f"Nothing was received for 0.02 s. {hint}")
    assert door.closes == [("wyoming", 1008)]


async def test_a_client_that_says_half_an_event_is_idle_too() -> None:
    door = Door(limits=ConnectionLimits(idle_timeout_s=0.02))
    async with client_of(door) as client:
        await client.send_bytes(b'{"type": "desc')
        assert [event.data["code"] for event in await client.hear_all()] == ["idle_timeout"]


async def test_a_client_that_waits_for_its_text_is_not_idle() -> None:
    door = Door(limits=ConnectionLimits(idle_timeout_s=0.02))
    door.studio.recognizer.hold()
    async with client_of(door) as client:
        await client.say(utterances(1))
        await door.studio.recognizer.wait_for_requests(1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):  # five times as long as it may be silent otherwise
                await client.hear()
        await door.studio.recognizer.release()
        (transcript,) = await client.hear_all()
    assert transcript.type == "transcript"


@pytest.mark.parametrize("politely", [True, False])
async def test_a_client_that_leaves_in_mid_utterance_costs_no_more_work(politely: bool) -> None:
    door = Door()
    door.studio.recognizer.hold()
    async with client_of(door) as client:
        await client.send("audio-chunk", utterances(1), rate=16_000, width=2, channels=1)
        await door.studio.recognizer.wait_for_requests(1)
        if politely:
            client.end_input()
        else:
            client.vanish()
        assert (await _ended(door)).reason is EndReason.DISCONNECTED
    assert len(door.studio.recognizer.withdrawn) == len(door.studio.recognizer.requests)
    assert door.admission.active == 0


def test_a_connection_that_is_reset_is_no_fault_in_the_event_loop_of_the_service_either() -> None:
    async def reset() -> None:
        door = Door()
        async with client_of(door) as client:
            await client.send("ping")
            await client.hear()
            client.vanish()
            await until(lambda: door.closes)

    with capture_logs() as logged, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(reset())
    assert [line["event"] for line in logged] == ["protocol_listening"]


async def test_a_client_is_not_read_faster_than_it_can_be_heard() -> None:
    door = Door(Studio(recognizer=FakeRecognizer(), limits=SessionLimits(max_waiting_bytes=64_000)))
    door.studio.recognizer.hold()
    async with client_of(door) as client:
        sending = asyncio.create_task(client.say(utterances(2_000), packet_bytes=96_000))  # 96 MB
        await door.studio.recognizer.wait_for_requests(8)  # so many may be owed
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await asyncio.shield(sending)
        client.vanish()
        with pytest.raises(ConnectionError):
            await sending
        await door.studio.recognizer.release()
        assert (await _ended(door)).received_samples < 16_000 * 1_000  # of 3,000 s


async def test_a_client_that_reads_nothing_is_given_up() -> None:
    door = Door(limits=ConnectionLimits(send_timeout_s=0.05))
    async with client_of(door) as client:
        await client.send_bytes(b'{"type": "describe"}\n' * 100_000)  # 50 MB of answers, of which none is read
        await until(lambda: door.closes)
        client.vanish()
    assert door.closes == [("wyoming", 1008)]


# --- a server that is full, or stopped


async def test_a_full_house_says_so_whatever_the_client_sends_meanwhile() -> None:
    door = Door(max_sessions=1)
    async with wyoming_served(door.reception, WyomingCodec, "127.0.0.1", 0) as address:
        with door.admission.admit(LOCAL_CALLER):
            async with connected(address) as client:
                await client.say(utterances(1))
                (error,) = await client.hear_all()
    assert (error.type, error.data["code"]) == ("error", "overloaded")
    assert error.data["text"].startswith("All 1 places are taken.")
    assert door.closes == []


async def test_a_server_that_stops_ends_its_sessions() -> None:
    door = Door()
    door.studio.recognizer.hold()
    async with AsyncExitStack() as serving:
        address = await serving.enter_async_context(wyoming_served(door.reception, WyomingCodec, "127.0.0.1", 0))
        async with connected(address) as client:
            await client.send("audio-chunk", utterances(1), rate=16_000, width=2, channels=1)
            await door.studio.recognizer.wait_for_requests(1)
            await serving.aclose()
            assert await client.hear() is None
    assert (await _ended(door)).reason is EndReason.DISCONNECTED
    assert door.admission.active == 0


async def test_a_defect_is_told_and_other_clients_do_not_notice() -> None:
    class BrokenCodec(WyomingCodec):
        def decode(self, frame: str | bytes) -> list:
            if isinstance(frame, str) and json.loads(frame)["type"] == "ping":
                raise ZeroDivisionError
            return super().decode(frame)

    door = Door()
    async with (
        wyoming_served(door.reception, BrokenCodec, "127.0.0.1", 0) as address,
        connected(address) as good,
        connected(address) as bad,
    ):
        await good.send("audio-chunk", sound(500), rate=16_000, width=2, channels=1)
        await bad.send("ping")
        assert [event.data["code"] for event in await bad.hear_all()] == ["internal_error"]
        await good.send("audio-stop")
        assert [event.type for event in await good.hear_all()] == ["transcript"]


async def test_a_fault_of_the_server_closes_the_connection_and_stands_in_the_log() -> None:
    def no_codec(*_: object) -> WyomingCodec:
        raise ZeroDivisionError

    with capture_logs() as logged:
        async with client_of(Door(), no_codec) as client:
            assert await client.hear() is None
    assert [line["event"] for line in logged if line["log_level"] == "error"] == ["connection_crashed"]


async def _send_without_end(transport: WyomingTransport) -> None:
    while True:
        await transport.send('{"type": "pong", "data": {}}')


async def test_a_client_that_is_gone_can_be_sent_nothing() -> None:
    gone = asyncio.Event()

    def on_connected(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()
        gone.set()

    async with listening(on_connected, "127.0.0.1", 0, what="this test", hint="") as address:
        reader, writer = await asyncio.open_connection(*address.split(":"))
        transport = WyomingTransport(reader, writer)
        await gone.wait()
        assert await transport.receive() is None
        with pytest.raises(ClientGone):
            await _send_without_end(transport)  # the first goes out, and comes back
        await transport.close(1000)


async def test_a_port_that_cannot_be_had_is_said_with_a_hint() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(CannotListen, match=f"Cannot listen on 127.0.0.1:{port} for Wyoming") as failure:
            async with wyoming_served(Door().reception, WyomingCodec, "127.0.0.1", port):
                raise AssertionError("it listens")
    assert failure.value.hint is not None
    assert "ASR_WYOMING__PORT" in failure.value.hint
    with pytest.raises(CannotListen, match=r"no\.such\.host\.invalid"):
        async with wyoming_served(Door().reception, WyomingCodec, "no.such.host.invalid", 0):
            raise AssertionError("it listens")


async def test_every_address_of_version_6_is_written_in_brackets() -> None:
    async with wyoming_served(Door().reception, WyomingCodec, "::1", 0) as address, connected(address) as client:
        assert address.startswith("[::1]:")
        await client.send("ping")
        assert await client.hear() == Event("pong", {"text": None})
        await everybody_waits()
