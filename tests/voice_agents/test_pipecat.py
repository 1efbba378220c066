"""The speech-to-text services of Pipecat, with the settings that docs/api/voice-agents.md names, hear what is said."""

import pytest

from tests.fixtures.recordings import Clip
from tests.fixtures.server import RunningServer
from tests.voice_agents.frameworks import heard_by


@pytest.mark.parametrize("example", ["pipecat_realtime", "pipecat_commits", "pipecat_deepgram", "pipecat_rest"])
def test_a_conversation_is_heard(server: RunningServer, english_clip: Clip, example: str) -> None:
    frames = heard_by("pipecat", server, example, english_clip, finals=2)

    texts = [frame["text"] for frame in frames if frame["frame"] == "TranscriptionFrame"]
    assert english_clip.errors_in(" ".join(texts)) <= 0.1, frames
    kinds = {frame["frame"] for frame in frames}
    assert kinds == {"TranscriptionFrame"} | ({"InterimTranscriptionFrame"} if example != "pipecat_rest" else set())


def test_mandarin_is_heard(server: RunningServer, mandarin_clip: Clip) -> None:
    frames = heard_by("pipecat", server, "pipecat_mandarin", mandarin_clip, finals=2)

    texts = [frame["text"] for frame in frames if frame["frame"] == "TranscriptionFrame"]
    assert mandarin_clip.errors_in("".join(texts)) <= 0.1, frames
