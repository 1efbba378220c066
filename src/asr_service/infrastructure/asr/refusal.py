"""What an engine says to a request that is beyond what it can do."""

from asr_service.domain.ports.recognizer import RecognitionRequest, RecognizerCapabilities
from asr_service.domain.value_objects.asr_config import Task
from asr_service.domain.value_objects.audio_metadata import BYTES_PER_SAMPLE, SAMPLE_RATE_HZ
from asr_service.infrastructure.asr.engine import EngineFailure


def refusal(request: RecognitionRequest, capabilities: RecognizerCapabilities) -> EngineFailure | None:
    """Why the engine cannot do what the request asks for; ``None``: it can.

    Looked at are the language, the task, and the form and length of the audio. Hotwords, prompts and word times that the
    engine does not know are no reason: the client was told when its session began.
    """
    language = request.options.language
    if language is not None and language not in capabilities.languages:
        return EngineFailure(f"The model {capabilities.model} does not know the language {language}.")
    if request.options.task is Task.TRANSLATE and not capabilities.translation:
        return EngineFailure(f"The model {capabilities.model} cannot translate.")
    if len(request.pcm) % BYTES_PER_SAMPLE:
        return EngineFailure(f"The audio has {len(request.pcm)} bytes, which is no whole number of samples.")
    seconds = len(request.pcm) / BYTES_PER_SAMPLE / SAMPLE_RATE_HZ
    if seconds > capabilities.max_seconds:
        return EngineFailure(
            f"The audio lasts {seconds:.1f} s; the model takes at most {capabilities.max_seconds:.0f} s."
        )
    return None
