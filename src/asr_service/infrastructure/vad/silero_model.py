"""The Silero VAD network in ONNX Runtime, for a batch of windows that belong to different streams."""

from pathlib import Path

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray

from asr_service.domain.ports.voice_activity import WINDOW_SAMPLES, VoiceActivityUnavailable
from asr_service.domain.value_objects.audio_metadata import SAMPLE_RATE_HZ

CONTEXT_SAMPLES = 64  # the end of the last window, put before each one (snakers4/silero-vad, OnnxWrapper.__call__)
INPUT_SAMPLES = CONTEXT_SAMPLES + WINDOW_SAMPLES
STATE_SHAPE = (2, 128)  # hidden and cell state of the LSTM

_ERRORS_ONLY = 3  # of ONNX Runtime's log severities


class SileroModel:
    """The weights; they hold no state. One thread at a time may call it.

    Any export with the inputs ``input [batch, 576]``, ``state [2, batch, 128]`` and, optionally, ``sr`` will do. The
    results of a batch equal those of its rows one by one, bit by bit.
    """

    def __init__(self, path: Path, *, threads: int) -> None:
        """Loads the model and tries it once.

        Raises:
            VoiceActivityUnavailable: The file is missing, is no ONNX model, or is another model.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            self._constants = self._constant_inputs()
            self(np.zeros((1, INPUT_SAMPLES), np.float32), np.zeros((2, 1, 128), np.float32))
        except Exception as error:  # ONNX Runtime's own exceptions have no common class
            raise VoiceActivityUnavailable(
                f"The voice activity model {path.name} cannot be used: {error}",
                hint="Fetch the model again: what is needed is silero_vad.onnx with batched input.",
            ) from error

    def __call__(
        self, inputs: NDArray[np.float32], states: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Looks at one window of each stream of the batch.

        Args:
            inputs: ``[batch, 576]``: 64 samples of context, then the window.
            states: ``[2, batch, 128]``.

        Returns:
            The probabilities ``[batch]`` and the new states ``[2, batch, 128]``.
        """
        output, new_states = self._session.run(None, {"input": inputs, "state": states, **self._constants})
        return output[:, 0], new_states

    def _constant_inputs(self) -> dict[str, NDArray[np.int64]]:
        names = {tensor.name for tensor in self._session.get_inputs()}
        if not {"input", "state"} <= names <= {"input", "state", "sr"}:
            raise ValueError(f"its inputs are {', '.join(sorted(names))}")
        return {"sr": np.array(SAMPLE_RATE_HZ, np.int64)} if "sr" in names else {}
