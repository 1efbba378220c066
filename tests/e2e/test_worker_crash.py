"""A recognizer process that is killed costs nobody a word."""

import os
import signal
from typing import Any

from tests.fixtures.native_client import Dialogue, stream
from tests.fixtures.recordings import Clip
from tests.fixtures.server import RunningServer, StartServer, eventually


class Killer:
    """Kills the recognizer process, as the kernel does when memory is short, at the first message of a kind."""

    def __init__(self, server: RunningServer, kind: str) -> None:
        self._kind = kind
        (self._pid,) = server.worker_pids()
        self.has_killed = False

    def freeze(self) -> None:
        """Keeps the process from answering until it is killed."""
        os.kill(self._pid, signal.SIGSTOP)

    async def react(self, message: dict[str, Any]) -> None:
        if message["type"] == self._kind and not self.has_killed:
            os.kill(self._pid, signal.SIGKILL)
            self.has_killed = True


def assert_nobody_noticed(dialogue: Dialogue, clip: Clip) -> None:
    assert clip.errors_in(dialogue.text) <= 0.1, dialogue.text
    assert len(dialogue.of("final")) == 2
    assert dialogue.of("error") == dialogue.of("failed") == []
    assert dialogue.only("ended")["reason"] == "completed"


async def test_an_utterance_survives_the_death_of_its_recognizer(start_server: StartServer, english_clip: Clip) -> None:
    server = start_server()

    in_mid_utterance = Killer(server, "partial")
    dialogue = await stream(server.ws_url, english_clip.pcm, speed=2.0, language="en", react=in_mid_utterance.react)

    assert in_mid_utterance.has_killed
    assert_nobody_noticed(dialogue, english_clip)
    eventually(server.is_ready, "the pool is whole again")

    in_the_final = Killer(server, "speech_ended")
    in_the_final.freeze()  # so the final is certainly not recognized yet
    dialogue = await stream(server.ws_url, english_clip.pcm, language="en", react=in_the_final.react)

    assert in_the_final.has_killed
    assert_nobody_noticed(dialogue, english_clip)
    eventually(server.is_ready, "the pool is whole again")
    assert server.metric("asr_worker_restarts_total", reason="crashed") == 2
    assert len(server.worker_pids()) == 1
    assert server.stop() == 0
