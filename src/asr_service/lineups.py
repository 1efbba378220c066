"""The part of the composition root that makes lineups: from settings to a directory of recognizers."""

from contextlib import AsyncExitStack
from dataclasses import replace

from asr_service.app.dto.model_names import named_model
from asr_service.domain.ports.model_store import ModelStore
from asr_service.domain.ports.recognizer import Recognizer
from asr_service.domain.ports.recognizer_directory import LineupModels
from asr_service.domain.services.lineup_routing import LineupRouting
from asr_service.infrastructure.asr.lineup import Lineup, RunningLineup
from asr_service.infrastructure.asr.lineup_directory import LineupDirectory
from asr_service.infrastructure.asr.pool_sizing import find_hardware, workers_at_once
from asr_service.infrastructure.asr.recognizer_load import RecognizerLoad
from asr_service.infrastructure.config.lineup_settings import LineupSettings
from asr_service.infrastructure.config.problems import InvalidSettings, Problem
from asr_service.infrastructure.config.sections import RecognizerSettings
from asr_service.infrastructure.config.settings import Settings
from asr_service.infrastructure.monitoring.metrics import Metrics
from asr_service.recognizers import make_text_chain, plan_pools, show_load
from asr_service.remote_recognizers import RecognizerAtWork, RecognizerParts, open_recognizer
from asr_service.shared.clock import SystemClock


class OpenedLineup:
    """A lineup at work, and all that has to be closed when it is not wanted any more."""

    def __init__(self, at_work: RecognizerAtWork, opened: AsyncExitStack) -> None:
        self._at_work = at_work
        self._opened = opened

    @property
    def recognizer(self) -> Recognizer:
        return self._at_work.recognizer

    @property
    def memory_bytes(self) -> int:
        return self._at_work.memory_bytes

    async def check(self) -> None:
        await self._at_work.check()

    async def close(self) -> None:
        await self._opened.aclose()


class SharedWorkers:
    """Keeps the load a share of what the workers of all loaded lineups can do together."""

    def __init__(self, load: RecognizerLoad, main: RecognizerSettings) -> None:
        self._load = load
        self._main = main
        self._workers: dict[str, int] = {}

    def joined(self, lineup: str, workers: int) -> None:
        """A lineup has been loaded."""
        self._workers[lineup] = workers
        self._resize()

    def left(self, lineup: str) -> None:
        """It is being closed."""
        del self._workers[lineup]
        self._resize()

    def _resize(self) -> None:
        sizes, main = tuple(self._workers.values()), self._main
        hardware = find_hardware(main.device)
        self._load.resize(workers_at_once(sizes, hardware, threads_per_worker=main.threads_per_worker))


def make_load(settings: Settings, metrics: Metrics) -> RecognizerLoad:
    """The load of what recognizes: of the places at the server elsewhere, or else of the workers of all lineups."""
    places = settings.remote.at_once if settings.recognizer.remote == "main" else 1  # until a lineup is loaded
    load = RecognizerLoad(places, SystemClock(), settings.partials.policy())
    show_load(load, metrics)
    return load


def make_directory(settings: Settings, store: ModelStore, metrics: Metrics, load: RecognizerLoad) -> LineupDirectory:
    """All lineups of the settings, none of them loaded.

    Raises:
        InvalidSettings: What is to be done to texts cannot be done, or a name means something else.
    """
    wanted, partials = settings.lineups, settings.partials.policy()
    if taken := [name for name in wanted.named if named_model(name, live=True, diarizing=True) is None]:
        raise InvalidSettings(
            [Problem("lineups.named", f"cannot have {taken[0]}: OpenAI's clients mean any model by it.")]
        )
    at_server = settings.recognizer.remote == "main"
    shared = None if at_server else SharedWorkers(load, settings.recognizer)
    parts = RecognizerParts(store, settings.remote, partials, make_text_chain(settings.text), metrics, load)

    def lineup(name: str, recognizer: RecognizerSettings) -> Lineup:
        own = parts
        if at_server and recognizer.remote != "main":  # its workers are no places at the server
            own = replace(parts, load=RecognizerLoad(1, SystemClock(), partials))

        async def start() -> RunningLineup:
            opened = AsyncExitStack()
            at_work = await opened.enter_async_context(open_recognizer(recognizer, own, name))
            if shared is not None:
                shared.joined(name, at_work.workers)
                opened.callback(shared.left, name)
            return OpenedLineup(at_work, opened)

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
    if (local := recognizer.local) is not None:
        plan_pools(local, store, find_hardware(local.device), name)


def _observe(metrics: Metrics, directory: LineupDirectory, name: str) -> None:
    metrics.observe_lineup(name, lambda: directory.leases(name), lambda: directory.memory_bytes(name))


def routing_of(wanted: LineupSettings) -> LineupRouting:
    """The rules that the settings have."""
    return LineupRouting(wanted.default, dict(wanted.tenants), wanted.canary or None, wanted.canary_share)
