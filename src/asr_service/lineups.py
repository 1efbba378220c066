"""The part of the composition root that makes lineups: from settings to a directory of recognizers."""

from contextlib import AsyncExitStack

from asr_service.domain.ports.model_store import ModelStore
from asr_service.domain.ports.recognizer import Recognizer
from asr_service.domain.ports.recognizer_directory import LineupModels
from asr_service.domain.services.lineup_routing import LineupRouting
from asr_service.infrastructure.asr.lineup import Lineup, RunningLineup
from asr_service.infrastructure.asr.lineup_directory import LineupDirectory
from asr_service.infrastructure.asr.pool_sizing import Hardware, find_hardware, workers_at_once
from asr_service.infrastructure.asr.recognizer_load import RecognizerLoad
from asr_service.infrastructure.config.lineup_settings import LineupSettings
from asr_service.infrastructure.config.sections import RecognizerSettings
from asr_service.infrastructure.config.settings import Settings
from asr_service.infrastructure.monitoring.metrics import Metrics
from asr_service.recognizers import RecognizerPools, compose_recognizer, open_pools, plan_pools
from asr_service.shared.clock import SystemClock


class PooledLineup:
    """A lineup whose recognizer has worker processes."""

    def __init__(self, pools: RecognizerPools, recognizer: Recognizer, opened: AsyncExitStack) -> None:
        self._pools = pools
        self._opened = opened
        self.recognizer = recognizer

    @property
    def memory_bytes(self) -> int:
        return self._pools.memory_bytes

    async def check(self) -> None:
        await self._pools.check()

    async def close(self) -> None:
        await self._opened.aclose()


class SharedWorkers:
    """Keeps the load a share of what the workers of all loaded lineups can do together."""

    def __init__(self, load: RecognizerLoad, hardware: Hardware, threads_per_worker: int) -> None:
        self._load = load
        self._hardware = hardware
        self._threads_per_worker = threads_per_worker
        self._workers: dict[str, int] = {}

    def joined(self, lineup: str, workers: int) -> None:
        """A lineup has been loaded."""
        self._workers[lineup] = workers
        self._resize()

    def left(self, lineup: str) -> None:
        """It is being closed."""
        self._workers.pop(lineup, None)
        self._resize()

    def _resize(self) -> None:
        sizes = tuple(self._workers.values())
        self._load.resize(workers_at_once(sizes, self._hardware, threads_per_worker=self._threads_per_worker))


def make_directory(
    settings: Settings, store: ModelStore, hardware: Hardware, metrics: Metrics, load: RecognizerLoad
) -> LineupDirectory:
    """All lineups of the settings, none of them loaded."""
    wanted = settings.lineups
    shared = SharedWorkers(load, hardware, settings.recognizer.threads_per_worker)

    def lineup(name: str, recognizer: RecognizerSettings) -> Lineup:
        async def start() -> RunningLineup:
            plans = plan_pools(recognizer, store, find_hardware(recognizer.device), name)
            opened = AsyncExitStack()
            pools = await opened.enter_async_context(open_pools(plans, recognizer, metrics, load))
            shared.joined(name, plans.workers)
            opened.callback(shared.left, name)
            return PooledLineup(pools, compose_recognizer(pools, metrics), opened)

        models = LineupModels(recognizer.model, recognizer.separate_partials_model, recognizer.fallback_model or None)
        return Lineup(name, models, lambda: _examine(recognizer, store, name), start)

    directory = LineupDirectory(
        [lineup(name, recognizer) for name, recognizer in settings.recognizers().items()],
        routing_of(wanted),
        clock=SystemClock(),
        memory_budget_bytes=wanted.memory_budget_bytes,
        load_wait_s=wanted.load_wait_s,
        pinned=wanted.pinned,
        warm=wanted.warm,
        on_load=metrics.lineup_loaded,
    )
    for name in wanted.names:
        _observe(metrics, directory, name)
    return directory


def _examine(recognizer: RecognizerSettings, store: ModelStore, name: str) -> None:
    plan_pools(recognizer, store, find_hardware(recognizer.device), name)


def _observe(metrics: Metrics, directory: LineupDirectory, name: str) -> None:
    metrics.observe_lineup(name, lambda: directory.leases(name), lambda: directory.memory_bytes(name))


def routing_of(wanted: LineupSettings) -> LineupRouting:
    """The rules that the settings have."""
    return LineupRouting(wanted.default, dict(wanted.tenants), wanted.canary or None, wanted.canary_share)
