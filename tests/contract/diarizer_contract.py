"""What everything that tells speakers apart promises: the tests, for whoever has a diarizer.

A test module makes a fixture ``case``, and imports the tests from here.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest

from asr_service.domain.ports.audio_decoder import AudioNotDecodable
from asr_service.domain.ports.speaker_diarizer import SpeakerDiarizer
from asr_service.domain.value_objects.audio_metadata import BYTES_PER_SAMPLE, SAMPLE_RATE_HZ
from asr_service.domain.value_objects.speaker_turn import SpeakerTurn

BLOCK_BYTES = 50_000  # neither a second nor a divisor of the voices' length


@dataclass(frozen=True, slots=True)
class DiarizerCase:
    """A diarizer, and voices that it can tell apart.

    Attributes:
        diarizer: It.
        one: Canonical audio of one voice, at least 3 s.
        other: The same of another one.
    """

    diarizer: SpeakerDiarizer
    one: bytes
    other: bytes

    @property
    def dialogue(self) -> bytes:
        """The one, the other, and the one again."""
        pause = bytes(SAMPLE_RATE_HZ * BYTES_PER_SAMPLE)
        return self.one + pause + self.other + pause + self.one


async def in_blocks(pcm: bytes) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(pcm), BLOCK_BYTES):
        yield pcm[start : start + BLOCK_BYTES]


async def told(case: DiarizerCase, pcm: bytes) -> tuple[SpeakerTurn, ...]:
    return await case.diarizer.diarize(in_blocks(pcm))


async def test_a_voice_that_comes_back_has_its_number_again(case: DiarizerCase) -> None:
    turns = await told(case, case.dialogue)
    assert [turn.speaker for turn in turns] == [0, 1, 0]


async def test_turns_lie_where_the_voices_do(case: DiarizerCase) -> None:
    turns = await told(case, case.dialogue)
    assert list(turns) == sorted(turns, key=lambda turn: turn.span)
    start = 0
    for turn, pcm in zip(turns, (case.one, case.other, case.one), strict=True):
        middle = start + len(pcm) // BYTES_PER_SAMPLE // 2
        assert turn.span.start < middle < turn.span.end
        assert turn.span.end <= len(case.dialogue) // BYTES_PER_SAMPLE
        start += len(pcm) // BYTES_PER_SAMPLE + SAMPLE_RATE_HZ


async def test_who_is_heard_first_is_the_first(case: DiarizerCase) -> None:
    pause = bytes(SAMPLE_RATE_HZ * BYTES_PER_SAMPLE)
    assert [turn.speaker for turn in await told(case, case.other + pause + case.one)] == [0, 1]


async def test_one_voice_is_one_speaker(case: DiarizerCase) -> None:
    assert {turn.speaker for turn in await told(case, case.one)} == {0}


@pytest.mark.parametrize("pcm", [b"", bytes(BYTES_PER_SAMPLE), bytes(3 * SAMPLE_RATE_HZ * BYTES_PER_SAMPLE)])
async def test_where_nobody_speaks_there_are_no_turns(case: DiarizerCase, pcm: bytes) -> None:
    assert await told(case, pcm) == ()


async def test_recordings_at_the_same_time_do_not_mix(case: DiarizerCase) -> None:
    alone, dialogue, silence = await asyncio.gather(
        told(case, case.other), told(case, case.dialogue), told(case, bytes(len(case.one)))
    )
    assert ({turn.speaker for turn in alone}, silence) == ({0}, ())
    assert [turn.speaker for turn in dialogue] == [0, 1, 0]


async def test_what_is_wrong_with_the_audio_is_passed_on(case: DiarizerCase) -> None:
    async def damaged() -> AsyncGenerator[bytes, None]:
        yield case.one
        raise AudioNotDecodable("It is damaged.")

    with pytest.raises(AudioNotDecodable):
        await case.diarizer.diarize(damaged())
    assert {turn.speaker for turn in await told(case, case.one)} == {0}
