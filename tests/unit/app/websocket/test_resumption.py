"""Sessions that outlive their connection: what a client is told that comes back, and what it has to send again."""

from random import Random
from typing import Any

import pytest

from asr_service.domain.events.session_events import SessionEnded, SessionResumed
from asr_service.domain.services.replay import audio_from_ms
from asr_service.domain.value_objects.caller import Caller
from asr_service.domain.value_objects.session_status import EndReason
from tests.fixtures.live_sessions import Studio, silence, sound, utterances
from tests.fixtures.sockets import ScriptedSocket
from tests.fixtures.tidiness import everybody_waits
from tests.fixtures.wire_checker import check_session
from tests.unit.app.websocket.test_audio_handler import END, START, Door

pytestmark = pytest.mark.usefixtures("tidy")

TALK = silence(300) + utterances(3) + sound(700) + silence(1_200) + utterances(2)
BYTES_PER_MS = 32
Message = dict[str, Any]


class Speaker:
    """A client that keeps what is not safe, and comes back whenever it is cut off.

    Attributes:
        finals: The outcomes that it was told, by utterance.
        messages: Everything that it was told on the last connection.
    """

    def __init__(
        self, door: Door, audio: bytes, start: Message | None = None, bytes_per_ms: int = BYTES_PER_MS
    ) -> None:
        self._door = door
        self._audio = audio
        self._start = start or START
        self._bytes_per_ms = bytes_per_ms
        self._offer: Message | None = None
        self._safe_ms = 0
        self.finals: dict[int, Message] = {}
        self.messages: list[Message] = []

    async def speak(self, until_bytes: int, chance: Random, last: str | None = None) -> None:
        """Connects, sends up to a position, and vanishes, after a message of the type ``last`` if one is given.

        At the end of the audio it hears the session out.
        """
        socket, told = ScriptedSocket(), len(self.finals)
        serving = self._door.serve(socket)
        position = await self._connect(socket)
        while position < until_bytes:
            size = min(chance.randint(1, 20_000), until_bytes - position)
            socket.say(self._audio[position : position + size])
            position += size
            await everybody_waits()
        if position == len(self._audio):
            socket.say(END)
        else:
            if last is not None:
                await socket.hear_until(type=last)
            socket.leave(1006)
        await serving
        self.messages = socket.messages
        for message in self.messages:
            self._note(message)
        if position == len(self._audio):
            check_session(self.messages, told)

    async def _connect(self, socket: ScriptedSocket) -> int:
        if self._offer is None:
            socket.say(self._start)
            self._offer = (await socket.hear_until(type="started"))["resume"]
            return 0
        socket.say({"type": "resume", "token": self._offer["token"], "finals": len(self.finals)})
        resumed = await socket.hear_until(type="resumed")
        assert resumed["audio_from_ms"] >= self._safe_ms, "what is safe is not asked for again"
        return int(resumed["audio_from_ms"]) * self._bytes_per_ms

    def _note(self, message: Message) -> None:
        if message["type"] in ("final", "failed"):
            assert message["utterance"] == len(self.finals), "each outcome once, in their order"
            self.finals[message["utterance"]] = message
        if message["type"] == "safe":
            self._safe_ms = message["audio_ms"]

    @property
    def said(self) -> list[tuple[int, int, str]]:
        return [(final["start_ms"], final["end_ms"], final["text"]) for final in self.finals.values()]


async def whole(audio: bytes = TALK, start: Message | None = None, bytes_per_ms: int = BYTES_PER_MS) -> Speaker:
    speaker = Speaker(Door(), audio, start, bytes_per_ms)
    await speaker.speak(len(audio), Random(1))
    return speaker


@pytest.mark.parametrize("seed", range(12))
async def test_whoever_is_cut_off_anywhere_is_told_everything_once(seed: int) -> None:
    chance = Random(seed)
    speaker = Speaker(Door(), TALK)
    for cut in sorted(chance.randrange(len(TALK)) for _ in range(chance.randint(1, 4))):
        await speaker.speak(cut, chance)
    await speaker.speak(len(TALK), chance)
    assert speaker.said == (await whole()).said
    assert len(speaker.said) == 6


