"""A final as it is kept."""

from dataclasses import dataclass
from datetime import datetime

from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.hypothesis import Hypothesis


@dataclass(frozen=True, slots=True)
class RecognitionResult:
    """The final of one utterance. ``(session_id, utterance)`` identifies it: storing it twice stores it once."""

    session_id: str
    tenant: str
    utterance: int
    span: SampleSpan
    hypothesis: Hypothesis
    created_at: datetime
