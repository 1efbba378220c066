"""A second recognizer beside the first: it hears the same, nobody is told, and the texts are compared."""

import asyncio
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import structlog

from asr_service.domain.ports.recognizer import (
    RecognitionKind,
    RecognitionRequest,
    Recognizer,
    RecognizerCapabilities,
)
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.infrastructure.asr.stand_in import may_stand_in
from asr_service.infrastructure.asr.text_difference import text_difference
from asr_service.shared.errors import AsrError

log = structlog.get_logger(__name__)

OnCompared: TypeAlias = Callable[[str, float | None], None]
"""Is told the outcome, ``equal``, ``different``, ``failed`` or ``dropped``, and how far the texts differ, if there are two."""

_DEADLINE_S = 120.0  # for an answer that nobody waits for
_DRAWS = 1 << 32


class ShadowRecognizer:
    """Answers are the first recognizer's. A share of its finals is given to the second one afterwards, in the background.

    Nothing waits for the second, and what it answers is compared and forgotten: texts are not logged. It is asked as for a
    recording, so that it does it in its spare time. When too many comparisons are under way, the next is left out. Which
    finals are compared follows from session and utterance, so a repetition is the same choice.

    Starts and closes neither recognizer; ``close`` ends the comparisons.

    Args:
        first: Whose answers count.
        second: What is tried out.
        share: Of the finals that are compared, 0–1.
        on_compared: Told of each.
        max_at_once: Comparisons under way.
    """

    def __init__(
        self,
        first: Recognizer,
        second: Recognizer,
        *,
        share: float,
        on_compared: OnCompared,
        max_at_once: int = 4,
    ) -> None:
        self._first = first
        self._second = second
        self._share = share
        self._on_compared = on_compared
        self._max_at_once = max_at_once
        self._comparisons: set[asyncio.Task[None]] = set()

    @property
    def capabilities(self) -> RecognizerCapabilities:
        return self._first.capabilities

    async def recognize(self, request: RecognitionRequest) -> Hypothesis:
        """See ``Recognizer``."""
        hypothesis = await self._first.recognize(request)
        if request.kind is RecognitionKind.FINAL and self._is_chosen(request):
            self._begin(request, hypothesis.text)
        return hypothesis

    async def close(self) -> None:
        """Gives up the comparisons under way. Repeatable."""
        for comparison in self._comparisons:
            comparison.cancel()
        await asyncio.gather(*self._comparisons, return_exceptions=True)

    async def settled(self) -> None:
        """Returns when every comparison that is under way has its outcome."""
        await asyncio.gather(*self._comparisons)

    def _is_chosen(self, request: RecognitionRequest) -> bool:
        draw = zlib.crc32(f"{request.session_id}/{request.utterance}".encode())
        chosen = draw < self._share * _DRAWS
        return chosen and may_stand_in(request, self._second.capabilities, self._first.capabilities)

    def _begin(self, request: RecognitionRequest, text: str) -> None:
        if len(self._comparisons) >= self._max_at_once:
            self._on_compared("dropped", None)
            return
        comparison = asyncio.create_task(self._compare(_shadow_of(request), text))
        self._comparisons.add(comparison)
        comparison.add_done_callback(self._comparisons.discard)

    async def _compare(self, request: RecognitionRequest, text: str) -> None:
        try:
            async with asyncio.timeout(_DEADLINE_S):
                hypothesis = await self._second.recognize(request)
        except (AsrError, TimeoutError):
            self._on_compared("failed", None)
        except Exception:  # a defect of what is only tried out must not pass unseen, and harms nobody
            log.exception("shadow_crashed", request_id=request.request_id)
            self._on_compared("failed", None)
        else:
            difference = text_difference(text, hypothesis.text)
            self._on_compared("different" if difference else "equal", difference)


def _shadow_of(request: RecognitionRequest) -> RecognitionRequest:
    """The same under other names, so that in no queue the two are taken for one session's."""
    return replace(
        request, request_id=f"{request.request_id}_shadow", session_id=f"{request.session_id}_shadow", live=False
    )
