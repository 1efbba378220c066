"""What every recognizer promises, the fake included."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import pytest_asyncio

from asr_service.domain.ports.recognizer import (
    RecognitionFailed,
    RecognitionKind,
    RecognitionRequest,
    Recognizer,
    RecognizerUnavailable,
)
from asr_service.domain.value_objects.asr_config import Task
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.infrastructure.asr.fallback_recognizer import FallbackRecognizer
from asr_service.infrastructure.asr.pooled_recognizer import PooledRecognizer
from asr_service.infrastructure.asr.remote.circuit_breaker import CircuitBreaker
from asr_service.infrastructure.asr.remote_funasr_recognizer import FunAsrServer, RemoteFunAsrRecognizer
from asr_service.infrastructure.asr.remote_openai_recognizer import OpenAiServer, RemoteOpenAiRecognizer
from asr_service.infrastructure.asr.shadow_recognizer import ShadowRecognizer
from asr_service.infrastructure.asr.two_pass_recognizer import TwoPassRecognizer
from asr_service.infrastructure.asr.worker_pool import WorkerPool
from asr_service.infrastructure.text.masking import MaskingStep
from asr_service.infrastructure.text.text_chain import TextChain
from asr_service.infrastructure.text.text_processing_recognizer import TextProcessingRecognizer
from asr_service.shared.clock import SystemClock
from tests.fakes.engines import CAPABILITIES, FAIL, ScriptedEngineFactory
from tests.fakes.funasr_server import funasr_runtime
from tests.fakes.openai_server import OpenAiEndpoint
from tests.fakes.recognizers import Answer, FakeRecognizer
from tests.fixtures.recognition_requests import recognition_request

pytestmark = pytest.mark.asyncio(loop_scope="module")


def by_prompt(request: RecognitionRequest) -> Answer:
    """The script of the fake engine that this suite needs, for the fake recognizer."""
    if request.options.prompt == FAIL:
        return RecognitionFailed("It is scripted to fail.")
    return request.request_id if any(request.pcm) else ""


def two_pass() -> Recognizer:
    """One recognizer for partials and another for finals."""
    return TwoPassRecognizer(partials=FakeRecognizer(by_prompt), finals=FakeRecognizer(by_prompt))


def falling_back() -> Recognizer:
    """The first recognizer is of no use, so that every answer is the second's."""
    return FallbackRecognizer(FakeRecognizer(lambda _: RecognizerUnavailable("It is gone.")), FakeRecognizer(by_prompt))


def not_falling_back() -> Recognizer:
    """The second recognizer is of no use, so that every answer is the first's, but for those that it fails on."""
    return FallbackRecognizer(FakeRecognizer(by_prompt), FakeRecognizer(lambda _: RecognitionFailed("It is broken.")))


def in_the_shadow() -> Recognizer:
    """Every answer is compared with another one."""
    shadow = FakeRecognizer(lambda _: "something else")
    return ShadowRecognizer(FakeRecognizer(by_prompt), shadow, share=1.0, on_compared=lambda outcome, difference: None)


IN_THIS_PROCESS = {
    "scripted fake": lambda: FakeRecognizer(by_prompt),
    "two passes": two_pass,
    "a translator": lambda: FakeRecognizer(by_prompt, capabilities=replace(CAPABILITIES, translation=True)),
    "second of two": falling_back,
    "first of two": not_falling_back,
    "texts processed": lambda: TextProcessingRecognizer(
        FakeRecognizer(by_prompt), TextChain.of(MaskingStep(["heard"], optional=False))
    ),
    "with a shadow": in_the_shadow,
}


@asynccontextmanager
async def pooled() -> AsyncIterator[Recognizer]:
    """Worker processes."""
    async with PooledRecognizer(WorkerPool(ScriptedEngineFactory(), size=2), clock=SystemClock()) as recognizer:
        yield recognizer


@asynccontextmanager
async def at_a_funasr_server() -> AsyncIterator[Recognizer]:
    """A server over real sockets, which hears the names of exchanges, as a worker hears those of requests."""
    breaker = CircuitBreaker("funasr", SystemClock(), retry_s=60.0)
    async with funasr_runtime() as runtime:
        recognizer = RemoteFunAsrRecognizer(
            FunAsrServer(runtime.url), breaker=breaker, clock=SystemClock(), patience_s=20.0
        )
        async with running(recognizer):
            yield recognizer


@asynccontextmanager
async def at_an_openai_server() -> AsyncIterator[Recognizer]:
    """A server that may be asked for partials."""
    breaker = CircuitBreaker("openai", SystemClock(), retry_s=60.0)
    server = OpenAiServer("http://old.example/v1", partials=True)
    recognizer = RemoteOpenAiRecognizer(server, breaker=breaker, clock=SystemClock(), transport=OpenAiEndpoint())
    async with running(recognizer):
        yield recognizer


