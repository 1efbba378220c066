"""The half of the composition root that makes recognizers: from settings to pools, and from pools to one recognizer."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TypeAlias

from asr_service.domain.ports.model_store import ModelStore
from asr_service.domain.ports.punctuation_restorer import PunctuationRestorer
from asr_service.domain.ports.recognizer import RecognitionRequest, Recognizer, RecognizerUnavailable
from asr_service.domain.value_objects.asr_config import Numbers
from asr_service.engines import FASTER_WHISPER, engine_factories, find_model
from asr_service.infrastructure.asr.batch_observer import BatchReport
from asr_service.infrastructure.asr.engine import EngineFactory
from asr_service.infrastructure.asr.fallback_recognizer import FallbackRecognizer
from asr_service.infrastructure.asr.micro_batcher import BatchingPolicy
from asr_service.infrastructure.asr.pool_sizing import Hardware, pool_sizes
from asr_service.infrastructure.asr.pooled_recognizer import PooledRecognizer
from asr_service.infrastructure.asr.recognizer_load import RecognizerLoad
from asr_service.infrastructure.asr.supervised_worker import SupervisionPolicy
from asr_service.infrastructure.asr.two_pass_recognizer import TwoPassRecognizer
from asr_service.infrastructure.asr.worker_link import WorkerEnd
from asr_service.infrastructure.asr.worker_pool import WorkerPool
from asr_service.infrastructure.config.lineup_settings import DEFAULT_LINEUP
from asr_service.infrastructure.config.problems import InvalidSettings, Problem
from asr_service.infrastructure.config.sections import RecognizerSettings, TextSettings
from asr_service.infrastructure.monitoring.metrics import Metrics
from asr_service.infrastructure.text.masking import MaskingStep
from asr_service.infrastructure.text.numbers_step import NumbersStep
from asr_service.infrastructure.text.punctuation_step import PunctuationStep
from asr_service.infrastructure.text.text_chain import TextChain
from asr_service.infrastructure.text.text_processing_recognizer import TextProcessingRecognizer
from asr_service.infrastructure.text.word_lists import WordListUnreadable, read_tenants_words, read_words
from asr_service.shared.clock import SystemClock

Shadow: TypeAlias = Callable[[Recognizer, Recognizer], Recognizer]
"""Makes the first recognizer one that is compared with the second."""


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """A pool that is to be.

    Attributes:
        name: In metrics.
        factories: Load its engine, one for each device.
        size: Number of workers.
        finals_apart_below: See ``BatchingPolicy``.
        lineup: To which it belongs.
    """

    name: str
    factories: Sequence[EngineFactory]
    size: int
    finals_apart_below: int = 1
    lineup: str = DEFAULT_LINEUP


@dataclass(frozen=True, slots=True)
class PoolPlans:
    """The pools that the settings ask for, each for a model of its own.

    Attributes:
        main: Recognizes finals, and what no other pool does.
        partials: Recognizes the partials of the languages that its model knows; ``None``: the main one does.
        fallback: Recognizes what the main one cannot just now; ``None``: nothing does.
    """

    main: PoolPlan
    partials: PoolPlan | None = None
    fallback: PoolPlan | None = None

    @property
    def workers(self) -> int:
        """Those that can be counted on: the fallback's only help out."""
        return self.main.size + (self.partials.size if self.partials else 0)


@dataclass(frozen=True, slots=True)
class RecognizerPools:
    """The same pools at work."""

    main: PooledRecognizer
    partials: PooledRecognizer | None = None
    fallback: PooledRecognizer | None = None

    @property
    def opened(self) -> list[PooledRecognizer]:
        """Those that there are."""
        return [pool for pool in (self.main, self.partials, self.fallback) if pool is not None]

    @property
    def memory_bytes(self) -> int:
        """Resident memory of all workers."""
        workers = (worker for pool in self.opened for worker in pool.pool.status().workers)
        return sum(worker.rss_bytes or 0 for worker in workers)

    async def check(self) -> None:
        """Returns while finals can be recognized. That partials cannot is no reason to send clients elsewhere.

        Raises:
            RecognizerUnavailable: Neither the main pool nor the fallback has a worker that is ready.
        """
        if self.main.pool.ready_workers or (self.fallback is not None and self.fallback.pool.ready_workers):
            return
        self.main.pool.check_available()
        raise RecognizerUnavailable("All recognition workers are restarting.")


