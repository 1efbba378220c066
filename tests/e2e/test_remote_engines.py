"""A recognition server elsewhere as the engine: here it is this service itself, on another port."""

from typing import Any

import pytest

from tests.fixtures.conditions import eventually
from tests.fixtures.native_client import Dialogue, stream
from tests.fixtures.recordings import Clip
from tests.fixtures.server import RunningServer, StartServer

REMOTE = "recognizer_remote"


def funasr_at(server: RunningServer, **more: str) -> dict[str, str]:
    """Settings of a service whose engine speaks FunASR's protocol."""
    return {"ASR_RECOGNIZER__REMOTE": "main", "ASR_REMOTE__URL": server.ws_url, **more}


def openai_at(server: RunningServer, **more: str) -> dict[str, str]:
    """Settings of a service whose engine speaks OpenAI's."""
    return funasr_at(server, ASR_REMOTE__PROTOCOL="openai", ASR_REMOTE__URL=f"{server.http_url}/v1", **more)


def assert_all_is_there(dialogue: Dialogue, clip: Clip) -> None:
    assert clip.errors_in(dialogue.text) <= 0.1, dialogue.text
    assert len(dialogue.of("final")) == 2
    assert dialogue.of("error") == dialogue.of("failed") == []
    assert dialogue.only("ended")["reason"] == "completed"


def recognized_remotely(server: RunningServer) -> float:
    """Finals that the remote server has answered."""
    return server.metric("asr_recognition_requests_total", kind="final", pool=REMOTE)


def compared(server: RunningServer) -> float:
    """Finals that two recognizers have made a text of."""
    return sum(server.metric("asr_shadow_comparisons_total", outcome=outcome) for outcome in ("equal", "different"))


async def test_a_funasr_server_recognizes_in_place_of_workers(
    server: RunningServer, start_server: StartServer, english_clip: Clip
) -> None:
    front = start_server(**funasr_at(server))
    dialogue = await stream(front.ws_url, english_clip.pcm, speed=2.0)
    assert_all_is_there(dialogue, english_clip)
    assert dialogue.only("started")["engine"] == "funasr-remote"
    assert all(final["words"] for final in dialogue.of("final"))
    assert any(partial["stable"] for partial in dialogue.of("partial"))
    assert (front.worker_pids(), recognized_remotely(front) >= 2) == ([], True)
    front.assert_stops_cleanly()


async def test_an_openai_server_recognizes_finals_and_clients_are_told_that_there_are_no_partials(
    server: RunningServer, start_server: StartServer, english_clip: Clip
) -> None:
    front = start_server(**openai_at(server, ASR_REMOTE__API_KEY="a-key"))
    dialogue = await stream(front.ws_url, english_clip.pcm, language="en")
    assert_all_is_there(dialogue, english_clip)
    assert dialogue.only("started")["config"]["partials"]["enabled"] is False
    assert dialogue.of("partial") == []
    assert all(final["words"] for final in dialogue.of("final"))
    assert "a-key" not in front.log_text
    front.assert_stops_cleanly()


class Assassin:
    """Kills a server at the first partial with text, in the middle of an utterance."""

    def __init__(self, victim: RunningServer) -> None:
        self._victim = victim
        self.has_killed = False

    async def react(self, message: dict[str, Any]) -> None:
        if message["type"] == "partial" and not self.has_killed:
            self._victim.kill()
            self.has_killed = True


@pytest.mark.timeout(180)
async def test_when_the_server_is_killed_the_model_here_takes_over_until_it_is_back(
    start_server: StartServer, english_clip: Clip
) -> None:
    dialect = {"ASR_FUNASR__OFFLINE_LABEL": "2pass-offline"}  # the label of the C++ servers, in mode offline too
    back = start_server(**dialect)
    port = back.port
    here = {"ASR_RECOGNIZER__FALLBACK_MODEL": "whisper-base", "ASR_RECOGNIZER__SHADOW_SHARE": "1"}
    front = start_server(**funasr_at(back, ASR_REMOTE__RETRY_S="0.2", **here))
    assassin = Assassin(back)

    dialogue = await stream(front.ws_url, english_clip.pcm, speed=2.0, language="en", react=assassin.react)

    assert assassin.has_killed
    assert_all_is_there(dialogue, english_clip)
    assert recognized_remotely(front) == 0
    assert front.metric("asr_recognition_fallbacks_total", kind="final") >= 2
    assert front.is_ready()

    start_server(port=port, **dialect)
    dialogue = await stream(front.ws_url, english_clip.pcm, speed=2.0, language="en")

    assert_all_is_there(dialogue, english_clip)
    assert recognized_remotely(front) >= 2
    assert front.metric("asr_remote_available") == 1
    eventually(lambda: compared(front) >= 2, "both texts are compared with those of the model here")
    assert front.metric("asr_shadow_comparisons_total", outcome="failed") == 0
    assert all(final["text"] not in front.log_text for final in dialogue.of("final"))
