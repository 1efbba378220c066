"""The part of the composition root that makes one recognizer: of what runs here, and a recognition server elsewhere."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from asr_service.domain.ports.model_store import ModelStore
from asr_service.domain.ports.recognizer import RecognitionRequest, Recognizer, RecognizerUnavailable
from asr_service.domain.value_objects.asr_config import PartialPolicy
from asr_service.infrastructure.asr.batch_observer import BatchReport, NoObserver
from asr_service.infrastructure.asr.fallback_recognizer import FallbackRecognizer
from asr_service.infrastructure.asr.pool_sizing import find_hardware
from asr_service.infrastructure.asr.recognizer_load import RecognizerLoad
from asr_service.infrastructure.asr.remote.circuit_breaker import CircuitBreaker
from asr_service.infrastructure.asr.remote.remote_calls import CallPolicy
from asr_service.infrastructure.asr.remote_funasr_recognizer import FunAsrServer, RemoteFunAsrRecognizer
from asr_service.infrastructure.asr.remote_openai_recognizer import OpenAiServer, RemoteOpenAiRecognizer
from asr_service.infrastructure.asr.shadow_recognizer import ShadowRecognizer
from asr_service.infrastructure.asr.two_pass_recognizer import TwoPassRecognizer
from asr_service.infrastructure.config.remote_settings import RemoteSettings
from asr_service.infrastructure.config.sections import RecognizerSettings
from asr_service.infrastructure.monitoring.metrics import Metrics
from asr_service.infrastructure.text.text_chain import TextChain
from asr_service.infrastructure.text.text_processing_recognizer import TextProcessingRecognizer
from asr_service.recognizers import RecognizerPools, Shadow, compose_recognizer, open_pools, plan_pools
from asr_service.shared.clock import SystemClock

REMOTE = "recognizer_remote"
"""The server among the pools, in metrics."""


class RemoteRecognizer(Recognizer, Protocol):
    """A recognizer that asks a server."""

    @property
    def is_ready(self) -> bool: ...

    @property
    def waiting(self) -> int: ...

    async def start(self) -> None: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class RecognizerAtWork:
    """A recognizer, and what is behind it.

    Attributes:
        recognizer: It.
        check: Returns while it can recognize finals; else raises ``RecognizerUnavailable``.
        workers: Processes that can be counted on: those of a pool to fall back on only help out.
        pools: All processes; ``None``: there are none here.
    """

    recognizer: Recognizer
    check: Callable[[], Awaitable[None]]
    workers: int = 0
    pools: RecognizerPools | None = None

    @property
    def memory_bytes(self) -> int:
        """Resident memory of the processes."""
        return 0 if self.pools is None else self.pools.memory_bytes


@dataclass(frozen=True, slots=True)
class RecognizerParts:
    """What recognizers are made with.

    Attributes:
        store: Has the models.
        server: The server elsewhere, where the settings of a recognizer ask for it.
        partials: The intervals of sessions that do not choose their own.
        chain: The texts of each recognizer go through it.
        metrics: Are told what goes on.
        load: Watches the workers, or the places at the server where that recognizes.
    """

    store: ModelStore
    server: RemoteSettings
    partials: PartialPolicy
    chain: TextChain
    metrics: Metrics
    load: RecognizerLoad


class _ObservedServer(NoObserver):
    """Tells the metrics and the load of the requests that the server is given."""

    def __init__(self, metrics: Metrics, load: RecognizerLoad | None) -> None:
        self._metrics = metrics
        self._load = load

    def batch_begun(self, worker: str, requests: Sequence[RecognitionRequest]) -> None:
        if self._load is not None:
            self._load.batch_begun(worker, requests)

    def batch_ended(self, worker: str, *, answered: bool) -> None:
        if self._load is not None:
            self._load.batch_ended(worker, answered=answered)

    def batch_done(self, report: BatchReport) -> None:
        self._metrics.batch_done(
            pool=REMOTE,
            finals=report.finals,
            partials=report.partials,
            failures=report.failures,
            audio_s=report.audio_s,
            queue_waits_s=report.queue_wait_s,
            inference_s=report.inference_s,
        )


@asynccontextmanager
async def open_recognizer(
    wanted: RecognizerSettings, parts: RecognizerParts, lineup: str
) -> AsyncIterator[RecognizerAtWork]:
    """Everything that the settings of a lineup ask for, here and elsewhere, ready to work.

    The server may be down: it is asked later.

    Raises:
        ModelUnknown, ModelMissing, ModelCorrupt: A model that they name is not there, or not as it should be.
        RecognizerUnavailable: A pool has no worker that could be started.
    """
    async with AsyncExitStack() as opened:
        begin = _server_first if wanted.remote == "main" else _workers_first
        yield await begin(wanted, parts, lineup, opened)


async def _workers_first(
    wanted: RecognizerSettings, parts: RecognizerParts, lineup: str, opened: AsyncExitStack
) -> RecognizerAtWork:
    """The pools recognize; the server, if at all, what they cannot."""
    metrics, chain = parts.metrics, parts.chain
    plans = plan_pools(wanted, parts.store, find_hardware(wanted.device), lineup)
    pools = await opened.enter_async_context(open_pools(plans, wanted, metrics, parts.load))
    shadow = _shadows(wanted.shadow_share, metrics, opened)
    if wanted.remote == "off":
        recognizer = compose_recognizer(pools, metrics, chain, shadow)
        return RecognizerAtWork(recognizer, pools.check, plans.workers, pools)
    here = compose_recognizer(pools, metrics, chain)
    remote = await opened.enter_async_context(_open_server(parts.server, wanted.max_waiting, metrics))
    elsewhere = TextProcessingRecognizer(remote, chain)
    recognizer = FallbackRecognizer(
        shadow(here, elsewhere),
        elsewhere,
        is_ready=lambda: pools.main.pool.ready_workers > 0,
        on_fallback=metrics.recognition_fell_back,
    )
    return RecognizerAtWork(recognizer, lambda: _check(remote, pools), plans.workers, pools)


async def _server_first(
    wanted: RecognizerSettings, parts: RecognizerParts, lineup: str, opened: AsyncExitStack
) -> RecognizerAtWork:
    """The server recognizes; the pools, if there are any, what it cannot, and the partials that it has none of.

    The load is that of the server's places: what falls back on the workers is an exception, as it is between pools.
    """
    metrics, chain = parts.metrics, parts.chain
    remote = await opened.enter_async_context(_open_server(parts.server, wanted.max_waiting, metrics, parts.load))
    elsewhere = TextProcessingRecognizer(remote, chain)
    if (local := wanted.local) is None:
        return RecognizerAtWork(elsewhere, lambda: _check(remote))
    plans = plan_pools(local, parts.store, find_hardware(local.device), lineup)
    unwatched = RecognizerLoad(plans.main.size, SystemClock(), parts.partials)
    pools = await opened.enter_async_context(open_pools(plans, local, metrics, unwatched))
    here = compose_recognizer(pools, metrics, chain)
    recognizer: Recognizer = FallbackRecognizer(
        _shadows(wanted.shadow_share, metrics, opened)(elsewhere, here),
        here,
        is_ready=lambda: remote.is_ready,
        on_fallback=metrics.recognition_fell_back,
    )
    if wanted.partials_model or not remote.capabilities.partials:
        recognizer = TwoPassRecognizer(partials=here, finals=recognizer)
    return RecognizerAtWork(recognizer, lambda: _check(remote, pools), plans.workers, pools)


async def _check(remote: RemoteRecognizer, pools: RecognizerPools | None = None) -> None:
    """Returns while there is somebody to recognize finals."""
    if remote.is_ready:
        return
    if pools is None:
        raise RecognizerUnavailable("The recognition server does not answer.")
    await pools.check()


def _shadows(share: float, metrics: Metrics, opened: AsyncExitStack) -> Shadow:
    """What compares a share of the finals of two recognizers, if any is to be compared."""

    def shadow(first: Recognizer, second: Recognizer) -> Recognizer:
        if not share:
            return first
        shadowed = ShadowRecognizer(first, second, share=share, on_compared=metrics.shadow_compared)
        opened.push_async_callback(shadowed.close)
        return shadowed

    return shadow


@asynccontextmanager
async def _open_server(
    server: RemoteSettings, max_waiting: int, metrics: Metrics, load: RecognizerLoad | None = None
) -> AsyncIterator[RemoteRecognizer]:
    """The recognizer that asks the server; no connection is made before there is a request."""
    breaker = CircuitBreaker(server.protocol, SystemClock(), retry_s=server.retry_s, on_change=metrics.remote_changed)
    policy = CallPolicy(server.at_once, max_waiting, server.timeout_s)
    build = _funasr if server.protocol == "funasr" else _openai
    remote = build(server, breaker, policy, metrics, load)
    metrics.observe_queue(REMOTE, lambda: remote.waiting, max_waiting)
    metrics.observe_remote(lambda: breaker.is_closed)
    await remote.start()
    try:
        yield remote
    finally:
        await remote.close()


def _funasr(
    wanted: RemoteSettings, breaker: CircuitBreaker, policy: CallPolicy, metrics: Metrics, load: RecognizerLoad | None
) -> RemoteRecognizer:
    server = FunAsrServer(
        wanted.url,
        verify_tls=wanted.verify_tls,
        api_key=wanted.api_key.get_secret_value(),
        connect_timeout_s=wanted.connect_timeout_s,
        word_times=wanted.word_times,
        **_told(wanted),
    )
    remote = RemoteFunAsrRecognizer(
        server,
        breaker=breaker,
        clock=SystemClock(),
        policy=policy,
        max_streams=wanted.max_streams,
        observer=_ObservedServer(metrics, load),
    )
    metrics.observe_queue("remote_streams", lambda: remote.streams, wanted.max_streams)
    return remote


def _openai(
    wanted: RemoteSettings, breaker: CircuitBreaker, policy: CallPolicy, metrics: Metrics, load: RecognizerLoad | None
) -> RemoteRecognizer:
    server = OpenAiServer(
        wanted.url,
        verify_tls=wanted.verify_tls,
        api_key=wanted.api_key.get_secret_value(),
        connect_timeout_s=wanted.connect_timeout_s,
        word_times=wanted.word_times,
        partials=wanted.partials,
        **_told(wanted),
    )
    observer = _ObservedServer(metrics, load)
    return RemoteOpenAiRecognizer(server, breaker=breaker, clock=SystemClock(), policy=policy, observer=observer)


def _told(wanted: RemoteSettings) -> dict[str, Any]:
    """What the adapters have defaults of their own for."""
    told: dict[str, Any] = {"model": wanted.model_name} if wanted.model_name else {}
    return {**told, "languages": frozenset(wanted.languages)} if wanted.languages else told
