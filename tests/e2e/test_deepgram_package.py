"""The package deepgram-sdk understands every message and shows the right text."""

import json
from typing import Any

import pytest

from tests.fixtures.client_packages import DEEPGRAM, run_client
from tests.fixtures.recordings import Clip
from tests.fixtures.server import RunningServer

PCM = {"model": "nova-3", "encoding": "linear16", "sample_rate": 16_000}

pytestmark = pytest.mark.timeout(300)  # the first run installs


def recognize(server: RunningServer, clip: Clip, **parameters: Any) -> Any:
    """What the user of the package gets: messages, or how the handshake was refused."""
    wishes = json.dumps({**PCM, **parameters})
    return json.loads(run_client(DEEPGRAM, "with_deepgram.py", server.http_url, str(clip.path), wishes))


def finals(messages: list[dict[str, Any]]) -> str:
    """The text, as users put it together."""
    return " ".join(
        message["channel"]["alternatives"][0]["transcript"]
        for message in messages
        if message["type"] == "Results" and message["is_final"]
    )


def test_the_sdk_gets_partials_finals_and_what_it_wants_to_be_told(server: RunningServer, english_clip: Clip) -> None:
    messages = recognize(
        server, english_clip, language="en-US", interim_results=True, vad_events=True, utterance_end_ms=1_000
    )

    assert english_clip.errors_in(finals(messages)) <= 0.1, messages
    assert {message["class"] for message in messages} == {
        "ListenV1Results",
        "ListenV1SpeechStarted",
        "ListenV1UtteranceEnd",
        "ListenV1Metadata",
    }
    assert any(message["type"] == "Results" and not message["is_final"] for message in messages)
    assert messages[-1]["type"] == "Metadata"
    assert messages[-1]["duration"] * 1_000 == pytest.approx(english_clip.duration_ms, abs=1)
    words = [
        word
        for message in messages
        if message["type"] == "Results"
        for word in message["channel"]["alternatives"][0]["words"]
    ]
    assert [word["start"] for word in words] == sorted(word["start"] for word in words)
    assert all(word["word"] == word["word"].lower() for word in words)


def test_the_sdk_gets_finals_only_unless_it_asks(server: RunningServer, mandarin_clip: Clip) -> None:
    messages = recognize(server, mandarin_clip, language="zh-CN", keyterm=["电话"], smart_format=True)

    assert mandarin_clip.errors_in(finals(messages).replace(" ", "")) <= 0.1, messages
    assert all(message["is_final"] for message in messages if message["type"] == "Results")
    assert {message["type"] for message in messages} == {"Results", "Metadata"}


@pytest.mark.parametrize("wish", [{"language": "tlh"}, {"encoding": "g729"}, {"diarize": True}])
def test_the_sdk_is_refused_what_cannot_be_had(
    server: RunningServer, short_english_clip: Clip, wish: dict[str, Any]
) -> None:
    assert recognize(server, short_english_clip, **wish) == {"status": 400}
