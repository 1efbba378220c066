"""Tiny models of FunASR's real architectures, in folders as the hubs have them. Their weights are random, from a fixed seed.

Random weights hear no words, but they tell audio apart, and that is what a comparison needs. One layer is fitted: that which
counts tokens (the predictor of Paraformer) gives none for noise and about one in six frames for voice, so that a worker's
self-test can be passed, and texts are neither empty nor endless.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
import torch
import yaml
from funasr import AutoModel
from funasr.register import tables

from tests.fixtures.sounds import babble, level, noise

WIDTH = 64
_CHARACTERS = (
    "的一是不了人我在有他这为之大来以个中上们到说国和地也子时道出而要于就下得可你年生自会那后能对着事其里所去行过家十用发天如"
    "然作方成者多日都三小军二无同么经法当起与好看学进种将还分此心前面又定见只主没公从"
)
WORDS = ("he@@", "llo", "world", "a", "i", "good", "mor@@", "ning")
TOKENS = ("<blank>", "<s>", "</s>", *_CHARACTERS, *WORDS, "<unk>")
CHINESE_TOKENS = ("<blank>", "<s>", "</s>", *_CHARACTERS, "<unk>")

_FRONTEND = {"fs": 16_000, "window": "hamming", "n_mels": 80, "frame_length": 25, "frame_shift": 10, "dither": 0.0}
_ENCODER = {
    "output_size": WIDTH,
    "attention_heads": 4,
    "linear_units": 128,
    "num_blocks": 2,
    "dropout_rate": 0.0,
    "positional_dropout_rate": 0.0,
    "attention_dropout_rate": 0.0,
    "pos_enc_class": "SinusoidalPositionEncoder",
    "normalize_before": True,
    "kernel_size": 11,
    "selfattention_layer_type": "sanm",
}
_DECODER = {
    "attention_heads": 4,
    "linear_units": 128,
    "num_blocks": 2,
    "att_layer_num": 2,
    "dropout_rate": 0.0,
    "positional_dropout_rate": 0.0,
    "self_attention_dropout_rate": 0.0,
    "src_attention_dropout_rate": 0.0,
    "kernel_size": 11,
}
_PREDICTOR = {"idim": WIDTH, "threshold": 1.0, "l_order": 1, "r_order": 1, "tail_threshold": 0.45}
_CHUNKS = {
    "chunk_size": [12, 15],
    "stride": [8, 10],
    "pad_left": [0, 0],
    "encoder_att_look_back_factor": [4, 4],
    "decoder_att_look_back_factor": [1, 1],
}
PARAFORMER_STREAMING: Mapping[str, Any] = {
    "model": "ParaformerStreaming",
    "model_conf": {"ctc_weight": 0.0, "predictor_bias": 1, "sampling_ratio": 0.75},
    "encoder": "SANMEncoderChunkOpt",
    "encoder_conf": {**_ENCODER, "input_layer": "pe_online", "sanm_shfit": 0, **_CHUNKS},
    "decoder": "ParaformerSANMDecoder",
    "decoder_conf": {**_DECODER, "sanm_shfit": 5},
    "predictor": "CifPredictorV2",
    "predictor_conf": _PREDICTOR,
    "frontend": "WavFrontendOnline",
    "frontend_conf": {**_FRONTEND, "lfr_m": 7, "lfr_n": 6},
    "tokenizer": "CharTokenizer",
    "tokenizer_conf": {"unk_symbol": "<unk>", "split_with_space": True},
}
PARAFORMER: Mapping[str, Any] = {
    **PARAFORMER_STREAMING,
    "model": "Paraformer",
    "encoder": "SANMEncoder",
    "encoder_conf": {**_ENCODER, "input_layer": "pe", "sanm_shfit": 0},
    "decoder_conf": {**_DECODER, "sanm_shfit": 0},
    "frontend": "WavFrontend",
}
SEACO_PARAFORMER: Mapping[str, Any] = {
    **PARAFORMER,
    "model": "SeacoParaformer",
    "model_conf": {
        "ctc_weight": 0.0,
        "predictor_bias": 1,
        "sampling_ratio": 0.75,
        "inner_dim": WIDTH,
        "bias_encoder_type": "lstm",
        "bias_encoder_bid": False,
        "seaco_weight": 1.0,
        "NO_BIAS": len(TOKENS) - 1,
    },
    "predictor": "CifPredictorV3",
    "predictor_conf": {
        **_PREDICTOR,
        "smooth_factor2": 0.25,
        "noise_threshold2": 0.01,
        "upsample_times": 3,
        "use_cif1_cnn": False,
        "upsample_type": "cnn_blstm",
    },
    "seaco_decoder": "ParaformerSANMDecoder",
    "seaco_decoder_conf": {
        **_DECODER,
        "sanm_shfit": 0,
        "kernel_size": 21,
        "wo_input_layer": True,
        "use_output_layer": False,
    },
}
CT_TRANSFORMER: Mapping[str, Any] = {
    "model": "CTTransformer",
    "model_conf": {
        "ignore_id": 0,
        "embed_unit": WIDTH,
        "att_unit": WIDTH,
        "dropout_rate": 0.0,
        "punc_list": ["<unk>", "_", "，", "。", "？", "、"],
        "punc_weight": [1.0] * 6,
        "sentence_end_id": 3,
    },
    "encoder": "SANMEncoder",
    "encoder_conf": {**_ENCODER, "input_size": WIDTH, "input_layer": "pe", "sanm_shfit": 0, "padding_idx": 0},
    "tokenizer": "CharTokenizer",
    "tokenizer_conf": {"unk_symbol": "<unk>"},
}
FSMN_VAD: Mapping[str, Any] = {
    "model": "FsmnVADStreaming",
    "model_conf": {
        "sample_rate": 16_000,
        "detect_mode": 1,
        "silence_pdf_num": 1,
        "sil_pdf_ids": [0],
        "frame_in_ms": 10,
    },
    "encoder": "FSMN",
    "encoder_conf": {
        "input_dim": 400,
        "input_affine_dim": 48,
        "fsmn_layers": 2,
        "linear_dim": 50,
        "proj_dim": 32,
        "lorder": 20,
        "rorder": 0,
        "lstride": 1,
        "rstride": 0,
        "output_affine_dim": 48,
        "output_dim": 20,
    },
    "frontend": "WavFrontendOnline",
    "frontend_conf": {**_FRONTEND, "lfr_m": 5, "lfr_n": 1},
}


def build(
    directory: Path,
    configuration: Mapping[str, Any],
    *,
    seed: int = 0,
    spread: float = 1.0,
    tokens: Sequence[str] = TOKENS,
) -> Path:
    """Writes the folder of a model.

    Args:
        directory: Made here.
        configuration: What ``config.yaml`` is to say.
        seed: Of the weights.
        spread: So many times larger than usual are the weights, for answers that differ more.
        tokens: The vocabulary, if the model has one.
    """
    directory.mkdir(parents=True)
    (directory / "config.yaml").write_text(yaml.safe_dump(dict(configuration), allow_unicode=True), encoding="utf-8")
    if "tokenizer" in configuration:
        (directory / "tokens.json").write_text(json.dumps(tokens, ensure_ascii=False), encoding="utf-8")
    if "frontend" in configuration and configuration["model"] == "FsmnVADStreaming":
        (directory / "am.mvn").write_text(_normalization(configuration["encoder_conf"]["input_dim"]), encoding="utf-8")
    torch.manual_seed(seed)
    network = _network(configuration, len(tokens))
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() > 1:
                parameter.mul_(spread)
        if configuration["model"] == "CTTransformer":
            network.decoder.bias[0] = -1e4  # no trained model writes the mark <unk>
    torch.save({"state_dict": network.state_dict()}, directory / "model.pt")
    return directory


def _normalization(size: int) -> str:
    """Mean and deviation of features, as Kaldi writes them: about those of log energies."""
    shift, scale = " ".join(["-10"] * size), " ".join(["0.2"] * size)
    return (
        f"<Nnet>\n<AddShift> {size} {size}\n<LearnRateCoef> 0 [ {shift} ]\n"
        f"<Rescale> {size} {size}\n<LearnRateCoef> 0 [ {scale} ]\n</Nnet>\n"
    )


def _network(configuration: Mapping[str, Any], vocab_size: int = len(TOKENS)) -> torch.nn.Module:
    frontend = configuration.get("frontend_conf", {})
    network: torch.nn.Module = tables.model_classes[configuration["model"]](
        **configuration["model_conf"],
        **{key: value for key, value in configuration.items() if key not in {"model", "model_conf", "tokenizer"}},
        input_size=frontend.get("n_mels", 0) * frontend.get("lfr_m", 1),
        vocab_size=vocab_size,
    )
    return network


def load(directory: Path, **more: object) -> Any:
    """FunASR's own ``AutoModel`` of a folder, quietly."""
    return AutoModel(
        model=str(directory), device="cpu", ncpu=1, disable_update=True, disable_pbar=True, log_level="ERROR", **more
    )


