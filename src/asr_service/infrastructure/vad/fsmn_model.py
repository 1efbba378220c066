"""The FSMN voice activity network of FunASR, brought forward window by window."""

import importlib
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_service.domain.ports.voice_activity import WINDOW_SAMPLES, VoiceActivityUnavailable
from asr_service.domain.value_objects.session_checkpoint import CheckpointUnusable

ARCHITECTURE = "FsmnVADStreaming"
FRAME_SAMPLES = 160  # 10 ms from one frame to the next
_FRAME_LENGTH_SAMPLES = 400  # 25 ms
_NO_SAMPLES = np.empty(0, np.int16)
_HEADER = struct.Struct("<8sQI")  # which detector and layout; windows heard; samples kept
_KIND = b"fsmnvad1"


@dataclass(slots=True)
class FsmnState:
    """What the network remembers of a stream.

    Attributes:
        windows: So many have been heard.
        tail: The last samples, which frames that are not complete begin in.
        memory: Of each layer, ``[1, channels, frames, 1]``; empty at the start.
    """

    windows: int = 0
    tail: NDArray[np.int16] = field(default_factory=_NO_SAMPLES.copy)
    memory: dict[str, Any] = field(default_factory=dict)


class FsmnModel:
    """The weights; they hold no state. One thread at a time may call it.

    The network says something of each frame of 10 ms, after it has heard two more: a frame is known 45 ms after its beginning.
    A window of the service gets the mean of the frames that become known in it, so it is about one window late.

    Args:
        network: FunASR's ``FsmnVADStreaming``.
        frontend: That of the same model.

    Raises:
        VoiceActivityUnavailable: It is another model, or of another rate or step.
    """

    def __init__(self, network: Any, frontend: Any) -> None:
        if type(network).__name__ != ARCHITECTURE or (frontend.fs, frontend.frame_shift, frontend.lfr_n) != (
            16_000,
            10,
            1,
        ):
            raise VoiceActivityUnavailable(
                f"{type(network).__name__} is no FSMN-VAD for 16 kHz with a step of 10 ms.",
                hint="Name a model such as fsmn-vad, or set vad.engine to silero.",
            )
        self._torch = importlib.import_module("torch")
        self._fbank = importlib.import_module("funasr.utils.fbank").fbank
        self._network = network
        self._frontend = frontend
        self._context = (frontend.lfr_m - 1) // 2  # frames on either side
        self._silences = list(network.vad_opts.sil_pdf_ids)
        block = network.encoder.fsmn[0]
        self._memory_shape = (1, block.linear.output_dim, (block.lorder - 1) * block.lstride, 1)
        self._layers = [f"cache_layer_{layer.stack_layer}" for layer in network.encoder.fsmn]

    def hear(self, state: FsmnState, windows: NDArray[np.int16]) -> NDArray[np.float32]:
        """Brings a stream forward.

        Args:
            state: Of the stream; changed.
            windows: ``[count, 512]``, those that follow.

        Returns:
            How likely it is that somebody speaks, per window; 0 where no frame becomes known, as in the first one.
        """
        first = self.known(state.windows)
        counts = [self.known(state.windows + number + 1) for number in range(len(windows))]
        speech = self.speech(state, windows.ravel(), first, counts[-1])
        state.windows += len(windows)
        edges = np.array([0, *(count - first for count in counts)])
        sums = np.concatenate(([0.0], np.cumsum(speech, dtype=np.float64)))[edges]
        means: NDArray[np.float32] = (np.diff(sums) / np.maximum(np.diff(edges), 1)).astype(np.float32)
        return means

    def speech(self, state: FsmnState, samples: NDArray[np.int16], first: int, end: int) -> NDArray[np.float32]:
        """The probabilities of the frames from ``first`` to before ``end``, with the samples that follow those heard."""
        samples = np.concatenate((state.tail, samples))
        kept_from = max(0, first - self._context)  # the frame that the tail begins with
        keep_from = max(0, end - self._context)
        state.tail = samples[(keep_from - kept_from) * FRAME_SAMPLES :].copy()
        if end == first:
            return np.empty(0, np.float32)
        with self._torch.inference_mode():
            features = self._features(samples, first - kept_from, end - kept_from, at_start=first < self._context)
            scores = self._network.encoder(features.to(self._device), cache=state.memory)
            silence = scores[0, :, self._silences].sum(dim=-1)
            speech: NDArray[np.float32] = (1 - silence).clamp(0, 1).cpu().numpy()
        return speech

    def pack(self, state: FsmnState) -> bytes:
        """The state as bytes; 39 KB for the published model, whose memory reaches back 0.8 s."""
        memory = [state.memory.get(layer, self._torch.zeros(self._memory_shape)) for layer in self._layers]
        floats = np.concatenate([layer.cpu().numpy().ravel() for layer in memory]).astype("<f4")
        return (
            _HEADER.pack(_KIND, state.windows, len(state.tail)) + state.tail.astype("<i2").tobytes() + floats.tobytes()
        )

    def unpack(self, packed: bytes) -> FsmnState:
        """The state that ``pack`` has made bytes of.

        Raises:
            CheckpointUnusable: They are damaged, or those of another model.
        """
        floats = len(self._layers) * int(np.prod(self._memory_shape))
        try:
            kind, windows, kept = _HEADER.unpack_from(packed)
        except struct.error:
            kind, windows, kept = b"", 0, 0
        if kind != _KIND or len(packed) != _HEADER.size + 2 * kept + 4 * floats:
            raise CheckpointUnusable("The state of the voice activity detector is damaged, or that of another one.")
        tail = np.frombuffer(packed, "<i2", kept, _HEADER.size).astype(np.int16)
        values = np.frombuffer(packed, "<f4", floats, _HEADER.size + 2 * kept).astype(np.float32)
        layers = values.reshape(len(self._layers), *self._memory_shape)
        memory = {name: self._torch.from_numpy(layer.copy()) for name, layer in zip(self._layers, layers, strict=True)}
        return FsmnState(windows, tail, memory)

    @property
    def _device(self) -> Any:
        return next(self._network.parameters()).device

    def known(self, windows: int) -> int:
        """How many frames are known after so many windows."""
        needed: int = _FRAME_LENGTH_SAMPLES + self._context * FRAME_SAMPLES
        return max(0, (windows * WINDOW_SAMPLES - needed) // FRAME_SAMPLES + 1)

    def _features(self, samples: NDArray[np.int16], first: int, end: int, *, at_start: bool) -> Any:
        """What the network hears of frames, counted from the start of the samples: ``[1, count, size]``, with neighbours."""
        frontend, torch = self._frontend, self._torch
        bands = self._fbank(
            torch.from_numpy(samples.astype(np.float32))[None],
            num_mel_bins=frontend.n_mels,
            frame_length=frontend.frame_length,
            frame_shift=frontend.frame_shift,
            dither=0.0,
            energy_floor=0.0,
            window_type=frontend.window,
            sample_frequency=frontend.fs,
        )
        padding = max(0, self._context - first) if at_start else 0  # before the first frame stands its copy
        bands = torch.cat((bands[:1].expand(padding, -1), bands))
        start = first + padding - self._context
        stacked = bands.unfold(0, frontend.lfr_m, 1).transpose(1, 2).flatten(1)[start : start + end - first]
        if frontend.cmvn is not None:
            stacked = (stacked + frontend.cmvn[0, : stacked.shape[1]]) * frontend.cmvn[1, : stacked.shape[1]]
        return stacked[None]
