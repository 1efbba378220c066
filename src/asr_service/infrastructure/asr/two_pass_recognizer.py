"""Two recognizers as one: a quick one for partials, a thorough one for finals."""

from dataclasses import replace

from asr_service.domain.ports.recognizer import (
    RecognitionKind,
    RecognitionRequest,
    Recognizer,
    RecognizerCapabilities,
)
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.infrastructure.asr.stand_in import may_stand_in


class TwoPassRecognizer:
    """Has partials recognized by one recognizer, finals by another.

    A partial goes to the finals' recognizer all the same when the other one does not know the language, or takes less
    audio at once. Neither changes within an utterance as a rule, so what is settled is continued by the recognizer that
    wrote it; if it does change, settled text is text like any other. Finals are recognized without it.

    Starts and closes neither of them.

    Args:
        partials: Perhaps smaller, perhaps of fewer languages.
        finals: What counts.
    """

    def __init__(self, *, partials: Recognizer, finals: Recognizer) -> None:
        self._partials = partials
        self._finals = finals

    @property
    def capabilities(self) -> RecognizerCapabilities:
        """Those of the finals' recognizer: a client relies on finals, and no partial is refused for its language.

        Whether there are partials depends on the other one; how it goes through the audio, if it streams, may be chosen.

        Hotwords and prompts are passed on with partials, where they have what effect the other recognizer gives them.
        """
        finals, partials = self._finals.capabilities, self._partials.capabilities
        return replace(finals, partials=partials.partials, chunking=finals.chunking or partials.chunking)

    async def recognize(self, request: RecognitionRequest) -> Hypothesis:
        """See ``Recognizer``."""
        if request.kind is RecognitionKind.PARTIAL and self._is_for_partials(request):
            return await self._partials.recognize(request)
        return await self._finals.recognize(request)

    def _is_for_partials(self, request: RecognitionRequest) -> bool:
        return may_stand_in(request, self._partials.capabilities, self._finals.capabilities)
