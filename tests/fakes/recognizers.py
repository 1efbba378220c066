"""Stand-ins for the recognizer."""

import asyncio
from collections.abc import Callable
from typing import TypeAlias

from asr_service.domain.ports.recognizer import RecognitionFailed, RecognitionRequest, RecognizerCapabilities
from asr_service.domain.value_objects.asr_config import Task
from asr_service.domain.value_objects.audio_metadata import BYTES_PER_SAMPLE, SAMPLE_RATE_HZ, SampleSpan
from asr_service.domain.value_objects.hypothesis import SILENCE, Hypothesis, Timing, Word
from asr_service.shared.errors import AsrError
from tests.fakes.engines import CAPABILITIES

Answer: TypeAlias = str | Hypothesis | AsrError


def span_as_text(request: RecognitionRequest) -> str:
    """Text that says which audio was heard, for example ``heard 0-16000``; none for digital silence."""
    return f"heard {request.span.start}-{request.span.end}" if any(request.pcm) else ""


class FakeRecognizer:
    """Answers by a script, at once or when it is told to.

    Args:
        answer: What comes of a request: a text (its words share the audio evenly), a hypothesis, or an error to raise.
        capabilities: What it claims to be able to do.

    Attributes:
        requests: Everything that was asked, in order.
        withdrawn: Ids of the requests that were cancelled before they were answered.
    """

    def __init__(
        self,
        answer: Callable[[RecognitionRequest], Answer] = span_as_text,
        *,
        capabilities: RecognizerCapabilities = CAPABILITIES,
    ) -> None:
        self.requests: list[RecognitionRequest] = []
        self.withdrawn: list[str] = []
        self._answer = answer
        self._capabilities = capabilities
        self._held: Callable[[RecognitionRequest], bool] | None = None
        self._changed = asyncio.Condition()

    @property
    def capabilities(self) -> RecognizerCapabilities:
        return self._capabilities

    def hold(self, which: Callable[[RecognitionRequest], bool] = lambda request: True) -> None:
        """Lets these requests wait for ``release``, those that wait already included; others are answered."""
        self._held = which

    async def release(self) -> None:
        """Answers all that wait, and does not hold any more."""
        self._held = None
        await self._notify()

    async def wait_for_requests(self, count: int) -> list[RecognitionRequest]:
        """Waits until so many requests have come, and returns all of them."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.requests) >= count)
        return self.requests

    async def recognize(self, request: RecognitionRequest) -> Hypothesis:
        """See ``Recognizer``."""
        if len(request.pcm) > self._capabilities.max_seconds * SAMPLE_RATE_HZ * BYTES_PER_SAMPLE:
            raise RecognitionFailed("The audio is too long.")
        if request.options.task is Task.TRANSLATE and not self._capabilities.translation:
            raise RecognitionFailed("It cannot translate.")
        self.requests.append(request)
        try:
            await self._notify()
            async with self._changed:
                await self._changed.wait_for(lambda: self._held is None or not self._held(request))
        except asyncio.CancelledError:
            self.withdrawn.append(request.request_id)
            raise
        return self._hypothesis(request)

    def _hypothesis(self, request: RecognitionRequest) -> Hypothesis:
        answer = self._answer(request) if request.pcm else SILENCE
        if isinstance(answer, AsrError):
            raise answer
        return _spoken(answer, len(request.span)) if isinstance(answer, str) else answer

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def _spoken(text: str, samples: int) -> Hypothesis:
    texts = text.split()
    if not texts:
        return SILENCE
    edges = [samples * number // len(texts) for number in range(len(texts) + 1)]
    words = tuple(
        Word(text=word, span=SampleSpan(start, end))
        for word, start, end in zip(texts, edges[:-1], edges[1:], strict=True)
    )
    return Hypothesis(text=text, words=words, timing=Timing.ALIGNED, language="en")
