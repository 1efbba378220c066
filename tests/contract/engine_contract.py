"""What every engine promises when it stands behind the port, whatever it is made of: the tests, for whoever has engines.

A test module makes a fixture ``case``, with a case for each of its engines, and imports the fixture ``recognizer`` and the
tests from here. So a new engine is a line there.
"""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

import pytest
import pytest_asyncio

from asr_service.domain.ports.recognizer import (
    RecognitionFailed,
    RecognitionKind,
    RecognitionRequest,
    RecognitionSuperseded,
    Recognizer,
)
from asr_service.domain.value_objects.asr_config import RecognitionOptions, Task
from asr_service.domain.value_objects.audio_metadata import BYTES_PER_SAMPLE, SAMPLE_RATE_HZ
from asr_service.domain.value_objects.hypothesis import Hypothesis, Timing
from asr_service.infrastructure.asr.engine import EngineFactory
from asr_service.infrastructure.asr.pooled_recognizer import PooledRecognizer
from asr_service.infrastructure.asr.worker_pool import WorkerPool
from asr_service.shared.clock import SystemClock
from tests.fixtures.recognition_requests import recognition_request

pytestmark = pytest.mark.asyncio(loop_scope="module")

FINAL, PARTIAL = RecognitionKind.FINAL, RecognitionKind.PARTIAL


@dataclass(frozen=True, slots=True)
class EngineCase:
    """An engine, and what can be asked of it.

    Attributes:
        opened: Opens a recognizer with the engine behind it.
        speech: Canonical audio in which the engine hears words, at least 2 s.
        language: Of the words.
        hotwords: Hotwords that change the text of that audio, for an engine that knows hotwords.
    """

    opened: Callable[[], AbstractAsyncContextManager[Recognizer]]
    speech: bytes
    language: str
    hotwords: tuple[str, ...] = ()


def pooled(factory: EngineFactory, *, workers: int = 1) -> Callable[[], PooledRecognizer]:
    """An engine in worker processes, as the service runs it."""
    return lambda: PooledRecognizer(WorkerPool(factory, size=workers), clock=SystemClock())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def recognizer(case: EngineCase) -> AsyncIterator[Recognizer]:
    async with case.opened() as opened:
        yield opened


def begun(case: EngineCase, seconds: float, **changes: object) -> RecognitionRequest:
    """A request for the first seconds of the speech."""
    pcm = case.speech[: BYTES_PER_SAMPLE * round(seconds * SAMPLE_RATE_HZ)]
    return recognition_request(pcm=pcm, **changes)  # type: ignore[arg-type]


def with_options(request: RecognitionRequest, **options: object) -> RecognitionRequest:
    return replace(request, options=RecognitionOptions(**options))  # type: ignore[arg-type]


async def test_it_says_what_it_can_do(recognizer: Recognizer, case: EngineCase) -> None:
    capabilities = recognizer.capabilities
    assert capabilities.engine
    assert capabilities.model
    assert case.language in capabilities.languages
    assert capabilities.max_seconds >= 28  # what the longest utterance needs that a client may ask for


async def test_no_audio_is_silence(recognizer: Recognizer) -> None:
    assert (await recognizer.recognize(recognition_request(pcm=b""))).text == ""


@pytest.mark.parametrize("kind", RecognitionKind)
@pytest.mark.parametrize("samples", [1, 2, 159, 401, 1_599])
async def test_audio_too_short_for_a_word_is_answered(
    recognizer: Recognizer, case: EngineCase, samples: int, kind: RecognitionKind
) -> None:
    pcm = case.speech[-BYTES_PER_SAMPLE * SAMPLE_RATE_HZ :][: BYTES_PER_SAMPLE * samples]
    assert isinstance(await recognizer.recognize(recognition_request(pcm=pcm, kind=kind)), Hypothesis)


@pytest.mark.parametrize("kind", RecognitionKind)
async def test_digital_silence_has_no_words(recognizer: Recognizer, kind: RecognitionKind) -> None:
    hypothesis = await recognizer.recognize(recognition_request(pcm=bytes(64_000), kind=kind))
    assert (hypothesis.text, hypothesis.words) == ("", ())


async def test_speech_has_words_and_times_if_it_says_so(recognizer: Recognizer, case: EngineCase) -> None:
    request = recognition_request(pcm=case.speech)
    hypothesis = await recognizer.recognize(request)
    assert hypothesis.text == hypothesis.text.strip()
    assert hypothesis.text
    assert hypothesis.timing is (Timing.ALIGNED if recognizer.capabilities.word_times else Timing.NONE)
    assert bool(hypothesis.words) is recognizer.capabilities.word_times
    edges = [edge for word in hypothesis.words for edge in (word.span.start, word.span.end)]
    assert edges == sorted(edges)
    assert all(0 <= edge <= len(request.span) for edge in edges)


async def test_a_partial_of_speech_has_words(recognizer: Recognizer, case: EngineCase) -> None:
    assert (await recognizer.recognize(recognition_request(pcm=case.speech, kind=PARTIAL))).text


