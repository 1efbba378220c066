"""What a recognizer says it heard."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from asr_service.domain.value_objects.audio_metadata import SampleSpan


class Timing(StrEnum):
    """Where word times come from; they are never invented."""

    ALIGNED = "aligned"  # the model's own alignment of words with audio
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Word:
    """One word, or one character of a script that is written without spaces.

    Attributes:
        text: The word with its punctuation, without surrounding spaces.
        span: Where it was spoken.
        confidence: Probability in 0–1, ``None`` when the engine does not say.
    """

    text: str
    span: SampleSpan
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """The text of a hypothesis for as long as its utterance goes on, where text processing makes another one of it.

    Attributes:
        recognized: In the engine's own words, which it may be given again as settled text.
        shown: What clients may see: processed only so far as more speech does not change what is there already.
    """

    recognized: str
    shown: str


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """The text of one piece of audio. Unknown is ``None``, never ``0.0``.

    Positions count from the start of the audio that was given to the recognizer; the session moves them to the stream.

    Attributes:
        text: Without surrounding spaces; empty when nothing was said.
        words: In order, without overlap; empty when ``timing`` is ``NONE``.
        language: ISO 639-1 code (``yue`` for Cantonese) of the language that is spoken; a translation is English all the same.
        language_confidence: Probability in 0–1 that ``language`` is right; ``None`` when it was given, not detected.
        average_logprob: Mean natural-log probability of the tokens.
        no_speech_probability: The model's own opinion in 0–1 that nobody spoke.
        compression_ratio: How far the text shrinks under zlib; repetition loops exceed 2.4 (openai/whisper's bound).
        draft: What ``text`` is while the utterance goes on; ``None``: the same. No final that leaves its session has one.
    """

    text: str
    words: tuple[Word, ...] = ()
    timing: Timing = Timing.NONE
    language: str | None = None
    language_confidence: float | None = None
    average_logprob: float | None = None
    no_speech_probability: float | None = None
    compression_ratio: float | None = None
    draft: Draft | None = field(default=None, repr=False)

    @property
    def recognized_text(self) -> str:
        """The text in the engine's own words."""
        return self.text if self.draft is None else self.draft.recognized

    @property
    def shown_text(self) -> str:
        """The text as clients may see it while the utterance goes on."""
        return self.text if self.draft is None else self.draft.shown

    def shifted(self, samples: int) -> "Hypothesis":
        """The same words, later by so many samples."""
        return replace(self, words=tuple(replace(word, span=word.span.shifted(samples)) for word in self.words))


SILENCE = Hypothesis(text="")
