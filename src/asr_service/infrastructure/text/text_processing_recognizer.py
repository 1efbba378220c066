"""A recognizer whose texts are processed."""

import asyncio
from dataclasses import replace

from asr_service.domain.ports.recognizer import (
    RecognitionKind,
    RecognitionRequest,
    Recognizer,
    RecognizerCapabilities,
)
from asr_service.domain.value_objects.asr_config import Task
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.infrastructure.text.text_chain import TextChain
from asr_service.infrastructure.text.text_step import Manuscript

_TRANSLATED_INTO = "en"


class TextProcessingRecognizer:
    """Gives partials and finals of any recognizer the same treatment.

    It belongs around the recognizer of one engine, inside of those that are made of several: what has to be done depends on
    what that engine does by itself. At most one text of each request waits for a thread, so their number is bounded by
    that of the requests.

    Starts and closes nothing.
    """

    def __init__(self, recognizer: Recognizer, chain: TextChain) -> None:
        self._recognizer = recognizer
        self._chain = chain

    @property
    def capabilities(self) -> RecognizerCapabilities:
        """Those of the engine, and what is made of its texts."""
        return replace(self._recognizer.capabilities, text=self._chain.features)

    async def recognize(self, request: RecognitionRequest) -> Hypothesis:
        """See ``Recognizer``. The hypothesis has a draft where the text of an utterance that goes on is another one."""
        hypothesis = await self._recognizer.recognize(request)
        if not hypothesis.text:
            return hypothesis
        manuscript = self._manuscript(request, hypothesis)
        if request.kind is RecognitionKind.PARTIAL:
            return self._chain.of_partial(hypothesis, manuscript)
        if self._chain.takes_time(manuscript):
            return await asyncio.to_thread(self._chain.of_final, hypothesis, manuscript)
        return self._chain.of_final(hypothesis, manuscript)

    def _manuscript(self, request: RecognitionRequest, hypothesis: Hypothesis) -> Manuscript:
        options = request.options
        spoken = hypothesis.language or options.language
        language = _TRANSLATED_INTO if options.task is Task.TRANSLATE else spoken
        return Manuscript(language, options, request.tenant, self._recognizer.capabilities)
