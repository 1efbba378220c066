"""What a whole recording came to."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.domain.value_objects.speaker_turn import SpeakerTurn

# Han, kana and full-width punctuation are written without spaces; hangul is not.
_WRITTEN_WITHOUT_SPACES = re.compile(r"[\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef]")


def join_texts(texts: Iterable[str]) -> str:
    """Joins pieces of text as they are written: with a space, unless a script without spaces is at the joint."""
    joined = ""
    for text in filter(None, texts):
        glued = not joined or _WRITTEN_WITHOUT_SPACES.match(joined[-1]) or _WRITTEN_WITHOUT_SPACES.match(text[0])
        joined += text if glued else f" {text}"
    return joined


@dataclass(frozen=True, slots=True)
class TranscribedUtterance:
    """One stretch of speech and its text; positions count from the start of the recording."""

    span: SampleSpan
    hypothesis: Hypothesis


@dataclass(frozen=True, slots=True)
class Transcript:
    """The utterances of a recording in order; only such as have text.

    ``turns`` says who speaks when; ``None``: nobody asked for it.
    """

    utterances: tuple[TranscribedUtterance, ...]
    duration_samples: int
    turns: tuple[SpeakerTurn, ...] | None = None

    @property
    def text(self) -> str:
        return join_texts(utterance.hypothesis.text for utterance in self.utterances)

    @property
    def language(self) -> str | None:
        """The language that is spoken longest; ``None`` if nobody speaks."""
        lengths: Counter[str] = Counter()
        for utterance in self.utterances:
            if utterance.hypothesis.language is not None:
                lengths[utterance.hypothesis.language] += len(utterance.span)
        return max(lengths, key=lambda language: lengths[language], default=None)
