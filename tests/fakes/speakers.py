"""Stand-ins for what tells speakers apart."""

from collections.abc import AsyncIterator
from itertools import groupby

from asr_service.domain.ports.speaker_diarizer import DiarizationFailed
from asr_service.domain.value_objects.audio_metadata import BYTES_PER_SAMPLE, SampleSpan
from asr_service.domain.value_objects.speaker_turn import SpeakerTurn, in_order_of_appearance


class LoudnessDiarizer:
    """Takes each value of a sample for a voice of its own, and zero for silence."""

    async def diarize(self, blocks: AsyncIterator[bytes]) -> tuple[SpeakerTurn, ...]:
        """See ``SpeakerDiarizer``."""
        pcm = b"".join([block async for block in blocks])
        values = [pcm[place : place + BYTES_PER_SAMPLE] for place in range(0, len(pcm), BYTES_PER_SAMPLE)]
        turns, start = [], 0
        for value, run in groupby(values):
            end = start + len(list(run))
            if any(value):
                turns.append(SpeakerTurn(SampleSpan(start, end), int.from_bytes(value, "little")))
            start = end
        return in_order_of_appearance(turns)


class BrokenDiarizer:
    """Fails at every recording."""

    async def diarize(self, blocks: AsyncIterator[bytes]) -> tuple[SpeakerTurn, ...]:
        """See ``SpeakerDiarizer``; but for the failing."""
        raise DiarizationFailed("Speakers could not be told apart: the process ended with exit code 255.")
