"""The benchmark's client of the native protocol, against servers that behave and servers that do not."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

from websockets.asyncio.server import Request, Response, ServerConnection, serve

from scripts.benchmarks.load_generator import LoadRecords, read_records
from scripts.benchmarks.native_session import BYTES_PER_MS, Pace, SessionRecord, run_session

SOUND = bytes(450 * BYTES_PER_MS)
FAST = Pace(packet_ms=100, real_time=False, ping_every=2)

Serve = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def serving(handle: Serve, refusal: HTTPStatus | None = None) -> AsyncIterator[str]:
    """The address of a server that treats every connection in one way."""

    def answer(connection: ServerConnection, _request: Request) -> Response | None:
        return None if refusal is None else connection.respond(refusal, "no\n")

    async with serve(handle, "127.0.0.1", 0, process_request=answer) as server:
        host, port = next(iter(server.sockets)).getsockname()[:2]
        yield f"ws://{host}:{port}"


async def obey(socket: ServerConnection) -> None:
    """Tells what came, as one message, once the client has said that this is all."""
    came: list[str] = []
    async for frame in socket:
        came.append(str(len(frame)) if isinstance(frame, bytes) else json.loads(frame)["type"])
        if came[-1] == "end":
            await socket.send(json.dumps({"type": "came", "frames": came}))
            return


async def hang_up(socket: ServerConnection) -> None:
    await socket.recv()
    await socket.close(1013, "full")


async def leave(socket: ServerConnection) -> None:
    await socket.recv()


async def test_audio_is_sent_in_packets_with_pings_between_them() -> None:
    async with serving(obey) as url:
        record = await run_session(url, SOUND, pace=FAST, language="en")
    ((_, message),) = record.messages()
    assert message["frames"] == ["start", "3200", "3200", "ping", "3200", "3200", "ping", "1600", "end"]
    assert (len(record.sent_s), len(record.pinged_s)) == (5, 2)
    assert (record.close_code, record.failure, record.refused_status) == (1000, "", None)


async def test_a_refused_connection_is_a_result() -> None:
    async with serving(obey, HTTPStatus.SERVICE_UNAVAILABLE) as url:
        record = await run_session(url, SOUND)
    assert (record.refused_status, record.close_code, record.sent_s) == (503, None, [])


async def test_a_server_that_is_not_there_is_a_failure() -> None:
    async with serving(obey) as url:
        pass
    record = await run_session(url, SOUND)
    assert record.failure
    assert record.refused_status is None


async def test_an_error_close_is_a_failure_with_its_code() -> None:
    async with serving(hang_up) as url:
        record = await run_session(url, SOUND)
    assert record.close_code == 1013
    assert record.failure


async def test_an_end_before_all_audio_was_sent_is_a_failure() -> None:
    async with serving(leave) as url:
        record = await run_session(url, SOUND)
    assert record.close_code == 1000
    assert record.failure


async def test_records_survive_their_file(tmp_path: Path) -> None:
    record = SessionRecord(Pace(packet_ms=40), started_s=1.0, sent_s=[1.1], frames=[(1.2, '{"type": "ended"}')])
    text = (
        '{"sessions": [{"pace": {"packet_ms": 40, "real_time": true, "ping_every": 0}, "refused_status": null,'
        ' "started_s": 1.0, "sent_s": [1.1], "pinged_s": [], "frames": [[1.2, "{\\"type\\": \\"ended\\"}"]],'
        ' "close_code": null, "failure": ""}], "health_s": [0.1], "lateness_s": [0.2]}'
    )
    path = tmp_path / "records.json"
    path.write_text(text, encoding="utf-8")
    read = read_records(path)
    assert read == LoadRecords(read.sessions, [0.1], [0.2])
    assert read.sessions[0].messages() == record.messages()
    assert read.sessions[0].pace == record.pace
