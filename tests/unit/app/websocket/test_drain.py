"""A server that stops lets nobody in, lets those finish who can, and sends the others elsewhere."""

import asyncio

import pytest

from asr_service.app.api.v1.websocket.protocols.funasr import FunAsrCodec
from asr_service.app.services.drain import Drain, ServerStopping
from tests.fixtures.live_sessions import Studio, silence, sound, utterances
from tests.fixtures.sockets import ScriptedSocket
from tests.fixtures.tidiness import everybody_waits
from tests.unit.app.websocket.test_audio_handler import END, START, Door

pytestmark = pytest.mark.usefixtures("tidy")

LONG_S = 3_600.0


def stopping(door: Door, deadline_s: float = LONG_S) -> asyncio.Task[None]:
    return asyncio.create_task(Drain(door.admission, [door.reception]).run(deadline_s))


async def test_an_idle_server_stops_at_once() -> None:
    await Drain(Door().admission, [Door().reception]).run(LONG_S)


async def test_readiness_is_lost_at_once_and_nobody_is_let_in() -> None:
    door = Door()
    drain = Drain(door.admission, [door.reception])
    await drain.check()
    await drain.run(LONG_S)
    with pytest.raises(ServerStopping):
        await drain.check()
    socket = ScriptedSocket()
    await door.serve(socket)
    denial = next(message for message in socket.sent if message["type"] == "websocket.http.response.start")
    assert denial["status"] == 503
    assert (b"retry-after", b"1") in denial["headers"]


async def test_a_session_in_which_nobody_speaks_leaves_at_once() -> None:
    door = Door()
    async with door.connection() as socket:
        socket.say(START)
        await socket.hear_until(type="started")
        await stopping(door)
    assert [message["type"] for message in socket.messages] == ["started", "going_away", "error"]
    assert {"deadline_s": LONG_S, "resumable": True}.items() <= socket.messages[1].items()
    assert {"code": "going_away", "retry_after_s": 0.0, "fatal": True}.items() <= socket.messages[2].items()
    assert socket.close_code == 1012


async def test_what_is_being_said_is_finished_first_and_the_session_goes_on_elsewhere() -> None:
    door = Door()
    async with door.connection() as socket:
        socket.say(START)
        token = (await socket.hear_until(type="started"))["resume"]["token"]
        socket.say(sound(500))
        await socket.hear_until(type="speech_started")
        draining = stopping(door)
        await socket.hear_until(type="going_away")
        socket.say(silence(1_000))
        assert (await socket.hear_until(type="final"))["durable"]
        await draining
    elsewhere = Door(Studio(journal=door.studio.journal))
    async with elsewhere.connection() as socket:
        socket.say({"type": "resume", "token": token, "finals": 1})
        assert (await socket.hear_until(type="resumed"))["utterances"] == 1
        socket.leave()


async def test_at_the_deadline_whoever_can_go_on_elsewhere_has_to_leave() -> None:
    door = Door()
    async with door.connection() as socket:
        socket.say(START)
        socket.say(sound(500))
        await socket.hear_until(type="speech_started")
        await stopping(door, deadline_s=0.01)
    assert socket.messages[-1]["code"] == "going_away"
    assert socket.close_code == 1012


async def test_at_the_deadline_others_are_told_what_was_heard_so_far() -> None:
    door = Door()
    async with door.connection() as socket:
        socket.say(START | {"resume": False})
        socket.say(sound(500))
        await socket.hear_until(type="speech_started")
        await stopping(door, deadline_s=1.0)
    kinds = [message["type"] for message in socket.messages]
    assert kinds[-3:] == ["speech_ended", "final", "ended"]
    assert {"resumable": False}.items() <= socket.messages[kinds.index("going_away")].items()


async def test_a_funasr_client_finishes_its_exchange_and_is_closed() -> None:
    door = Door()
    async with door.connection(FunAsrCodec) as socket:
        socket.say({"mode": "2pass"})
        socket.say(utterances(1))
        await socket.hear_until(mode="2pass-offline")
        draining = stopping(door)
        await everybody_waits()
        socket.say({"is_speaking": False})
        await draining
    assert socket.messages[-1]["is_final"]
    assert socket.close_code == 1012


async def test_a_connection_without_a_session_is_closed() -> None:
    door = Door()
    async with door.connection(FunAsrCodec) as socket:
        await everybody_waits()
        await stopping(door)
    assert socket.close_code == 1012


async def test_a_client_that_has_ended_its_input_is_told_the_end() -> None:
    door = Door()
    door.studio.recognizer.hold()
    async with door.connection() as socket:
        socket.say(START)
        socket.say(utterances(1))
        socket.say(END)
        await socket.hear_until(type="speech_ended")
        draining = stopping(door)
        await socket.hear_until(type="going_away")
        await door.studio.recognizer.release()
        await draining
    assert socket.messages[-1]["type"] == "ended"
    assert socket.close_code == 1000