def fit_counting(directory: Path) -> Path:
    """Has the predictor of a Paraformer count no token in noise, and one in about six frames of voice."""
    auto = load(directory)
    layer = auto.model.predictor.cif_output
    quiet = [
        _inputs_of(layer, auto, noise(2, amplitude=10 ** (loudness / 20), seed=seed))
        for seed, loudness in enumerate((-49, -49, -55, -60, -45))
    ]
    voiced = [_inputs_of(layer, auto, babble(4, seed=seed)) for seed in range(6)]
    inputs = torch.cat([*quiet, *voiced]).double()
    targets = torch.cat(
        [torch.full((sum(map(len, quiet)),), -9.0), torch.full((sum(map(len, voiced)),), -1.0)]
    ).double()
    inputs = torch.cat((inputs, torch.ones(len(inputs), 1)), dim=1)
    ridge = 1e-3 * torch.eye(inputs.shape[1])
    weights = torch.linalg.solve(inputs.T @ inputs + ridge, inputs.T @ targets)
    with torch.no_grad():
        layer.weight.copy_(weights[:-1][None])
        layer.bias.copy_(weights[-1:])
    torch.save({"state_dict": auto.model.state_dict()}, directory / "model.pt")
    return directory


def fit_silence(directory: Path) -> Path:
    """Has the last layer of an FSMN-VAD tell silence from sound, by their loudness."""
    auto = load(directory)
    layer = auto.model.encoder.out_linear2.linear
    quiet = _inputs_of(layer, auto, np.concatenate([np.zeros(32_000), noise(2, amplitude=0.002)]))
    vowels = [block for seed in range(8) for block in np.split(babble(4, seed=seed), 80) if level(block) > 0.05]
    loud = _inputs_of(layer, auto, np.concatenate([noise(2, amplitude=0.1), *vowels]))
    inputs = torch.cat((quiet, loud)).double()
    targets = torch.cat((torch.full((len(quiet),), 6.0), torch.full((len(loud),), -6.0))).double()
    inputs = torch.cat((inputs, torch.ones(len(inputs), 1)), dim=1)
    ridge = 1e-3 * torch.eye(inputs.shape[1])
    weights = torch.linalg.solve(inputs.T @ inputs + ridge, inputs.T @ targets)
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.zero_()
        layer.weight[0] = weights[:-1]
        layer.bias[0] = weights[-1] + np.log(len(layer.bias) - 1)
    torch.save({"state_dict": auto.model.state_dict()}, directory / "model.pt")
    return directory