class _ObservedPool:
    """Tells the metrics and the load what a pool reports."""

    def __init__(self, metrics: Metrics, plan: PoolPlan, load: RecognizerLoad | None) -> None:
        self._metrics = metrics
        self._pool = plan.name
        self._lineup = plan.lineup
        self._load = load

    def batch_begun(self, worker: str, requests: Sequence[RecognitionRequest]) -> None:
        if self._load is not None:
            self._load.batch_begun(worker, requests)

    def batch_ended(self, worker: str, *, answered: bool) -> None:
        if self._load is not None:
            self._load.batch_ended(worker, answered=answered)

    def batch_done(self, report: BatchReport) -> None:
        self._metrics.batch_done(
            pool=self._pool,
            finals=report.finals,
            partials=report.partials,
            failures=report.failures,
            audio_s=report.audio_s,
            queue_waits_s=report.queue_wait_s,
            inference_s=report.inference_s,
        )
        self._metrics.lineup_worked(self._lineup, audio_s=report.audio_s, inference_s=report.inference_s)

    def worker_restarted(self, worker: str, end: WorkerEnd) -> None:
        self._metrics.worker_restarted(end, pool=self._pool)


def plan_pools(
    wanted: RecognizerSettings, store: ModelStore, hardware: Hardware, lineup: str = DEFAULT_LINEUP
) -> PoolPlans:
    """What the settings of a lineup come to on this hardware. Its pools are named after it, but for those of the default.

    Raises:
        ModelUnknown, ModelMissing, ModelCorrupt, ModelUnsuitable: A model that they name is not there, or not as it should be.
        EngineUnknown, EngineNotInstalled: Nothing here can run it.
    """
    partials, fallback = wanted.separate_partials_model, wanted.fallback_model
    sizes = pool_sizes(
        hardware,
        threads_per_worker=wanted.threads_per_worker,
        finals=wanted.workers,
        partials=wanted.partials_workers if partials else None,
        has_fallback=bool(fallback),
    )

    def plan(name: str, model: str, size: int) -> PoolPlan:
        found = find_model(model, wanted, store)
        apart_below = _finals_apart_below(found.engine, wanted, hardware)
        shown_as = name if lineup == DEFAULT_LINEUP else f"{name}@{lineup}"
        return PoolPlan(shown_as, engine_factories(found, wanted, hardware), size, apart_below, lineup)

    return PoolPlans(
        main=plan("recognizer", wanted.model, sizes.finals),
        partials=plan("recognizer_partials", partials, sizes.partials) if partials else None,
        fallback=plan("recognizer_fallback", fallback, sizes.fallback) if fallback else None,
    )


def _finals_apart_below(engine: str, wanted: RecognizerSettings, hardware: Hardware) -> int:
    """On a CPU a search with several beams is a batch already: what two finals in one call save is less than the first loses.

    Measured with 16 speakers on 2 cores (Whisper base int8, 5 beams): two finals in one call took 530 ms, one took 220 ms.
    Alone, 95 % came within 420 ms of the endpoint instead of 620 ms, for the same work.
    """
    searches = engine == FASTER_WHISPER and wanted.beam_size > 1
    return 4 if searches and hardware.device == "cpu" else 1


def show_load(load: RecognizerLoad, metrics: Metrics) -> None:
    """Has the metrics ask for the load."""
    metrics.observe_load(
        used=lambda: load.utilization,
        needed=lambda: load.needed,
        thinning=lambda: load.of_partials,
        final_cost_s=lambda: load.final_cost_s,
        partial_cost_s=lambda: load.partial_cost_s,
    )


@asynccontextmanager
async def open_pools(
    plans: PoolPlans, wanted: RecognizerSettings, metrics: Metrics, load: RecognizerLoad
) -> AsyncIterator[RecognizerPools]:
    """The pools, ready to work. They start at the same time, and each has to: a slip in the settings shows at once.

    Raises:
        RecognizerUnavailable: A pool has no worker that could be started.
    """
    pools = RecognizerPools(
        main=_pool(plans.main, wanted, metrics, load),
        partials=_pool(plans.partials, wanted, metrics, load) if plans.partials else None,
        fallback=_pool(plans.fallback, wanted, metrics, None) if plans.fallback else None,
    )
    try:
        starts = await asyncio.gather(*(pool.start() for pool in pools.opened), return_exceptions=True)
        if failures := [start for start in starts if start is not None]:
            raise failures[0]
        yield pools
    finally:
        await asyncio.gather(*(pool.close() for pool in pools.opened))
        for plan in (plans.main, plans.partials, plans.fallback):
            if plan is not None:
                metrics.forget_pool(plan.name)


