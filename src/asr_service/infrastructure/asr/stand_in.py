"""Whether one recognizer may be given what was meant for another."""

from asr_service.domain.ports.recognizer import RecognitionRequest, RecognizerCapabilities
from asr_service.domain.value_objects.audio_metadata import BYTES_PER_SAMPLE, SAMPLE_RATE_HZ


def may_stand_in(
    request: RecognitionRequest, substitute: RecognizerCapabilities, intended: RecognizerCapabilities
) -> bool:
    """Whether the substitute can answer the request: it takes so much audio, and knows what may be spoken there.

    A request without a language has it detected. Who knows one language only cannot detect any: it takes all speech for
    that language, as English Whisper writes English words for Mandarin. So it is given such a request only if the
    intended recognizer knows no other language either.
    """
    if len(request.pcm) > substitute.max_seconds * SAMPLE_RATE_HZ * BYTES_PER_SAMPLE:
        return False
    if request.options.language is not None:
        return request.options.language in substitute.languages
    return len(substitute.languages) > 1 or substitute.languages >= intended.languages