async def test_audio_up_to_the_limit_is_answered_and_longer_audio_refused(
    recognizer: Recognizer, case: EngineCase
) -> None:
    longest = BYTES_PER_SAMPLE * round(recognizer.capabilities.max_seconds * SAMPLE_RATE_HZ)
    speech = case.speech * (longest // len(case.speech) + 2)
    assert isinstance(await recognizer.recognize(recognition_request(pcm=speech[:longest])), Hypothesis)
    with pytest.raises(RecognitionFailed):
        await recognizer.recognize(recognition_request(pcm=speech[: longest + BYTES_PER_SAMPLE * SAMPLE_RATE_HZ]))


async def test_a_language_that_it_says_it_knows_may_be_asked_for(recognizer: Recognizer, case: EngineCase) -> None:
    hypothesis = await recognizer.recognize(recognition_request(pcm=case.speech, language=case.language))
    assert hypothesis.text
    assert hypothesis.language == case.language


async def test_a_language_that_it_does_not_know_is_refused(recognizer: Recognizer, case: EngineCase) -> None:
    with pytest.raises(RecognitionFailed):
        await recognizer.recognize(recognition_request(pcm=case.speech, language="tlh"))


async def test_it_translates_if_and_only_if_it_says_so(recognizer: Recognizer, case: EngineCase) -> None:
    request = recognition_request(pcm=case.speech, task=Task.TRANSLATE)
    if recognizer.capabilities.translation:
        assert (await recognizer.recognize(request)).text
    else:
        with pytest.raises(RecognitionFailed):
            await recognizer.recognize(request)


async def test_hotwords_change_the_text_if_and_only_if_it_says_so(recognizer: Recognizer, case: EngineCase) -> None:
    plain = recognition_request(pcm=case.speech)
    hotwords = case.hotwords or ("arboretum", "马尔代夫")
    texts = [(await recognizer.recognize(request)).text for request in (plain, with_options(plain, hotwords=hotwords))]
    assert (texts[0] != texts[1]) is recognizer.capabilities.hotwords


async def test_a_prompt_changes_nothing_if_it_says_so(recognizer: Recognizer, case: EngineCase) -> None:
    plain = recognition_request(pcm=case.speech)
    if not recognizer.capabilities.prompt:
        prompted = await recognizer.recognize(with_options(plain, prompt="The arboretum, the arboretum."))
        assert prompted == await recognizer.recognize(plain)
    assert (await recognizer.recognize(plain)).text


async def test_the_text_depends_on_the_request_alone(recognizer: Recognizer, case: EngineCase) -> None:
    """Utterances of several sessions grow in turn, by whatever steps; each answer is the one that a stranger would get."""
    chance = random.Random(7)
    ends = {f"ses_{number}": sorted(chance.uniform(0.1, 2.0) for _ in range(3)) for number in range(4)}
    steps = [(session, seconds) for session, its_ends in ends.items() for seconds in its_ends]
    chance.shuffle(steps)
    requests = [
        begun(case, seconds, session_id=session, kind=FINAL if seconds == ends[session][-1] else PARTIAL)
        for session, seconds in steps
    ]
    in_turn = [(await recognizer.recognize(request)).text for request in requests]
    strangers = [replace(request, session_id=f"stranger_{number}") for number, request in enumerate(requests)]
    assert in_turn == [(await recognizer.recognize(request)).text for request in strangers]


async def test_overlapping_calls_each_get_their_own_answer(recognizer: Recognizer, case: EngineCase) -> None:
    requests = [begun(case, 0.5 + number / 4, session_id=f"together_{number}") for number in range(6)]
    together = await asyncio.gather(*(recognizer.recognize(request) for request in requests))
    alone = [await recognizer.recognize(request) for request in requests]
    assert [hypothesis.text for hypothesis in together] == [hypothesis.text for hypothesis in alone]


async def test_a_cancelled_call_disturbs_no_other(recognizer: Recognizer, case: EngineCase) -> None:
    requests = [begun(case, 1.0 + number / 10, session_id=f"cancelled_{number}") for number in range(8)]
    calls = [asyncio.create_task(recognizer.recognize(request)) for request in requests]
    await calls[1]  # by now some others have begun, and some wait
    for call in calls[::2]:
        call.cancel()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(outcome, asyncio.CancelledError | Hypothesis) for outcome in outcomes[::2])
    assert all(isinstance(outcome, Hypothesis) for outcome in outcomes[1::2])


async def test_a_request_that_is_refused_leaves_those_beside_it_alone(recognizer: Recognizer, case: EngineCase) -> None:
    languages = ["tlh" if number % 3 == 0 else None for number in range(6)]
    requests = [begun(case, 1.0, session_id=f"beside_{n}", language=language) for n, language in enumerate(languages)]
    outcomes = await asyncio.gather(*(recognizer.recognize(request) for request in requests), return_exceptions=True)
    for language, outcome in zip(languages, outcomes, strict=True):
        assert isinstance(outcome, RecognitionFailed if language else Hypothesis)


async def test_a_dead_worker_costs_time_only(recognizer: Recognizer, case: EngineCase) -> None:
    """An utterance is in the middle when its worker dies. An engine that is no process of ours has no worker to lose."""
    partial, final = (
        begun(case, seconds, session_id="survivor", kind=kind) for seconds, kind in ((1.0, PARTIAL), (2.0, FINAL))
    )
    expected = await recognizer.recognize(replace(final, session_id="before"))
    await recognizer.recognize(partial)
    if isinstance(recognizer, PooledRecognizer):
        call = asyncio.create_task(recognizer.recognize(final))
        pid = recognizer.pool.status().workers[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert await call == expected
        await recognizer.pool.wait_for(lambda status: status.ready == recognizer.pool.size)
    assert await recognizer.recognize(final) == expected
    with_next_partial = asyncio.create_task(recognizer.recognize(replace(partial, utterance=1)))
    (outcome,) = await asyncio.gather(with_next_partial, return_exceptions=True)
    assert isinstance(outcome, Hypothesis | RecognitionSuperseded)
