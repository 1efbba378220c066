"""Tiny models that tell tones apart as real ones do voices: a segmentation of pyannote's kind, and a model of voices."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr_service.domain.value_objects.audio_metadata import SAMPLE_RATE_HZ
from tests.engines.tiny_models import GraphInTheMaking, float_tensor

LOW_HZ, HIGH_HZ = 400, 2_000
_WINDOW_SAMPLES = 10 * SAMPLE_RATE_HZ  # as pyannote/segmentation-3.0 has it, the receptive field too
_FIELD_SAMPLES, _SHIFT_SAMPLES = 991, 270
_CLASSES = 7  # nobody; one of three speakers; two of them
_NEVER = -100.0
_NOBODY = 0.002  # the power of a tone at 20 % of full scale is 0.01
_BINS = 80
_WIDTH = 16


def _waves(frequency_hz: int) -> list[NDArray[np.float32]]:
    phase = 2 * np.pi * frequency_hz * np.arange(_FIELD_SAMPLES) / SAMPLE_RATE_HZ
    return [(wave(phase) / _FIELD_SAMPLES).astype(np.float32) for wave in (np.cos, np.sin)]


def write_segmentation(folder: Path, *, sample_rate: int = SAMPLE_RATE_HZ, **without: None) -> Path:
    """Hears a low and a high tone as two speakers, by the power of each in a frame.

    Args:
        folder: Where it is written.
        sample_rate: That it says it wants.
        without: Names of metadata to leave out.
    """
    graph = GraphInTheMaking(seed=1)
    kernels = np.stack([*_waves(LOW_HZ), *_waves(HIGH_HZ)])[:, np.newaxis]
    parts = graph.add("Conv", "x", graph.constant(kernels), strides=[_SHIFT_SAMPLES])
    squares = graph.add("Mul", parts, parts)
    to_classes = np.zeros((_CLASSES, 4, 1), dtype=np.float32)
    to_classes[1, :2], to_classes[2, 2:] = 1, 1
    bias = np.full(_CLASSES, _NEVER, dtype=np.float32)
    bias[:3] = _NOBODY, 0, 0
    scores = graph.add("Conv", squares, graph.constant(to_classes), graph.constant(bias))
    graph.add("Transpose", scores, output="y", perm=[0, 2, 1])
    metadata = {
        "num_speakers": 3,
        "powerset_max_classes": 2,
        "num_classes": _CLASSES,
        "sample_rate": sample_rate,
        "window_size": _WINDOW_SAMPLES,
        "receptive_field_size": _FIELD_SAMPLES,
        "receptive_field_shift": _SHIFT_SAMPLES,
    }
    path = folder / "segmentation.onnx"
    told = {name: value for name, value in metadata.items() if name not in without}
    graph.write(path, [float_tensor("x", "N", 1, "T")], [float_tensor("y", "N", "U", _CLASSES)], **told)
    return path


def write_embedding(folder: Path, seed: int = 2) -> Path:
    """Says how a sound sounds: its mean spectrum, in random directions."""
    graph = GraphInTheMaking(seed)
    mean = graph.add("ReduceMean", "feats", axes=[1], keepdims=0)
    level = graph.add("ReduceMean", mean, axes=[1], keepdims=1)
    shape = graph.add("Sub", mean, level)
    graph.add("MatMul", shape, graph.random(_BINS, _WIDTH), output="embs")
    path = folder / "embedding.onnx"
    graph.write(
        path,
        [float_tensor("feats", "N", "T", _BINS)],
        [float_tensor("embs", "N", _WIDTH)],
        framework="3d-speaker",
        language="Chinese",
        output_dim=_WIDTH,
        sample_rate=SAMPLE_RATE_HZ,
        normalize_samples=1,
        feature_normalize_type="",
    )
    return path
