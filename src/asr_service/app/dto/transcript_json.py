"""A transcript as one JSON document, with all that is known of it."""

import json
from typing import Any

from asr_service.domain.value_objects.audio_metadata import SampleSpan, s_from_samples
from asr_service.domain.value_objects.transcript import TranscribedUtterance, Transcript


def transcript_json(transcript: Transcript) -> str:
    """Indented JSON, times in seconds; ends in a newline."""
    document = {
        "text": transcript.text,
        "language": transcript.language,
        "duration_s": s_from_samples(transcript.duration_samples),
        "utterances": [_utterance(utterance) for utterance in transcript.utterances],
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _utterance(utterance: TranscribedUtterance) -> dict[str, Any]:
    hypothesis = utterance.hypothesis
    return {
        **_times(utterance.span),
        "text": hypothesis.text,
        "language": hypothesis.language,
        "timing": hypothesis.timing,
        "words": [{"text": word.text, **_times(word.span), "confidence": word.confidence} for word in hypothesis.words],
    }


def _times(span: SampleSpan) -> dict[str, float]:
    return {"start_s": s_from_samples(span.start), "end_s": s_from_samples(span.end)}
