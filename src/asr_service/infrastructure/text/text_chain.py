"""The steps in their order, over hypotheses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from asr_service.domain.ports.recognizer import TextFeatures
from asr_service.domain.services.rewording import rewritten
from asr_service.domain.value_objects.hypothesis import Draft, Hypothesis
from asr_service.infrastructure.text.casing import CasingStep
from asr_service.infrastructure.text.chinese_script import ScriptStep
from asr_service.infrastructure.text.masking import MaskingStep
from asr_service.infrastructure.text.numbers_step import LANGUAGES, NumbersStep
from asr_service.infrastructure.text.punctuation_step import PunctuationStep
from asr_service.infrastructure.text.text_step import Manuscript, TextStep

_Rewrite: TypeAlias = Callable[[TextStep, str], str]


@dataclass(frozen=True, slots=True)
class TextChain:
    """What is done to every text.

    The script comes first, and counts as the engine's own: in one script, successive hypotheses of an utterance agree.
    Masks come before the numbers, lest a listed word escape in digits, and once more at the end.

    Attributes:
        features: What the steps can do.
        script: The first step.
        steps: The others, in their order.
    """

    features: TextFeatures
    script: TextStep
    steps: Sequence[TextStep]

    @classmethod
    def of(
        cls, masking: MaskingStep, numbers: NumbersStep | None = None, punctuation: PunctuationStep | None = None
    ) -> "TextChain":
        """The chain of what there is."""
        in_numbers = frozenset[str]() if numbers is None else LANGUAGES
        features = TextFeatures(
            scripts=True,
            written_numbers=in_numbers,
            spoken_numbers=in_numbers,
            punctuation=frozenset() if punctuation is None else punctuation.languages,
            casing=True,
            masking=masking.has_words,
            unmasking=masking.can_be_switched_off,
        )
        steps: tuple[TextStep | None, ...] = (punctuation, masking, numbers, CasingStep(), masking)
        return cls(features, ScriptStep(), [step for step in steps if step is not None])

    def takes_time(self, manuscript: Manuscript) -> bool:
        """Whether a final is to be rewritten in a thread."""
        return any(not step.quick and step.is_wanted(manuscript) for step in self.steps)

    def of_partial(self, hypothesis: Hypothesis, manuscript: Manuscript) -> Hypothesis:
        """The hypothesis as it may be shown while the utterance goes on, with its draft."""
        own = self._in_script(hypothesis, manuscript)
        shown = self._rewritten(own, manuscript, lambda step, text: step.of_beginning(text, manuscript))
        return _with_draft(shown, own.text, shown.text)

    def of_final(self, hypothesis: Hypothesis, manuscript: Manuscript) -> Hypothesis:
        """The hypothesis as it is told at last, and its draft: it may have been begun in a pause that ends nothing."""
        own = self._in_script(hypothesis, manuscript)
        shown = self._rewritten(own, manuscript, lambda step, text: step.of_beginning(text, manuscript))
        told = self._rewritten(own, manuscript, lambda step, text: step.of_whole(text, manuscript))
        return _with_draft(told, own.text, shown.text)

    def _in_script(self, hypothesis: Hypothesis, manuscript: Manuscript) -> Hypothesis:
        if not self.script.is_wanted(manuscript):
            return hypothesis
        text = self.script.of_whole(hypothesis.text, manuscript)
        return rewritten(hypothesis, text, characterwise=self.script.characterwise)

    def _rewritten(self, hypothesis: Hypothesis, manuscript: Manuscript, rewrite: _Rewrite) -> Hypothesis:
        for step in self.steps:
            if step.is_wanted(manuscript):
                text = rewrite(step, hypothesis.text)
                hypothesis = rewritten(hypothesis, text, characterwise=step.characterwise)
        return hypothesis


def _with_draft(hypothesis: Hypothesis, recognized: str, shown: str) -> Hypothesis:
    if hypothesis.text == recognized == shown:
        return hypothesis
    return replace(hypothesis, draft=Draft(recognized=recognized, shown=shown))
