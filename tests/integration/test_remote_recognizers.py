"""What the settings make of workers here and a server elsewhere: who is asked, when, and what of it is counted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from asr_service import remote_recognizers
from asr_service.domain.ports.recognizer import RecognitionKind, RecognizerUnavailable
from asr_service.domain.value_objects.asr_config import PartialPolicy
from asr_service.infrastructure.asr.recognizer_load import RecognizerLoad
from asr_service.infrastructure.config.lineup_settings import DEFAULT_LINEUP
from asr_service.infrastructure.config.remote_settings import RemoteSettings
from asr_service.infrastructure.config.sections import RecognizerSettings, TextSettings
from asr_service.infrastructure.monitoring.metrics import Metrics
from asr_service.recognizers import PoolPlan, PoolPlans, make_text_chain
from asr_service.remote_recognizers import REMOTE, RecognizerAtWork, RecognizerParts, open_recognizer
from asr_service.shared.clock import SystemClock
from tests.fakes.engines import ScriptedEngineFactory
from tests.fakes.funasr_server import FunAsrRuntime, funasr_runtime
from tests.fixtures.recognition_requests import recognition_request

HERE = "recognizer"
NO_STORE: Any = None


class WatchedMetrics(Metrics):
    """Tells when a comparison has been counted."""

    def __init__(self) -> None:
        super().__init__()
        self.compared = asyncio.Event()

    def shadow_compared(self, outcome: str, difference: float | None = None) -> None:
        super().shadow_compared(outcome, difference)
        self.compared.set()


@dataclass(frozen=True)
class Ensemble:
    """Everything at work, and its numbers."""

    at_work: RecognizerAtWork
    metrics: WatchedMetrics
    load: RecognizerLoad

    def number(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    def answered(self, pool: str, kind: RecognitionKind = RecognitionKind.FINAL) -> float:
        return self.number("asr_recognition_requests_total", kind=kind, pool=pool)

    async def text(self, kind: RecognitionKind = RecognitionKind.FINAL, **more: str) -> str:
        request = recognition_request(kind=kind, **more)  # type: ignore[arg-type]
        return (await self.at_work.recognizer.recognize(request)).text


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[ScriptedEngineFactory]:
    """The engine of the one pool; what is planned is a scripted one, and the settings are not looked at."""
    factories = [ScriptedEngineFactory()]

    def plan(wanted: RecognizerSettings, *_: object) -> PoolPlans:
        return PoolPlans(PoolPlan(HERE, factories, 1))

    monkeypatch.setattr(remote_recognizers, "plan_pools", plan)
    return factories


@asynccontextmanager
async def ensemble(url: str, wanted: RecognizerSettings, **server: Any) -> AsyncIterator[Ensemble]:
    metrics = WatchedMetrics()
    remote = RemoteSettings(url=url, **server)
    load = RecognizerLoad(1, SystemClock(), PartialPolicy())
    chain = make_text_chain(TextSettings())
    parts = RecognizerParts(NO_STORE, remote, PartialPolicy(), chain, metrics, load)
    async with open_recognizer(wanted, parts, DEFAULT_LINEUP) as at_work:
        yield Ensemble(at_work, metrics, load)


@asynccontextmanager
async def runtime_that_is_gone() -> AsyncIterator[FunAsrRuntime]:
    async with funasr_runtime() as runtime:
        pass
    yield runtime


@pytest.mark.usefixtures("engines")
async def test_the_server_alone_does_everything_and_its_places_are_the_load() -> None:
    async with funasr_runtime() as runtime, ensemble(runtime.url, RecognizerSettings(remote="main")) as one:
        assert await one.text()
        assert (one.answered(REMOTE), one.answered(HERE)) == (1, 0)
        assert one.load.utilization > 0
        assert one.number("asr_remote_available") == 1
        assert one.number("asr_queue_capacity_items", queue=REMOTE) == 512
        assert one.number("asr_queue_capacity_items", queue="remote_streams") == 64
        await one.at_work.check()


@pytest.mark.usefixtures("engines")
async def test_the_server_alone_is_not_ready_while_it_is_given_up() -> None:
    async with runtime_that_is_gone() as runtime, ensemble(runtime.url, RecognizerSettings(remote="main")) as one:
        for _ in range(3):
            await one.at_work.check()
            with pytest.raises(RecognizerUnavailable):
                await one.text()
        with pytest.raises(RecognizerUnavailable, match="server does not answer"):
            await one.at_work.check()
        assert one.number("asr_remote_available") == 0
        assert one.number("asr_remote_changes_total", state="unavailable") == 1


@pytest.mark.usefixtures("engines")
async def test_what_the_server_cannot_is_recognized_here() -> None:
    wanted = RecognizerSettings(remote="main", fallback_model="scripted")
    async with runtime_that_is_gone() as runtime, ensemble(runtime.url, wanted) as two:
        texts = [await two.text(kind) for kind in (*RecognitionKind, *RecognitionKind)]
        assert all(texts)
        assert (two.answered(HERE), two.answered(HERE, RecognitionKind.PARTIAL)) == (2, 2)
        fallen_back = [
            two.number("asr_recognition_fallbacks_total", kind=kind, code="recognizer_unavailable")
            for kind in RecognitionKind
        ]
        assert fallen_back == [2, 2]
        await two.at_work.check()


async def test_what_the_workers_cannot_is_recognized_by_the_server(engines: list[ScriptedEngineFactory]) -> None:
    engines[:] = [ScriptedEngineFactory(fatal=True)]
    wanted = RecognizerSettings(remote="fallback")
    async with funasr_runtime() as runtime, ensemble(runtime.url, wanted) as two:
        assert await two.text()
        assert (two.answered(HERE), two.answered(REMOTE)) == (0, 1)
        await two.at_work.check()


@pytest.mark.usefixtures("engines")
async def test_while_the_workers_can_the_server_is_not_asked() -> None:
    async with funasr_runtime() as runtime, ensemble(runtime.url, RecognizerSettings(remote="fallback")) as two:
        assert await two.text()
        assert (two.answered(HERE), runtime.exchanges) == (1, [])


@pytest.mark.usefixtures("engines")
async def test_a_server_without_partials_leaves_them_to_the_workers() -> None:
    wanted = RecognizerSettings(remote="main", fallback_model="scripted")
    async with ensemble("http://127.0.0.1:9/v1", wanted, protocol="openai") as two:
        assert two.at_work.recognizer.capabilities.partials
        assert await two.text(RecognitionKind.PARTIAL)
        assert two.answered(HERE, RecognitionKind.PARTIAL) == 1
    async with ensemble("http://127.0.0.1:9/v1", RecognizerSettings(remote="main"), protocol="openai") as one:
        assert not one.at_work.recognizer.capabilities.partials


@pytest.mark.usefixtures("engines")
async def test_the_partials_of_a_model_of_their_own_come_from_here() -> None:
    wanted = RecognizerSettings(remote="main", fallback_model="scripted", partials_model="scripted")
    async with funasr_runtime() as runtime, ensemble(runtime.url, wanted) as two:
        assert await two.text(RecognitionKind.PARTIAL)
        assert (two.answered(HERE, RecognitionKind.PARTIAL), runtime.exchanges) == (1, [])
        assert await two.text()
        assert two.answered(REMOTE) == 1


@pytest.mark.usefixtures("engines")
@pytest.mark.parametrize("role", ["main", "fallback"])
async def test_either_can_be_the_shadow_of_the_other(role: Any) -> None:
    fallback = "scripted" if role == "main" else ""
    wanted = RecognizerSettings(remote=role, fallback_model=fallback, shadow_share=1.0)
    async with funasr_runtime(segments=lambda _: ["an old text"]) as runtime, ensemble(runtime.url, wanted) as two:
        text = await two.text(request_id="rec_1")
        assert text == ("an old text" if role == "main" else "rec_1")
        await two.metrics.compared.wait()
        assert two.number("asr_shadow_comparisons_total", outcome="different") == 1
        assert two.number("asr_shadow_difference_ratio_sum") == 1.0
        assert (two.answered(HERE), two.answered(REMOTE)) == (1, 1)


async def test_what_the_settings_say_of_the_server_is_promised_to_clients() -> None:
    told = {"model_name": "paraformer", "languages": ("zh",), "word_times": False}
    async with ensemble("ws://127.0.0.1:9", RecognizerSettings(remote="main"), **told) as one:
        capabilities = one.at_work.recognizer.capabilities
    assert (capabilities.model, capabilities.languages, capabilities.word_times) == ("paraformer", {"zh"}, False)
