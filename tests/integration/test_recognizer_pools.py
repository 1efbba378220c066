"""Recognizers that are made of several pools, with real worker processes behind each."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from asr_service.domain.ports.recognizer import (
    RecognitionKind,
    RecognitionRequest,
    Recognizer,
    RecognizerUnavailable,
)
from asr_service.domain.value_objects.asr_config import PartialPolicy
from asr_service.infrastructure.asr.pooled_recognizer import PooledRecognizer
from asr_service.infrastructure.asr.recognizer_load import RecognizerLoad
from asr_service.infrastructure.config.sections import RecognizerSettings
from asr_service.infrastructure.monitoring.metrics import Metrics
from asr_service.infrastructure.text.masking import MaskingStep
from asr_service.infrastructure.text.text_chain import TextChain
from asr_service.infrastructure.text.text_processing_recognizer import TextProcessingRecognizer
from asr_service.recognizers import PoolPlan, PoolPlans, RecognizerPools, compose_recognizer, open_pools
from asr_service.shared.clock import SystemClock
from tests.fakes.engines import CAPABILITIES, ScriptedEngineFactory
from tests.fixtures.recognition_requests import recognition_request

MAIN, PARTIALS, FALLBACK = "recognizer", "recognizer_partials", "recognizer_fallback"
SCRIPTED = ScriptedEngineFactory()
FATAL = ScriptedEngineFactory(fatal=True)
ENGLISH = ScriptedEngineFactory(capabilities=replace(CAPABILITIES, languages=frozenset({"en"})))


@dataclass(frozen=True)
class Ensemble:
    """Pools at work, the recognizer that they come to, and their numbers."""

    pools: RecognizerPools
    recognizer: Recognizer
    metrics: Metrics

    def number(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    def answered(self, pool: str, kind: RecognitionKind = RecognitionKind.FINAL) -> float:
        """Requests that the workers of a pool have answered."""
        return self.number("asr_recognition_requests_total", kind=kind, pool=pool)


@asynccontextmanager
async def ensemble(
    main: ScriptedEngineFactory = SCRIPTED,
    *,
    partials: ScriptedEngineFactory | None = None,
    fallback: ScriptedEngineFactory | None = None,
) -> AsyncIterator[Ensemble]:
    plans = PoolPlans(
        PoolPlan(MAIN, [main], 1),
        PoolPlan(PARTIALS, [partials], 1) if partials else None,
        PoolPlan(FALLBACK, [fallback], 1) if fallback else None,
    )
    metrics = Metrics()
    load = RecognizerLoad(plans.workers, SystemClock(), PartialPolicy())
    async with open_pools(plans, RecognizerSettings(), metrics, load) as pools:
        yield Ensemble(pools, compose_recognizer(pools, metrics, TextChain.of(MaskingStep(optional=False))), metrics)


def partial(language: str | None = "en") -> RecognitionRequest:
    return recognition_request(kind=RecognitionKind.PARTIAL, language=language)


def pid_of(recognizer: PooledRecognizer) -> int | None:
    (worker,) = recognizer.pool.status().workers
    return worker.pid


async def kill(recognizer: PooledRecognizer) -> None:
    """Kills the worker of a pool; returns when the pool knows."""
    pid = pid_of(recognizer)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await recognizer.pool.wait_for(lambda status: status.workers[0].pid != pid)


async def test_one_pool_does_everything_and_says_so_in_its_numbers() -> None:
    async with ensemble() as one:
        assert isinstance(one.recognizer, TextProcessingRecognizer)
        await one.recognizer.recognize(recognition_request())
        await one.recognizer.recognize(partial())
        assert (one.answered(MAIN), one.answered(MAIN, RecognitionKind.PARTIAL)) == (1, 1)
        assert one.number("asr_workers", pool=MAIN) == one.number("asr_workers_ready", pool=MAIN) == 1


async def test_partials_of_the_language_that_their_model_knows_have_workers_of_their_own() -> None:
    async with ensemble(partials=ENGLISH) as two:
        assert two.recognizer.capabilities.languages == CAPABILITIES.languages
        for request in (partial("en"), partial("zh"), partial(None), recognition_request(language="en")):
            assert (await two.recognizer.recognize(request)).text == request.request_id
        assert two.answered(PARTIALS, RecognitionKind.PARTIAL) == 1
        assert two.answered(MAIN, RecognitionKind.PARTIAL) == 2
        assert (two.answered(PARTIALS), two.answered(MAIN)) == (0, 1)
        assert two.number("asr_queue_capacity_items", queue=PARTIALS) == 512


async def test_partials_go_on_while_their_worker_is_restarted() -> None:
    async with ensemble(partials=ENGLISH) as two:
        assert two.pools.partials is not None
        await kill(two.pools.partials)
        request = partial()
        assert (await two.recognizer.recognize(request)).text == request.request_id
        assert two.answered(MAIN, RecognitionKind.PARTIAL) == 1
        assert two.number("asr_recognition_fallbacks_total", kind="partial", code="recognizer_unavailable") == 1
        await two.pools.check()


async def test_a_final_that_kills_its_worker_twice_is_recognized_by_the_other_model() -> None:
    async with ensemble(FATAL, fallback=SCRIPTED) as two:
        request = recognition_request()
        assert (await two.recognizer.recognize(request)).text == request.request_id
        assert two.answered(FALLBACK) == 1
        assert two.number("asr_recognition_fallbacks_total", kind="final", code="recognition_failed") == 1
        assert two.number("asr_worker_restarts_total", reason="crashed", pool=MAIN) == 2
        assert two.number("asr_worker_restarts_total", reason="crashed", pool=FALLBACK) == 0


async def test_finals_are_recognized_while_the_worker_is_killed_again_and_again() -> None:
    async with ensemble(fallback=SCRIPTED) as two:
        for _ in range(3):
            await two.pools.main.pool.wait_for(lambda status: status.ready == 1)
            await kill(two.pools.main)
            await two.pools.check()
            requests = [recognition_request(session_id=f"ses_{number}") for number in range(4)]
            answers = await asyncio.gather(*map(two.recognizer.recognize, requests))
            assert [answer.text for answer in answers] == [request.request_id for request in requests]
        assert two.answered(FALLBACK) == 12
        assert two.number("asr_recognition_fallbacks_total", kind="final", code="recognizer_unavailable") == 12
        await two.pools.main.pool.wait_for(lambda status: status.ready == 1)
        await two.recognizer.recognize(recognition_request())
        assert two.answered(MAIN) == 1


async def test_without_any_worker_for_finals_the_check_says_why() -> None:
    async with ensemble(partials=ENGLISH, fallback=SCRIPTED) as three:
        assert three.pools.fallback is not None
        await kill(three.pools.main)
        await kill(three.pools.fallback)
        assert three.number("asr_workers_ready", pool=MAIN) == three.number("asr_workers_ready", pool=FALLBACK) == 0
        assert three.number("asr_workers_ready", pool=PARTIALS) == 1
        with pytest.raises(RecognizerUnavailable, match="restarting"):
            await three.pools.check()


@pytest.mark.parametrize("place", ["main", "partials", "fallback"])
async def test_a_pool_that_cannot_be_started_stops_the_others(place: str) -> None:
    broken = ScriptedEngineFactory(hallucinating=True)
    factories = {"main": SCRIPTED, "partials": SCRIPTED, "fallback": SCRIPTED} | {place: broken}
    with pytest.raises(RecognizerUnavailable, match="heard words in noise"):
        async with ensemble(**factories):
            raise AssertionError("a pool is missing")
