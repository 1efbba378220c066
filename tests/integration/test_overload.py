"""A saturated recognizer: who is in gets every final, who comes is refused, and later is not."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from asr_service.app.services.admission import Admission, LoadLimit, ServiceOverloaded
from asr_service.app.services.audio_session_service import AudioSessionService, LiveSession, SessionLimits
from asr_service.domain.events.recognition_events import UtteranceFinalized
from asr_service.domain.ports.recognizer import RecognitionRequest
from asr_service.domain.value_objects.asr_config import PartialPolicy, RecognitionOptions, SessionConfig
from asr_service.domain.value_objects.caller import LOCAL_CALLER
from asr_service.infrastructure.asr.batch_observer import NoObserver
from asr_service.infrastructure.asr.pooled_recognizer import PooledRecognizer
from asr_service.infrastructure.asr.recognizer_load import RecognizerLoad
from asr_service.infrastructure.asr.worker_pool import WorkerPool
from asr_service.infrastructure.asr.worker_status import PoolStatus, WorkerState
from tests.fakes.clocks import FakeClock
from tests.fakes.engines import ScriptedEngineFactory, behind
from tests.fakes.event_publishers import RecordingEventPublisher
from tests.fakes.voice_activity import EnergyVoiceActivity
from tests.fixtures.live_sessions import Listener, utterances

NO_PARTIALS = PartialPolicy(enabled=False)


class LoadObserver(NoObserver):
    """Tells the load of the batches."""

    def __init__(self, load: RecognizerLoad) -> None:
        self._load = load

    def batch_begun(self, worker: str, requests: Sequence[RecognitionRequest]) -> None:
        self._load.batch_begun(worker, requests)

    def batch_ended(self, worker: str, *, answered: bool) -> None:
        self._load.batch_ended(worker, answered=answered)


class Service:
    """Live sessions over one real worker, with the load on a clock that the test moves on."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.load = RecognizerLoad(1, self.clock, PartialPolicy())
        pool = WorkerPool(ScriptedEngineFactory(), 1)
        self.recognizer = PooledRecognizer(pool, clock=self.clock, observer=LoadObserver(self.load))
        self.admission = Admission(10, load=LoadLimit(self.load, self.clock, max_load=0.85))
        self.sessions = AudioSessionService(
            detector=EnergyVoiceActivity(),
            publisher=RecordingEventPublisher(),
            clock=self.clock,
            limits=SessionLimits(),
            load=lambda: self.load.of_partials,
        )

    def admit(self) -> AbstractContextManager[None]:
        return self.admission.admit_live(LOCAL_CALLER)

    async def speak(self, listener: Listener, *, live: bool = True, prompt: str | None = None) -> None:
        """One session that says two things."""
        options = RecognitionOptions(prompt=prompt)
        config = SessionConfig(options=options, partials=NO_PARTIALS, live=live)
        session: LiveSession = self.sessions.open(LOCAL_CALLER, config, None, listener.deliver, self.recognizer)
        running = asyncio.create_task(session.run())
        await session.push_audio(utterances(2))
        await session.end_input()
        await running
        listener.finish()

    async def worker_is_busy(self) -> None:
        await self.recognizer.pool.wait_for(_busy)


def _busy(status: PoolStatus) -> bool:
    return status.workers[0].state is WorkerState.BUSY


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    async with service.recognizer:
        service.clock.advance(100.0)
        yield service


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A named pipe; whoever writes to it lets one request pass."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    return path


async def _open(gate: Path, times: int) -> None:
    for _ in range(times):
        await asyncio.to_thread(gate.write_bytes, b"")


async def test_a_saturated_pool_refuses_newcomers_and_answers_those_who_are_in(service: Service, gate: Path) -> None:
    held, waiting = Listener(), Listener()
    with service.admit(), service.admit():
        speaking = [asyncio.create_task(service.speak(held, prompt=behind(gate)))]
        await service.worker_is_busy()
        speaking.append(asyncio.create_task(service.speak(waiting)))
        service.clock.advance(20.0)
        assert service.load.needed == pytest.approx(1.0)
        assert service.load.of_partials == 1.0
        with pytest.raises(ServiceOverloaded) as refused, service.admit():
            raise AssertionError("nobody should get in")
        assert refused.value.retry_after_s is not None
        await _open(gate, times=2)
        await asyncio.gather(*speaking)
        service.clock.advance(20.0)
        with service.admit():
            assert service.admission.active == 3
    for listener in (held, waiting):
        assert len(listener.of_type(UtteranceFinalized)) == 2


async def test_a_pool_that_is_saturated_by_recordings_lets_live_sessions_in(service: Service, gate: Path) -> None:
    recorded, live = Listener(), Listener()
    with service.admission.admit(LOCAL_CALLER):
        transcribing = asyncio.create_task(service.speak(recorded, live=False, prompt=behind(gate)))
        await service.worker_is_busy()
        service.clock.advance(20.0)
        assert service.load.utilization == pytest.approx(1.0)
        assert service.load.needed == 0.0
        with service.admit(), service.admit():
            speaking = asyncio.create_task(service.speak(live))
            await _open(gate, times=2)
            await asyncio.gather(transcribing, speaking)
    for listener in (recorded, live):
        assert len(listener.of_type(UtteranceFinalized)) == 2
