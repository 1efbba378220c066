"""The way to a client and its socket: what they promise when the other side does not play along."""

import asyncio

import pytest

from asr_service.app.api.v1.live.outbox import ClientGone, ClientTooSlow, Outbox
from asr_service.app.api.v1.websocket.audio_handler import WebSocketTransport
from asr_service.app.api.v1.websocket.protocols.codec import Frame
from tests.fixtures.sockets import ScriptedSocket
from tests.fixtures.tidiness import everybody_waits

pytestmark = pytest.mark.usefixtures("tidy")


class Reader:
    """Takes frames, as long as it may.

    Attributes:
        taken: The frames.
        open: Whether it takes the next one.
    """

    def __init__(self) -> None:
        self.taken: list[Frame] = []
        self.open = asyncio.Event()
        self.open.set()

    async def take(self, frame: Frame) -> None:
        await self.open.wait()
        self.taken.append(frame)


async def _gone(_frame: Frame) -> None:
    raise ClientGone("The client has gone.")


async def test_frames_arrive_in_order_and_all_of_them_before_the_end() -> None:
    reader = Reader()
    outbox = Outbox(reader.take, capacity=4, send_timeout_s=30)
    running = asyncio.create_task(outbox.run())
    for number in range(10):
        await outbox.put([f"{number}a", f"{number}b"])
    outbox.close()
    await running
    assert reader.taken == [f"{number}{letter}" for number in range(10) for letter in "ab"]


async def test_a_full_outbox_makes_the_session_wait() -> None:
    reader = Reader()
    reader.open.clear()
    outbox = Outbox(reader.take, capacity=4, send_timeout_s=30)
    running = asyncio.create_task(outbox.run())
    putting = asyncio.create_task(outbox.put([str(number) for number in range(10)]))
    await everybody_waits()
    assert not putting.done()
    reader.open.set()
    await putting
    outbox.close()
    await running
    assert reader.taken == [str(number) for number in range(10)]


async def test_an_outbox_is_congested_from_half_full_on() -> None:
    outbox = Outbox(Reader().take, capacity=4, send_timeout_s=30)
    seen = []
    for number in range(4):
        seen.append(outbox.congested)
        await outbox.put([str(number)])
    assert seen == [False, False, True, True]


async def test_a_client_that_takes_nothing_is_given_up_and_nobody_waits_for_it() -> None:
    reader = Reader()
    reader.open.clear()
    outbox = Outbox(reader.take, capacity=2, send_timeout_s=0.01)
    putting = asyncio.create_task(outbox.put(["1", "2", "3", "4", "5"]))
    with pytest.raises(ClientTooSlow):
        await outbox.run()
    with pytest.raises(ClientTooSlow):
        await putting
    with pytest.raises(ClientTooSlow):
        await outbox.put(["6"])


async def test_a_client_that_is_gone_ends_the_sending_quietly() -> None:
    outbox = Outbox(_gone, capacity=2, send_timeout_s=30)
    await outbox.put(["1"])
    await outbox.run()
    with pytest.raises(ClientGone):
        await outbox.put(["2"])


async def test_nothing_can_be_put_behind_the_end() -> None:
    outbox = Outbox(Reader().take, capacity=2, send_timeout_s=30)
    outbox.close()
    await outbox.run()
    with pytest.raises(ClientGone):
        await outbox.put(["late"])


async def _accepted(socket: ScriptedSocket) -> WebSocketTransport:
    transport = WebSocketTransport(socket.websocket)
    await transport.accept()
    return transport


async def test_frames_are_received_as_text_or_bytes() -> None:
    socket = ScriptedSocket()
    transport = await _accepted(socket)
    socket.say("text")
    socket.say(b"\0\1")
    socket.say(b"")
    socket.leave()
    assert [await transport.receive() for _ in range(4)] == ["text", b"\0\1", b"", None]


async def test_frames_are_sent_as_text_or_bytes() -> None:
    socket = ScriptedSocket()
    transport = await _accepted(socket)
    await transport.send("text")
    await transport.send(b"\0\1")
    assert [message.get("text") or message.get("bytes") for message in socket.sent[1:]] == ["text", b"\0\1"]


async def test_nothing_can_be_sent_to_a_client_that_is_gone_or_behind_the_close() -> None:
    lost = ScriptedSocket()
    transport = await _accepted(lost)
    lost.vanish()
    with pytest.raises(ClientGone):
        await transport.send("late")
    await transport.close(1000)  # quietly
    closed = await _accepted(ScriptedSocket())
    await closed.close(1000)
    with pytest.raises(ClientGone):
        await closed.send("late")