@asynccontextmanager
async def running(recognizer: RemoteFunAsrRecognizer | RemoteOpenAiRecognizer) -> AsyncIterator[None]:
    await recognizer.start()
    try:
        yield
    finally:
        await recognizer.close()


ELSEWHERE = {
    "pooled recognizer": pooled,
    "a FunASR server": at_a_funasr_server,
    "an OpenAI server": at_an_openai_server,
}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=[*IN_THIS_PROCESS, *ELSEWHERE])
async def recognizer(request: pytest.FixtureRequest) -> AsyncIterator[Recognizer]:
    if make := IN_THIS_PROCESS.get(request.param):
        yield make()
    else:
        async with ELSEWHERE[request.param]() as opened:
            yield opened


def scripted_to_fail(**more: str) -> RecognitionRequest:
    """A request that any engine of these fails on; a FunASR server knows no prompts, but hotwords."""
    request = recognition_request(prompt=FAIL, **more)  # type: ignore[arg-type]
    return replace(request, options=replace(request.options, hotwords=(FAIL,)))


async def test_it_says_what_it_can_do(recognizer: Recognizer) -> None:
    capabilities = recognizer.capabilities
    assert capabilities.engine
    assert capabilities.model
    assert capabilities.languages
    assert capabilities.max_seconds > 0


async def test_no_audio_is_silence(recognizer: Recognizer) -> None:
    hypothesis = await recognizer.recognize(recognition_request(pcm=b""))
    assert hypothesis.text == ""
    assert hypothesis.words == ()


async def test_a_single_sample_is_answered(recognizer: Recognizer) -> None:
    assert isinstance(await recognizer.recognize(recognition_request(pcm=b"\x01\x00")), Hypothesis)


async def test_digital_silence_has_no_words(recognizer: Recognizer) -> None:
    hypothesis = await recognizer.recognize(recognition_request(pcm=bytes(32_000)))
    assert hypothesis.text == ""
    assert hypothesis.words == ()


async def test_audio_up_to_the_limit_is_answered_and_longer_audio_refused(recognizer: Recognizer) -> None:
    longest_s = recognizer.capabilities.max_seconds
    assert (await recognizer.recognize(recognition_request(seconds=longest_s))).text
    with pytest.raises(RecognitionFailed):
        await recognizer.recognize(recognition_request(seconds=longest_s + 1))


@pytest.mark.parametrize("kind", RecognitionKind)
async def test_partials_and_finals_are_answered(recognizer: Recognizer, kind: RecognitionKind) -> None:
    assert (await recognizer.recognize(recognition_request(kind=kind))).text


async def test_words_lie_in_order_inside_the_audio(recognizer: Recognizer) -> None:
    request = recognition_request(seconds=2.5)
    hypothesis = await recognizer.recognize(request)
    edges = [edge for word in hypothesis.words for edge in (word.span.start, word.span.end)]
    assert edges == sorted(edges)
    assert all(0 <= edge <= len(request.span) for edge in edges)


async def test_it_translates_if_and_only_if_it_says_so(recognizer: Recognizer) -> None:
    request = recognition_request(task=Task.TRANSLATE)
    if recognizer.capabilities.translation:
        assert (await recognizer.recognize(request)).text
    else:
        with pytest.raises(RecognitionFailed):
            await recognizer.recognize(request)


async def test_overlapping_calls_each_get_their_own_answer(recognizer: Recognizer) -> None:
    requests = [recognition_request(session_id=f"ses_{number}", seconds=0.2 + number / 10) for number in range(30)]
    together = await asyncio.gather(*(recognizer.recognize(request) for request in requests))
    assert together == [await recognizer.recognize(request) for request in requests]
    assert len({hypothesis.text for hypothesis in together}) == len(requests)


async def test_a_cancelled_call_disturbs_no_other(recognizer: Recognizer) -> None:
    requests = [recognition_request(session_id=f"ses_{number}") for number in range(12)]
    calls = [asyncio.create_task(recognizer.recognize(request)) for request in requests]
    for call in calls[::2]:
        call.cancel()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes[::2])
    assert all(isinstance(outcome, Hypothesis) for outcome in outcomes[1::2])


async def test_a_request_that_fails_leaves_those_beside_it_alone(recognizer: Recognizer) -> None:
    makers = [scripted_to_fail if number % 3 == 0 else recognition_request for number in range(9)]
    requests = [make(session_id=f"ses_{number}") for number, make in enumerate(makers)]
    outcomes = await asyncio.gather(*(recognizer.recognize(request) for request in requests), return_exceptions=True)
    for make, outcome in zip(makers, outcomes, strict=True):
        assert isinstance(outcome, RecognitionFailed if make is scripted_to_fail else Hypothesis)


async def test_it_goes_on_after_a_failure(recognizer: Recognizer) -> None:
    with pytest.raises(RecognitionFailed):
        await recognizer.recognize(scripted_to_fail())
    assert (await recognizer.recognize(recognition_request())).text
