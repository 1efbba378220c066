"""The cache of decoder streams: it gives back what has heard the same audio, and nothing else."""

from dataclasses import replace

import pytest

from asr_service.domain.ports.recognizer import RecognitionRequest
from asr_service.domain.value_objects.asr_config import RecognitionOptions
from asr_service.infrastructure.asr.stream_cache import FedStream, StreamCache
from tests.fixtures.recognition_requests import recognition_request

AUDIO = bytes(range(256)) * 100  # 12,800 samples


def request(samples: int, *, audio: bytes = AUDIO, session: str = "ses_1", utterance: int = 0) -> RecognitionRequest:
    return recognition_request(session_id=session, utterance=utterance, pcm=audio[: 2 * samples])


@pytest.fixture
def cache() -> StreamCache[str]:
    return StreamCache(max_streams=3, max_bytes=100)


def test_an_utterance_that_has_grown_gets_its_stream_back(cache: StreamCache[str]) -> None:
    cache.put(request(6_000), FedStream("stream", 5_000), 10)
    assert cache.take(request(9_000)) == FedStream("stream", 5_000)


def test_a_stream_is_given_away_once(cache: StreamCache[str]) -> None:
    cache.put(request(6_000), FedStream("stream", 5_000), 10)
    cache.take(request(9_000))
    assert cache.take(request(9_000)) is None
    assert (len(cache), cache.size_bytes) == (0, 0)


def test_a_stream_that_heard_all_of_the_audio_and_no_more_is_given(cache: StreamCache[str]) -> None:
    cache.put(request(6_000), FedStream("stream", 5_000), 10)
    assert cache.take(request(5_000)) is not None


@pytest.mark.parametrize(
    "other",
    [
        request(4_999),
        request(9_000, audio=b"\x01" + AUDIO[1:]),
        request(9_000, audio=AUDIO[:9_999] + b"\x00" + AUDIO[10_000:]),
        replace(request(9_000), options=RecognitionOptions(hotwords=("tea",))),
    ],
    ids=["shorter", "another beginning", "another last byte", "other options"],
)
def test_a_stream_that_heard_something_else_is_dropped(cache: StreamCache[str], other: RecognitionRequest) -> None:
    cache.put(request(6_000), FedStream("stream", 5_000), 10)
    assert cache.take(other) is None
    assert len(cache) == 0


def test_what_was_not_fed_yet_may_be_anything(cache: StreamCache[str]) -> None:
    cache.put(request(6_000), FedStream("stream", 5_000), 10)
    assert cache.take(request(6_000, audio=AUDIO[:10_000] + bytes(10_000))) is not None


@pytest.mark.parametrize(
    "other",
    [
        request(9_000, session="ses_2"),
        request(9_000, utterance=1),
        recognition_request(tenant="tenant_2", pcm=AUDIO),
    ],
    ids=["session", "utterance", "tenant"],
)
def test_streams_of_others_stay_where_they_are(cache: StreamCache[str], other: RecognitionRequest) -> None:
    cache.put(request(6_000), FedStream("stream", 5_000), 10)
    assert cache.take(other) is None
    assert cache.take(request(9_000)) is not None


def test_a_newer_stream_of_an_utterance_takes_the_place_of_the_older(cache: StreamCache[str]) -> None:
    cache.put(request(6_000), FedStream("older", 5_000), 10)
    cache.put(request(9_000), FedStream("newer", 8_000), 20)
    assert (len(cache), cache.size_bytes) == (1, 20)
    assert cache.take(request(9_000)) == FedStream("newer", 8_000)


def test_the_longest_unused_goes_when_there_are_too_many(cache: StreamCache[str]) -> None:
    sessions = [f"ses_{number}" for number in range(4)]
    for session in sessions:
        cache.put(request(6_000, session=session), FedStream(session, 5_000), 1)
    assert [cache.take(request(9_000, session=session)) is not None for session in sessions] == [
        False,
        True,
        True,
        True,
    ]


def test_the_longest_unused_go_when_they_take_too_much_memory(cache: StreamCache[str]) -> None:
    for session, size_bytes in (("ses_1", 40), ("ses_2", 40), ("ses_3", 70)):
        cache.put(request(6_000, session=session), FedStream(session, 5_000), size_bytes)
    assert (len(cache), cache.size_bytes) == (1, 70)
    assert cache.take(request(9_000, session="ses_3")) is not None


def test_a_stream_that_is_too_large_by_itself_is_not_kept(cache: StreamCache[str]) -> None:
    cache.put(request(6_000), FedStream("stream", 5_000), 101)
    assert (len(cache), cache.size_bytes) == (0, 0)
