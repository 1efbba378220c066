"""The part of the composition root that brings a recognition server elsewhere together with what runs here."""

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
from asr_service.recognizers import (
    RecognizerPools,
    Shadow,
    compose_recognizer,
    open_pools,
    plan_pools,
    show_load,
    watch_load,
)
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
    """The one recognizer that everything comes to.

    Attributes:
        recognizer: It.
        check: Returns while it can recognize finals; else raises ``RecognizerUnavailable``.
        load: Of the workers, or of the places at the server where that recognizes.
    """

    recognizer: Recognizer
    check: Callable[[], Awaitable[None]]
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
    wanted: RecognizerSettings,
    server: RemoteSettings,
    store: ModelStore,
    partials: PartialPolicy,
    metrics: Metrics,
    chain: TextChain,
) -> AsyncIterator[RecognizerAtWork]:
    """Everything that the settings ask for, here and elsewhere, ready to work. The server may be down: it is asked later.

    The texts of each recognizer go through the chain.

    Raises:
        ModelUnknown, ModelMissing, ModelCorrupt: A model that they name is not there, or not as it should be.
        RecognizerUnavailable: A pool has no worker that could be started.
    """
    async with AsyncExitStack() as opened:
        begin = _server_first if wanted.remote == "main" else _workers_first
        yield await begin(wanted, server, store, partials, metrics, chain, opened)


async def _workers_first(
    wanted: RecognizerSettings,
    server: RemoteSettings,
    store: ModelStore,
    partials: PartialPolicy,
    metrics: Metrics,
    chain: TextChain,
    opened: AsyncExitStack,
) -> RecognizerAtWork:
    """The pools recognize; the server, if at all, what they cannot."""
    plans = plan_pools(wanted, store, find_hardware(wanted.device))
    load = watch_load(plans, partials, metrics)
    pools = await opened.enter_async_context(open_pools(plans, wanted, metrics, load))
    shadow = _shadows(wanted.shadow_share, metrics, opened)
    if wanted.remote == "off":
        return RecognizerAtWork(compose_recognizer(pools, metrics, chain, shadow), pools.check, load)
    here = compose_recognizer(pools, metrics, chain)
    remote = await opened.enter_async_context(_open_server(server, wanted.max_waiting, metrics))
    elsewhere = TextProcessingRecognizer(remote, chain)
    recognizer = FallbackRecognizer(
        shadow(here, elsewhere),
        elsewhere,
        is_ready=lambda: pools.main.pool.ready_workers > 0,
        on_fallback=metrics.recognition_fell_back,
    )
    return RecognizerAtWork(recognizer, lambda: _check(remote, pools), load)


async def _server_first(
    wanted: RecognizerSettings,
    server: RemoteSettings,
    store: ModelStore,
    partials: PartialPolicy,
    metrics: Metrics,
    chain: TextChain,
    opened: AsyncExitStack,
) -> RecognizerAtWork:
    """The server recognizes; the pools, if there are any, what it cannot, and the partials that it has none of.

    The load is that of the server's places: what falls back on the workers is an exception, as it is between pools.
    """
    load = RecognizerLoad(server.at_once, SystemClock(), partials)
    show_load(load, metrics)
    remote = await opened.enter_async_context(_open_server(server, wanted.max_waiting, metrics, load))
    elsewhere = TextProcessingRecognizer(remote, chain)
    if (local := wanted.local) is None:
        return RecognizerAtWork(elsewhere, lambda: _check(remote), load)
    plans = plan_pools(local, store, find_hardware(local.device))
    unwatched = RecognizerLoad(plans.main.size, SystemClock(), partials)
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
    return RecognizerAtWork(recognizer, lambda: _check(remote, pools), load)


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