def _pool(
    plan: PoolPlan, wanted: RecognizerSettings, metrics: Metrics, load: RecognizerLoad | None
) -> PooledRecognizer:
    policy = SupervisionPolicy(hang_timeout_s=wanted.hang_timeout_s, memory_ceiling_bytes=wanted.memory_ceiling_bytes)
    observer = _ObservedPool(metrics, plan, load)
    workers = WorkerPool(plan.factories, plan.size, policy, observer, name=plan.name.replace("_", "-"))
    recognizer = PooledRecognizer(
        workers,
        clock=SystemClock(),
        policy=BatchingPolicy(
            max_batch=wanted.max_batch,
            max_waiting=wanted.max_waiting,
            finals_apart_below=plan.finals_apart_below,
        ),
        observer=observer,
    )
    metrics.observe_queue(plan.name, lambda: recognizer.waiting, wanted.max_waiting)
    metrics.observe_workers(plan.name, lambda: workers.ready_workers, workers.size)
    return recognizer


def make_text_chain(wanted: TextSettings, restorer: PunctuationRestorer | None = None) -> TextChain:
    """What is done to all texts.

    Args:
        wanted: The settings.
        restorer: Puts punctuation into texts of engines that write none; ``None``: they stay without.

    Raises:
        InvalidSettings: A list of words to mask cannot be read, or a package is missing.
    """
    numbers = _numbers_step()
    if numbers is None and wanted.numbers is Numbers.WRITTEN:
        raise InvalidSettings([Problem("text.numbers", "needs the extra text: pip install 'asr-service[text]'.")])
    return TextChain.of(_masking_step(wanted), numbers, None if restorer is None else PunctuationStep(restorer))


def _masking_step(wanted: TextSettings) -> MaskingStep:
    try:
        everybody = read_words(wanted.masked_words) if wanted.masked_words else []
    except WordListUnreadable as error:
        raise InvalidSettings([Problem("text.masked_words", str(error))]) from None
    try:
        tenants = read_tenants_words(wanted.masked_words_directory) if wanted.masked_words_directory else {}
    except WordListUnreadable as error:
        raise InvalidSettings([Problem("text.masked_words_directory", str(error))]) from None
    return MaskingStep(everybody, tenants, optional=wanted.unmasking)


def _numbers_step() -> NumbersStep | None:
    """``None`` without the extra ``text``."""
    if find_spec("wetext") is None:
        return None
    from asr_service.infrastructure.text.number_grammars import NumberGrammars  # noqa: PLC0415 - of an extra

    return NumbersStep(NumberGrammars())


def compose_recognizer(
    pools: RecognizerPools, metrics: Metrics, chain: TextChain, shadow: Shadow = lambda first, second: first
) -> Recognizer:
    """The one recognizer that the pools come to; the texts of each are processed by what its engine needs."""
    main = TextProcessingRecognizer(pools.main, chain)
    recognizer: Recognizer = main
    if pools.fallback is not None:
        fallback = TextProcessingRecognizer(pools.fallback, chain)
        recognizer = _with_fallback(shadow(main, fallback), fallback, pools.main.pool, metrics)
    if pools.partials is not None:
        # Without its workers there are fewer partials from then on, not none.
        partials = TextProcessingRecognizer(pools.partials, chain)
        partials_or_main = _with_fallback(partials, main, pools.partials.pool, metrics)
        recognizer = TwoPassRecognizer(partials=partials_or_main, finals=recognizer)
    return recognizer


def _with_fallback(first: Recognizer, second: Recognizer, workers: WorkerPool, metrics: Metrics) -> FallbackRecognizer:
    """``workers`` are those of the first."""
    return FallbackRecognizer(
        first, second, is_ready=lambda: workers.ready_workers > 0, on_fallback=metrics.recognition_fell_back
    )
