"""Tiny models of real architectures with seeded random weights, written as ONNX files.

What they hear is no language, but it depends on every sample: each frame that is loud enough becomes one of some thirty
characters, by its spectrum and by what came before.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

CHARACTERS = "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏闰余成岁律吕调阳"
VOCABULARY = ("<blk>", "<sos/eos>", "<unk>", *CHARACTERS)
_BINS = 80  # of the features
_SUBSAMPLING = 4
_CHUNK_FRAMES = 8
_WIDTH = 16  # of what the encoder puts out; its last number is how loud it is
# Of the mean of the logarithmic energies: the noise of the self-test, at -49 dBFS, lies at about -5, at -20 dBFS at 2.
_LOUD = -1.0


class GraphInTheMaking:
    """Nodes and weights of a graph in the making."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: object) -> str:
        """A node; returns the name of its output."""
        name = output or f"{operator}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def constant(self, value: NDArray[np.generic]) -> str:
        name = f"weight_{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(value, name))
        return name

    def random(self, *shape: int, scale: float = 1.0) -> str:
        return self.constant((self._random.standard_normal(shape) * scale).astype(np.float32))

    def integers(self, *values: int) -> str:
        return self.constant(np.array(values, dtype=np.int64))

    def write(
        self,
        path: Path,
        inputs: Sequence[onnx.ValueInfoProto],
        outputs: Sequence[onnx.ValueInfoProto],
        **metadata: object,
    ) -> None:
        graph = helper.make_graph(self._nodes, path.stem, list(inputs), list(outputs), self._weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        helper.set_model_props(model, {key: str(value) for key, value in metadata.items()})
        onnx.checker.check_model(model)
        onnx.save(model, path)


def float_tensor(name: str, *shape: int | str) -> onnx.ValueInfoProto:
    """An input or output of a graph; a name in place of a length: any length."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _integers(name: str, *shape: int | str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.INT64, shape)


def _frames(graph: GraphInTheMaking, features: str) -> tuple[str, str]:
    """Means of each four frames, ``[N, T / 4, 80]``, and how far each is above the threshold of loudness, ``[N, T / 4, 1]``."""
    four = graph.add("Reshape", features, graph.integers(0, -1, _SUBSAMPLING, _BINS))
    mean = graph.add("ReduceMean", four, axes=[2], keepdims=0)
    level = graph.add("ReduceMean", mean, axes=[2], keepdims=1)
    above = graph.add("Relu", graph.add("Sub", level, graph.constant(np.float32(_LOUD).reshape(1))))
    return graph.add("Sub", mean, level), above


def write_streaming_transducer(folder: Path, seed: int = 1) -> Path:
    """A transducer of the kind ``lstm``: its encoder carries a state from chunk to chunk.

    Its decoder knows the last two characters.
    """
    encoder = GraphInTheMaking(seed)
    mean, above = _frames(encoder, "x")
    state = encoder.add("Transpose", "h", perm=[1, 0, 2])  # [N, 1, width - 1]
    recalled = encoder.add("MatMul", state, encoder.random(_WIDTH - 1, _WIDTH - 1, scale=0.2))
    heard = encoder.add("MatMul", mean, encoder.random(_BINS, _WIDTH - 1, scale=0.2))
    hidden = encoder.add("Tanh", encoder.add("Add", heard, recalled))
    encoder.add("Concat", hidden, above, output="encoder_out", axis=2)
    newest = encoder.add("Slice", hidden, encoder.integers(-1), encoder.integers(1 << 30), encoder.integers(1))
    encoder.add("Transpose", newest, output="next_h", perm=[1, 0, 2])
    encoder.add("Identity", "c", output="next_c")
    encoder.write(
        folder / "encoder.onnx",
        [
            float_tensor("x", "N", _CHUNK_FRAMES, _BINS),
            float_tensor("h", 1, "N", _WIDTH - 1),
            float_tensor("c", 1, "N", 1),
        ],
        [
            float_tensor("encoder_out", "N", _CHUNK_FRAMES // _SUBSAMPLING, _WIDTH),
            float_tensor("next_h", 1, "N", _WIDTH - 1),
            float_tensor("next_c", 1, "N", 1),
        ],
        model_type="lstm",
        num_encoder_layers=1,
        T=_CHUNK_FRAMES,
        decode_chunk_len=_CHUNK_FRAMES,
        rnn_hidden_size=1,
        d_model=_WIDTH - 1,
    )
    _write_decoder_and_joiner(folder, seed)
    return _with_tokens(folder)


def write_transducer(folder: Path, seed: int = 1) -> Path:
    """A transducer that hears an utterance as a whole."""
    encoder = GraphInTheMaking(seed)
    mean, above = _frames(encoder, _whole_fours(encoder))
    hidden = encoder.add("Tanh", encoder.add("MatMul", mean, encoder.random(_BINS, _WIDTH - 1, scale=0.2)))
    encoder.add("Concat", hidden, above, output="encoder_out", axis=2)
    encoder.add("Div", "x_lens", encoder.integers(_SUBSAMPLING), output="encoder_out_lens")
    encoder.write(
        folder / "encoder.onnx",
        [float_tensor("x", "N", "T", _BINS), _integers("x_lens", "N")],
        [float_tensor("encoder_out", "N", "U", _WIDTH), _integers("encoder_out_lens", "N")],
        model_type="zipformer2",
    )
    _write_decoder_and_joiner(folder, seed)
    return _with_tokens(folder)


def write_ctc(folder: Path, seed: int = 1) -> Path:
    """A Zipformer with CTC, as far as the recognizer sees it."""
    model = GraphInTheMaking(seed)
    mean, above = _frames(model, _whole_fours(model))
    scores = model.add("MatMul", mean, model.random(_BINS, len(VOCABULARY), scale=2.5))
    logits = model.add("Add", model.add("Mul", scores, above), model.constant(_blank_bias()))
    model.add("LogSoftmax", logits, output="log_probs", axis=2)
    model.add("Div", "x_lens", model.integers(_SUBSAMPLING), output="log_probs_len")
    model.write(
        folder / "model.onnx",
        [float_tensor("x", "N", "T", _BINS), _integers("x_lens", "N")],
        [float_tensor("log_probs", "N", "U", len(VOCABULARY)), _integers("log_probs_len", "N")],
        model_type="zipformer2_ctc",
    )
    return _with_tokens(folder)


def _whole_fours(graph: GraphInTheMaking) -> str:
    """The features without the last frames that make no four."""
    length = graph.add("Gather", graph.add("Shape", "x"), graph.integers(1))
    four = graph.integers(_SUBSAMPLING)
    whole = graph.add("Mul", graph.add("Div", length, four), four)
    return graph.add("Slice", "x", graph.integers(0), whole, graph.integers(1))


def _write_decoder_and_joiner(folder: Path, seed: int) -> None:
    decoder = GraphInTheMaking(seed + 100)
    embedded = decoder.add("Gather", decoder.random(len(VOCABULARY), _WIDTH), "y", axis=0)
    decoder.add("ReduceMean", embedded, output="decoder_out", axes=[1], keepdims=0)
    decoder.write(
        folder / "decoder.onnx",
        [_integers("y", "N", 2)],
        [float_tensor("decoder_out", "N", _WIDTH)],
        vocab_size=len(VOCABULARY),
        context_size=2,
    )
    joiner = GraphInTheMaking(seed + 200)
    above = joiner.add("Slice", "encoder_out", joiner.integers(_WIDTH - 1), joiner.integers(_WIDTH), joiner.integers(1))
    together = joiner.add("Add", "encoder_out", "decoder_out")
    scores = joiner.add("MatMul", together, joiner.random(_WIDTH, len(VOCABULARY), scale=2.5))
    gated = joiner.add("Mul", scores, joiner.add("Min", above, joiner.constant(np.ones(1, dtype=np.float32))))
    joiner.add("Add", gated, joiner.constant(_blank_bias()), output="logit")
    joiner.write(
        folder / "joiner.onnx",
        [float_tensor("encoder_out", "N", _WIDTH), float_tensor("decoder_out", "N", _WIDTH)],
        [float_tensor("logit", "N", len(VOCABULARY))],
    )


def _blank_bias() -> NDArray[np.float32]:
    """Where nothing is heard, the blank wins; marks are never written."""
    bias = np.zeros(len(VOCABULARY), dtype=np.float32)
    bias[0], bias[1], bias[2] = 8.0, -100.0, -100.0
    return bias


def _with_tokens(folder: Path) -> Path:
    lines = (f"{token} {number}\n" for number, token in enumerate(VOCABULARY))
    (folder / "tokens.txt").write_text("".join(lines), encoding="utf-8")
    return folder
