"""A recording in, who speaks when out."""

from collections.abc import AsyncIterator
from typing import Protocol

from asr_service.domain.value_objects.speaker_turn import SpeakerTurn
from asr_service.shared.errors import AsrError, InvalidRequest


class DiarizationUnavailable(InvalidRequest):
    """Who speaks is asked for, and nothing here can tell."""

    code = "diarization_unavailable"


class DiarizationFailed(AsrError):
    """The speakers of this recording could not be told apart; others' can."""

    code = "diarization_failed"


class DiarizerOverloaded(AsrError):
    """So many recordings wait for the diarizer that no more may."""

    code = "diarizer_overloaded"


class SpeakerDiarizer(Protocol):
    """Tells voices apart. It needs the whole recording for that, so it is of no use to live sessions."""

    async def diarize(self, blocks: AsyncIterator[bytes]) -> tuple[SpeakerTurn, ...]:
        """Finds the turns of one recording; calls may overlap, and wait for each other.

        Cancelling the call ends the work.

        Args:
            blocks: Canonical audio from its start to its end. Nothing is read ahead, and what has been read is not kept in
                this process; whoever made the iterator closes it. Its errors are passed on.

        Returns:
            The turns by their beginnings, within the audio, none of them empty. Speakers are numbered by their first
            appearance, without gaps. Nothing if nobody speaks.

        Raises:
            AudioTooLong: It is longer than voices are told apart in.
            NoRoomForAudio: It cannot be kept until it is worked on.
            DiarizerOverloaded: Too many recordings wait.
            DiarizationFailed: It did not work.
        """
        ...
