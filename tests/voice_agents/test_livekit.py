"""The speech-to-text plugins of LiveKit Agents, with the settings that docs/api/voice-agents.md names, hear what is said."""

from typing import Any

import pytest

from tests.fixtures.recordings import Clip
from tests.fixtures.server import RunningServer
from tests.voice_agents.frameworks import heard_by

STREAMS = ("livekit_realtime", "livekit_commits", "livekit_deepgram")


def hear(server: RunningServer, example: str, clip: Clip, finals: int) -> list[dict[str, Any]]:
    """The events that an agent gets."""
    events: list[dict[str, Any]] = heard_by("livekit", server, example, clip, finals)
    return events


def text_of(events: list[dict[str, Any]], kind: str = "final_transcript") -> str:
    return " ".join(event["text"] for event in events if event["type"] == kind)


@pytest.mark.parametrize("example", STREAMS)
def test_a_stream_is_heard_with_its_turns(server: RunningServer, english_clip: Clip, example: str) -> None:
    events = hear(server, example, english_clip, finals=2)

    assert english_clip.errors_in(text_of(events)) <= 0.1, events
    kinds = [event["type"] for event in events]
    assert kinds.count("final_transcript") == 2
    assert kinds.count("start_of_speech") == kinds.count("end_of_speech") == 2
    assert text_of(events, "interim_transcript")


def test_deepgrams_words_have_times(server: RunningServer, short_english_clip: Clip) -> None:
    events = hear(server, "livekit_deepgram", short_english_clip, finals=1)

    (final,) = (event for event in events if event["type"] == "final_transcript")
    assert " ".join(word for word, *_ in final["words"]) == final["text"]
    starts = [start for _, start, _ in final["words"]]
    assert starts == sorted(starts)
    assert 0 <= starts[0] < starts[-1] < short_english_clip.duration_ms / 1_000


def test_mandarin_is_heard_in_a_language_that_is_detected(server: RunningServer, mandarin_clip: Clip) -> None:
    events = hear(server, "livekit_detection", mandarin_clip, finals=2)

    assert mandarin_clip.errors_in(text_of(events).replace(" ", "")) <= 0.1, events
    assert {event["language"] for event in events if event["type"] == "final_transcript"} == {"zh"}


def test_a_turn_that_the_agent_has_cut_is_recognized_as_a_whole(
    server: RunningServer, short_english_clip: Clip
) -> None:
    (event,) = hear(server, "livekit_rest", short_english_clip, finals=0)
    assert short_english_clip.errors_in(event["text"]) == 0
