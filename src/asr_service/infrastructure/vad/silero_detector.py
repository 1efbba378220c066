"""Silero VAD as the voice activity detector of many streams."""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr_service.domain.ports.voice_activity import WINDOW_BYTES, WINDOW_SAMPLES
from asr_service.domain.value_objects.session_checkpoint import CheckpointUnusable
from asr_service.infrastructure.vad.energy_gate import EnergyGate
from asr_service.infrastructure.vad.silero_model import CONTEXT_SAMPLES, INPUT_SAMPLES, STATE_SHAPE, SileroModel
from asr_service.infrastructure.vad.window_batcher import WindowBatcher

_FULL_SCALE = np.float32(1 / 32_768)
_STATE_HEADER = struct.Struct("<8sId")  # which model and layout; quiet windows, power of the floor
_STATE_KIND = b"silero6\1"
_STATE_FLOATS = STATE_SHAPE[0] * STATE_SHAPE[1] + CONTEXT_SAMPLES


class SileroVoiceActivityStream:
    """One stream: its recurrent state, the last samples heard, and how long it has been quiet."""

    def __init__(self, batcher: WindowBatcher, state: bytes | None = None) -> None:
        """Begins anew, or goes on from the state of another stream.

        Raises:
            CheckpointUnusable: This is no state of such a stream.
        """
        gate, floats = _unpacked(state)
        self._batcher = batcher
        self._gate = gate
        self._state = floats[CONTEXT_SAMPLES:].reshape(STATE_SHAPE)
        self._context = floats[:CONTEXT_SAMPLES]

    async def observe(self, pcm: bytes) -> tuple[float, ...]:
        """See ``VoiceActivityStream.observe``. Windows that the energy gate holds back have the probability 0.

        What is done on the event loop is one conversion of the samples: about 0.2 ms for 5 s of audio, 0.02 ms for a packet.
        """
        if len(pcm) % WINDOW_BYTES:
            raise ValueError(f"{len(pcm)} bytes are no whole number of windows")
        if not pcm:
            return ()
        windows = np.frombuffer(pcm, "<i2").reshape(-1, WINDOW_SAMPLES) * _FULL_SCALE
        admitted = self._gate.admit(windows)
        context, self._context = self._context, windows[-1, -CONTEXT_SAMPLES:].copy()
        if not any(admitted):
            return (0.0,) * len(admitted)
        inputs = _model_inputs(context, windows)
        if all(admitted):
            return tuple((await self._batcher.run(inputs, self._state)).tolist())
        probabilities = np.zeros(len(inputs), np.float32)
        probabilities[admitted] = await self._batcher.run(inputs[admitted], self._state)
        return tuple(probabilities.tolist())

    def state(self) -> bytes:
        """See ``VoiceActivityStream.state``; 1.3 KB."""
        header = _STATE_HEADER.pack(_STATE_KIND, self._gate.quiet_windows, self._gate.floor_power)
        return header + np.concatenate((self._context, self._state.ravel())).astype("<f4").tobytes()


def _model_inputs(context: NDArray[np.float32], windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Puts before each window the end of the one that precedes it in the stream, heard by the model or not."""
    inputs = np.empty((len(windows), INPUT_SAMPLES), np.float32)
    inputs[:, CONTEXT_SAMPLES:] = windows
    inputs[0, :CONTEXT_SAMPLES] = context
    inputs[1:, :CONTEXT_SAMPLES] = windows[:-1, -CONTEXT_SAMPLES:]
    return inputs


def _unpacked(state: bytes | None) -> tuple[EnergyGate, NDArray[np.float32]]:
    """The gate, and the context followed by the recurrent state."""
    if state is None:
        return EnergyGate(), np.zeros(_STATE_FLOATS, np.float32)
    if len(state) != _STATE_HEADER.size + 4 * _STATE_FLOATS or not state.startswith(_STATE_KIND):
        raise CheckpointUnusable("The state of the voice activity detector is damaged, or that of another one.")
    _, quiet_windows, floor_power = _STATE_HEADER.unpack_from(state)
    gate = EnergyGate(quiet_windows, floor_power)
    return gate, np.frombuffer(state, "<f4", offset=_STATE_HEADER.size).astype(np.float32)


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

    def open_stream(self, state: bytes | None = None) -> SileroVoiceActivityStream:
        """See ``VoiceActivityDetector.open_stream``."""
        return SileroVoiceActivityStream(self._batcher, state)

    async def close(self) -> None:
        """Ends the thread; calls that still wait, and later ones, raise ``VoiceActivityUnavailable``. Idempotent."""
        await self._batcher.close()
