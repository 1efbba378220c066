"""FunASR's FSMN as the voice activity detector of many streams."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from asr_service.domain.ports.voice_activity import WINDOW_BYTES, WINDOW_SAMPLES, VoiceActivityUnavailable
from asr_service.infrastructure.vad.fsmn_model import FsmnModel, FsmnState


class FsmnVoiceActivityStream:
    """One stream: what the network remembers of it."""

    def __init__(self, detector: "FsmnVoiceActivityDetector", model: FsmnModel, state: FsmnState) -> None:
        self._detector = detector
        self._model = model
        self._state = state

    async def observe(self, pcm: bytes) -> tuple[float, ...]:
        """See ``VoiceActivityStream.observe``."""
        if len(pcm) % WINDOW_BYTES:
            raise ValueError(f"{len(pcm)} bytes are no whole number of windows")
        if not pcm:
            return ()
        return await self._detector.run(self._state, pcm)

    def state(self) -> bytes:
        """See ``VoiceActivityStream.state``; 39 KB for the published model."""
        return self._model.pack(self._state)


class FsmnVoiceActivityDetector:
    """Opens streams that share one model and one thread, in which calls are run one after the other.

    Args:
        model: Is called by that thread only, but for the packing of states.
        max_waiting: Most calls in the thread's queue. When it is full, further calls wait for room in the order in which
            they came; a session has one call at a time, so its socket is not read meanwhile.
    """

    def __init__(self, model: FsmnModel, *, max_waiting: int = 1024) -> None:
        self._model = model
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="voice-activity")
        self._room = asyncio.Semaphore(max_waiting)
        self._waiting = 0
        self._closed = False

    @property
    def waiting(self) -> int:
        """Calls that have not been answered yet, for a gauge."""
        return self._waiting

    def open_stream(self, state: bytes | None = None) -> FsmnVoiceActivityStream:
        """See ``VoiceActivityDetector.open_stream``."""
        return FsmnVoiceActivityStream(self, self._model, FsmnState() if state is None else self._model.unpack(state))

    async def run(self, state: FsmnState, pcm: bytes) -> tuple[float, ...]:
        """Has the thread bring a stream forward.

        Raises:
            VoiceActivityUnavailable: The model failed, or the detector is closed.
        """
        self._waiting += 1
        try:
            async with self._room:
                if self._closed:
                    raise VoiceActivityUnavailable("The voice activity detector is closed.")
                return await asyncio.get_running_loop().run_in_executor(self._thread, self._hear, state, pcm)
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """Ends the thread; calls that still wait, and later ones, raise ``VoiceActivityUnavailable``. Idempotent."""
        self._closed = True
        await asyncio.to_thread(self._thread.shutdown)

    def _hear(self, state: FsmnState, pcm: bytes) -> tuple[float, ...]:
        if self._closed:
            raise VoiceActivityUnavailable("The voice activity detector is closed.")
        try:
            probabilities = self._model.hear(state, np.frombuffer(pcm, "<i2").reshape(-1, WINDOW_SAMPLES))
        except Exception as error:  # torch's own exceptions have no common class
            raise VoiceActivityUnavailable(f"The voice activity model failed: {error}") from error
        return tuple(probabilities.tolist())
