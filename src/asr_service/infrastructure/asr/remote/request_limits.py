"""What a remote server is not asked, since it cannot do it."""

from asr_service.domain.ports.recognizer import RecognitionFailed, RecognitionRequest, RecognizerCapabilities
from asr_service.domain.value_objects.asr_config import Task
from asr_service.domain.value_objects.audio_metadata import BYTES_PER_SAMPLE, SAMPLE_RATE_HZ

MAX_SECONDS = 60.0
"""Longest audio of one request: twice what this service ever asks for, and less than any server refuses."""


def check_request(request: RecognitionRequest, capabilities: RecognizerCapabilities) -> None:
    """Returns if the server can be asked.

    Raises:
        RecognitionFailed: The audio is too long, or a translation is wanted of a server that makes none.
    """
    if len(request.pcm) > capabilities.max_seconds * SAMPLE_RATE_HZ * BYTES_PER_SAMPLE:
        raise RecognitionFailed(f"The audio is longer than the {capabilities.max_seconds:g} s that are sent at once.")
    if request.options.task is Task.TRANSLATE and not capabilities.translation:
        raise RecognitionFailed(f"The model {capabilities.model} cannot translate.")
