"""The JavaScript client moves to another server that shares the journal, when its own is stopped or dies."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.breakable_proxy import breakable_proxy
from tests.fixtures.client_packages import SCRIPTS
from tests.fixtures.node import environment_for_node
from tests.fixtures.recordings import Clip
from tests.fixtures.server import RunningServer, StartServer

PAUSE = bytes(16_000 * 2 * 7 // 10)  # 700 ms, in which an utterance ends
OPTIONS = json.dumps({"language": "en", "partials": {"enabled": False}})

pytestmark = pytest.mark.timeout(300)  # the first run installs Node


class Listening:
    """The client in Node, and what it is told.

    Attributes:
        events: So far.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.events: list[dict[str, Any]] = []
        self._process = process

    async def until(self, kind: str) -> None:
        """Waits for an event of this kind."""
        assert self._process.stdout is not None
        while not self.events or self.events[-1]["type"] != kind:
            line = await self._process.stdout.readline()
            assert line, "The client has ended."
            self.events.append(json.loads(line))

    @property
    def said(self) -> list[tuple[int, int, int, str]]:
        """Utterance, start_ms, end_ms and text of the finals."""
        fields = ("utterance", "start_ms", "end_ms", "text")
        return [tuple(event[field] for field in fields) for event in self.events if event["type"] == "final"]

    async def finish(self) -> None:
        """Waits for the last event, after which the program has to end well."""
        await self.until("ended")
        assert await self._process.wait() == 0


async def listening(node: Path, url: str, speech: Path, speed: float) -> Listening:
    arguments = (str(SCRIPTS / "stream_with_asr_client.mjs"), url, str(speech), str(speed), OPTIONS)
    process = await asyncio.create_subprocess_exec(
        str(node), *arguments, env=environment_for_node(), stdout=asyncio.subprocess.PIPE
    )
    return Listening(process)


@pytest.fixture
def speech(tmp_path: Path, english_clip: Clip, short_english_clip: Clip) -> Path:
    path = tmp_path / "speech.pcm"
    path.write_bytes(PAUSE.join([short_english_clip.pcm, english_clip.pcm, short_english_clip.pcm, PAUSE]))
    return path


def drained(server: RunningServer) -> None:
    """Stopped as an operator does it."""
    server.assert_stops_cleanly()
    assert [event["active"] for event in server.events("drain_ended")] == [0]


@pytest.mark.parametrize("leave", [drained, RunningServer.kill], ids=["drained", "killed"])
async def test_a_stream_moves_to_the_other_server(
    leave: Any, node: Path, start_server: StartServer, speech: Path
) -> None:
    first, second = start_server(), start_server()
    undisturbed = await listening(node, first.http_url, speech, speed=8)
    await undisturbed.finish()
    async with breakable_proxy(first.http_url) as proxy:
        moved = await listening(node, proxy.url, speech, speed=2)
        await moved.until("final")
        proxy.target_port = second.port
        await asyncio.to_thread(leave, first)
        await moved.finish()

    kinds = [event["type"] for event in moved.events]
    assert moved.said == undisturbed.said
    assert [final[0] for final in moved.said] == list(range(len(moved.said)))
    assert len(moved.said) >= 3
    assert (kinds.count("reconnecting"), kinds.count("resumed")) == (1, 1)
    assert ("going_away" in kinds) == (leave is drained)
    assert moved.events[-1]["reason"] == "completed"
    assert second.metric("asr_sessions_active") == 0