async def test_another_server_goes_on_with_the_journal_alone() -> None:
    first = Door()
    speaker = Speaker(first, TALK)
    await speaker.speak(len(TALK) // 2, Random(5))
    speaker._door = Door(Studio(journal=first.studio.journal))
    await speaker.speak(len(TALK), Random(6))
    assert speaker.said == (await whole()).said


async def test_audio_of_another_rate_comes_again_from_a_whole_sample() -> None:
    start = START | {"audio": {"encoding": "mulaw", "sample_rate": 8_000}}
    hum = (b"\x00" * 20 + b"\x80" * 20) * 100  # full scale down and up: 200 Hz for half a second
    telephone = b"\xff" * 2_400 + (hum + b"\xff" * 8_000) * 3
    speaker = Speaker(Door(), telephone, start, bytes_per_ms=8)
    await speaker.speak(20_000, Random(1), last="final")
    assert speaker.finals
    await speaker.speak(len(telephone), Random(2))
    assert speaker.said == (await whole(telephone, start, bytes_per_ms=8)).said


async def test_a_final_says_that_it_is_stored_and_audio_is_called_safe_then() -> None:
    speaker = await whole()
    assert {final["durable"] for final in speaker.finals.values()} == {True}
    safe = [message for message in speaker.messages if message["type"] == "safe"]
    assert safe[-1]["utterances"] == 6
    assert len(TALK) // BYTES_PER_MS - safe[-1]["audio_ms"] < 2_000


async def test_while_the_journal_is_away_text_goes_on_and_nothing_is_safe() -> None:
    door = Door()
    door.studio.journal.available = False
    speaker = Speaker(door, TALK)
    await speaker.speak(len(TALK), Random(1))
    assert speaker.said == (await whole()).said
    assert {final["durable"] for final in speaker.finals.values()} == {False}
    assert not [message for message in speaker.messages if message["type"] == "safe"]


async def test_a_second_connection_takes_the_session_over() -> None:
    door = Door()
    async with door.connection() as first:
        first.say(START)
        token = (await first.hear_until(type="started"))["resume"]["token"]
        first.say(sound(500) + silence(1_000))
        await first.hear_until(type="final")
        async with door.connection() as second:
            second.say({"type": "resume", "token": token})
            assert (await second.hear_until(type="resumed"))["utterances"] == 1
            assert (await second.hear_until(type="final"))["utterance"] == 0
            second.leave()
    assert {"code": "session_taken_over", "fatal": True}.items() <= first.messages[-1].items()
    assert first.close_code == 1008


async def test_a_server_that_has_lost_the_session_to_another_one_finds_out_with_the_next_final() -> None:
    door = Door()
    async with door.connection() as socket:
        socket.say(START)
        token = (await socket.hear_until(type="started"))["resume"]["token"]
        await door.studio.journal.claim(token, Caller())
        socket.say(sound(500) + silence(1_000))
        await socket.hear_until(type="error", code="session_taken_over")
    assert socket.close_code == 1008


async def test_the_end_is_told_again_to_whoever_missed_it() -> None:
    door = Door()
    speaker = Speaker(door, TALK)
    await speaker.speak(len(TALK), Random(1))
    told = speaker.finals.popitem()
    await speaker.speak(0, Random(1))
    assert [message["type"] for message in speaker.messages] == ["resumed", "final", "ended"]
    assert speaker.finals[told[0]]["text"] == told[1]["text"]
    assert speaker.messages[-1]["reason"] == "completed"


@pytest.mark.parametrize("how", ["wrong token", "expired"])
async def test_what_cannot_be_resumed_is_refused_in_one_way(how: str) -> None:
    door = Door()
    speaker = Speaker(door, TALK)
    await speaker.speak(len(TALK) // 2, Random(1))
    assert speaker._offer is not None
    token = speaker._offer["token"] if how == "expired" else "x"
    door.studio.journal.sessions_by_id.clear()
    async with door.connection() as socket:
        socket.say({"type": "resume", "token": token, "finals": 1})
    (error,) = socket.messages
    assert {"code": "session_not_resumable", "fatal": True}.items() <= error.items()
    assert socket.close_code == 1008


async def test_the_journal_is_asked_again_later_when_it_does_not_answer() -> None:
    door = Door()
    speaker = Speaker(door, TALK)
    await speaker.speak(len(TALK) // 2, Random(1))
    door.studio.journal.available = False
    async with door.connection() as socket:
        socket.say({"type": "resume", "token": "x"})
    assert socket.messages[-1]["code"] == "storage_unavailable"
    assert socket.close_code == 1013


@pytest.mark.parametrize("start", [{"store": False}, {"resume": False}, {"audio": {"encoding": "container"}}], ids=str)
async def test_not_every_session_can_be_resumed(start: Message) -> None:
    door = Door()
    async with door.connection() as socket:
        socket.say(START | start)
        assert (await socket.hear_until(type="started"))["resume"] is None
        socket.leave()
    assert door.studio.journal.sessions_by_id == {}


async def test_a_resumed_session_is_told_of_inside_the_house() -> None:
    door = Door()
    speaker = Speaker(door, TALK)
    await speaker.speak(len(TALK) // 2, Random(1))
    await speaker.speak(len(TALK), Random(1))
    assert [event.reason for event in door.studio.publisher.of_type(SessionEnded)] == [
        EndReason.DISCONNECTED,
        EndReason.COMPLETED,
    ]
    (resumed,) = door.studio.publisher.of_type(SessionResumed)
    assert resumed.resume is None, "the token is for the client alone"
    assert [outcome.utterance for outcome in resumed.outcomes] == list(range(3))


async def test_an_end_before_the_audio_that_was_asked_for_is_refused() -> None:
    door = Door()
    talk = sound(5_000)  # which is cut, and goes on in the next utterance
    speaker = Speaker(door, talk, START | {"endpointing": {"max_utterance_ms": 2_000}})
    await speaker.speak(len(talk) - 2, Random(1))
    async with door.connection() as socket:
        assert speaker._offer is not None
        socket.say({"type": "resume", "token": speaker._offer["token"]})
        await socket.hear_until(type="resumed")
        socket.say(END)
    assert {"code": "replay_incomplete", "fatal": True}.items() <= socket.messages[-1].items()


@pytest.mark.parametrize(("sample", "expected_ms"), [(0, 0), (1_000, 0), (16_000, 880), (16_639, 880), (17_000, 920)])
def test_audio_is_asked_for_from_a_little_earlier(sample: int, expected_ms: int) -> None:
    assert audio_from_ms(sample) == expected_ms
    assert sample // 16 - audio_from_ms(sample) >= min(120, sample // 16)
