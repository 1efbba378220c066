"""Silero VAD as the voice activity detector of many streams."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr_service.domain.ports.voice_activity import WINDOW_BYTES, WINDOW_SAMPLES
from asr_service.infrastructure.vad.energy_gate import EnergyGate
from asr_service.infrastructure.vad.silero_model import CONTEXT_SAMPLES, INPUT_SAMPLES, STATE_SHAPE, SileroModel
from asr_service.infrastructure.vad.window_batcher import WindowBatcher

_FULL_SCALE = np.float32(1 / 32_768)


class SileroVoiceActivityStream:
    """One stream: its recurrent state, the last samples heard, and how long it has been quiet."""

    def __init__(self, batcher: WindowBatcher) -> None:
        self._batcher = batcher
        self._gate = EnergyGate()
        self._state = np.zeros(STATE_SHAPE, np.float32)
        self._context = np.zeros(CONTEXT_SAMPLES, np.float32)

    async def observe(self, pcm: bytes) -> tuple[float, ...]:
        """See ``VoiceActivityStream.observe``. Windows that the energy gate holds back have the probability 0.

        What is done on the event loop is one conversion of the samples: about 0.2 ms for 5 s of audio.
        """
        if len(pcm) % WINDOW_BYTES:
            raise ValueError(f"{len(pcm)} bytes are no whole number of windows")
        if not pcm:
            return ()
        inputs = self._model_inputs(np.frombuffer(pcm, "<i2").reshape(-1, WINDOW_SAMPLES))
        admitted = self._gate.admit(inputs[:, CONTEXT_SAMPLES:])
        if admitted.all():
            return tuple((await self._batcher.run(inputs, self._state)).tolist())
        probabilities = np.zeros(len(inputs), np.float32)
        if admitted.any():
            probabilities[admitted] = await self._batcher.run(inputs[admitted], self._state)
        return tuple(probabilities.tolist())

    def _model_inputs(self, windows: NDArray[np.int16]) -> NDArray[np.float32]:
        """Puts before each window the end of the one that precedes it in the stream, heard by the model or not."""
        inputs = np.empty((len(windows), INPUT_SAMPLES), np.float32)
        np.multiply(windows, _FULL_SCALE, out=inputs[:, CONTEXT_SAMPLES:])
        inputs[0, :CONTEXT_SAMPLES] = self._context
        inputs[1:, :CONTEXT_SAMPLES] = inputs[:-1, -CONTEXT_SAMPLES:]
        self._context = inputs[-1, -CONTEXT_SAMPLES:].copy()
        return inputs


class SileroVoiceActivityDetector:
    """Opens streams that share one model and one thread.

    Args:
        model_path: ``silero_vad.onnx``, a few megabytes; loaded here, which takes about 0.1 s.
        threads: Threads inside the model; more than one helps only with large batches.
        max_batch: Most windows in one run of the model. Beyond 32 the cost of a window hardly falls.
        max_waiting: Most calls in the queue; what happens beyond is told in ``WindowBatcher``.

    Raises:
        VoiceActivityUnavailable: The model cannot be loaded.
    """

    def __init__(self, model_path: Path, *, threads: int = 1, max_batch: int = 128, max_waiting: int = 1024) -> None:
        model = SileroModel(model_path, threads=threads)
        self._batcher = WindowBatcher(model, max_batch=max_batch, max_waiting=max_waiting)

    @property
    def waiting(self) -> int:
        """Calls that wait for the model, for a gauge."""
        return self._batcher.waiting

    def open_stream(self) -> SileroVoiceActivityStream:
        return SileroVoiceActivityStream(self._batcher)

    async def close(self) -> None:
        """Ends the thread; calls that still wait, and later ones, raise ``VoiceActivityUnavailable``. Idempotent."""
        await self._batcher.close()
