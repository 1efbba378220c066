"""The write side of results."""

from typing import Protocol

from asr_service.domain.entities.recognition_result import RecognitionResult


class ResultRepository(Protocol):
    """Keeps finals."""

    async def add(self, result: RecognitionResult) -> None:
        """Stores a final; a second one for the same session and utterance changes nothing."""
        ...