def _inputs_of(layer: torch.nn.Module, auto: Any, samples: np.ndarray) -> torch.Tensor:
    seen: list[torch.Tensor] = []
    hook = layer.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0].flatten(0, -2).clone()))
    auto.generate(input=samples.astype(np.float32), cache={}, is_final=True)
    hook.remove()
    return torch.cat(seen)


_TAGS = ("<|zh|>", "<|en|>", "<|yue|>", "<|nospeech|>", "<|NEUTRAL|>", "<|Speech|>", "<|withitn|>", "<|woitn|>")
SENSE_VOICE: Mapping[str, Any] = {
    "model": "SenseVoiceSmall",
    "model_conf": {"length_normalized_loss": True, "sos": 1, "eos": 2, "ignore_id": -1},
    "encoder": "SenseVoiceEncoderSmall",
    "encoder_conf": {
        **{key: value for key, value in _ENCODER.items() if key not in {"pos_enc_class", "selfattention_layer_type"}},
        "input_layer": "pe",
        "pos_enc_class": "SinusoidalPositionEncoder",
        "sanm_shfit": 0,
        "selfattention_layer_type": "sanm",
        "tp_blocks": 1,
    },
    "frontend": "WavFrontend",
    "frontend_conf": {**_FRONTEND, "lfr_m": 7, "lfr_n": 6},
    "tokenizer": "SentencepiecesTokenizer",
    "tokenizer_conf": {"unk_symbol": "<unk>", "split_with_space": True},
}


def build_sense_voice(directory: Path) -> Path:
    """The folder of a SenseVoice, whose tokenizer knows the tags and the characters of the others."""
    directory.mkdir(parents=True)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([_CHARACTERS, "hello world good morning"] * 50),
        model_prefix=str(directory / "bpe"),
        vocab_size=len(_TAGS) + len(_CHARACTERS) + 25,
        hard_vocab_limit=False,
        user_defined_symbols=list(_TAGS),
        character_coverage=1.0,
        minloglevel=2,
    )
    (directory / "bpe.vocab").unlink()
    (directory / "config.yaml").write_text(yaml.safe_dump(dict(SENSE_VOICE)), encoding="utf-8")
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(directory / "bpe.model")).get_piece_size()
    torch.manual_seed(1)
    torch.save({"state_dict": _network(SENSE_VOICE, pieces).state_dict()}, directory / "model.pt")
    return directory
