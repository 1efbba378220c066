"""Two recognizers as one: the second answers what the first cannot."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import structlog

from asr_service.domain.ports.recognizer import (
    RecognitionFailed,
    RecognitionKind,
    RecognitionRequest,
    Recognizer,
    RecognizerCapabilities,
    RecognizerOverloaded,
    RecognizerUnavailable,
)
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.infrastructure.asr.stand_in import may_stand_in

log = structlog.get_logger(__name__)

OnFallback: TypeAlias = Callable[[RecognitionKind, str], None]
"""Is told the kind of a request that the second recognizer is asked, and the code of what befell the first."""


class FallbackRecognizer:
    """Asks the first recognizer, and the second one when that does not help.

    - A final is asked again when the first is unavailable, overloaded, or failed on it.
    - A partial is asked again only when the first is unavailable: for everything else the next partial is soon there.
    - While the first is not ready, the second is asked at once, and the first only if that does not help either. It
      could be waited for, but a worker that crashes again and again is restarted ever more slowly.
    - What the second cannot do, by its languages or its longest audio, it is not asked: the first's error stands.

    There is no circuit breaker beside ``is_ready``: a first recognizer that is up and fails on everything costs each
    final the time of its failing.

    Starts and closes neither of them.

    Args:
        first: Whose answers are wanted.
        second: Whose answers are better than none.
        is_ready: Whether the first could begin at once, if it were idle.
        on_fallback: Called, before the second is asked.
    """

    def __init__(
        self,
        first: Recognizer,
        second: Recognizer,
        *,
        is_ready: Callable[[], bool] = lambda: True,
        on_fallback: OnFallback = lambda kind, code: None,
    ) -> None:
        self._first = first
        self._second = second
        self._is_ready = is_ready
        self._on_fallback = on_fallback

    @property
    def capabilities(self) -> RecognizerCapabilities:
        """Those of the first, without abilities that the second lacks.

        A client is told at the start that words have times, or that hotwords and prompts count; that has to hold for
        every answer. Languages and longest audio are the first's: what goes beyond the second is not given to it.
        """
        first, second = self._first.capabilities, self._second.capabilities
        return replace(
            first,
            word_times=first.word_times and second.word_times,
            hotwords=first.hotwords and second.hotwords,
            prompt=first.prompt and second.prompt,
            spoken_numbers=first.spoken_numbers and second.spoken_numbers,
            translation=first.translation and second.translation,
            punctuation=first.punctuation and second.punctuation,
            casing=first.casing and second.casing,
            chunking=first.chunking and second.chunking,
        )

    async def recognize(self, request: RecognitionRequest) -> Hypothesis:
        """See ``Recognizer``. When both were asked in vain, the error is that of the one asked last."""
        if not may_stand_in(request, self._second.capabilities, self._first.capabilities):
            return await self._first.recognize(request)
        if not self._is_ready():
            return await self._ask_second_first(request)
        try:
            return await self._first.recognize(request)
        except (RecognizerUnavailable, RecognizerOverloaded, RecognitionFailed) as error:
            if not _is_owed_another_try(request, error):
                raise
            self._report(request, error.code)
        return await self._second.recognize(request)

    async def _ask_second_first(self, request: RecognitionRequest) -> Hypothesis:
        self._report(request, RecognizerUnavailable.code)
        try:
            return await self._second.recognize(request)
        except (RecognizerUnavailable, RecognizerOverloaded, RecognitionFailed) as error:
            if not _is_owed_another_try(request, error):
                raise
        return await self._first.recognize(request)

    def _report(self, request: RecognitionRequest, code: str) -> None:
        level = logging.WARNING if request.kind is RecognitionKind.FINAL else logging.DEBUG  # partials are too many
        log.log(level, "recognition_fell_back", request_id=request.request_id, kind=request.kind, code=code)
        self._on_fallback(request.kind, code)


def _is_owed_another_try(request: RecognitionRequest, error: Exception) -> bool:
    return request.kind is RecognitionKind.FINAL or isinstance(error, RecognizerUnavailable)
