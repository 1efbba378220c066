"""Loads FunASR's models from folders of this machine."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr_service.domain.ports.model_store import ModelMissing
from asr_service.domain.ports.recognizer import RecognizerUnavailable
from asr_service.infrastructure.asr.engine import needs_extra

_CONFIGURATIONS = ("config.yaml", "configuration.json")
_WEIGHTS = "model.pt"


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model, and what FunASR has built around it.

    Attributes:
        architecture: FunASR's name of its class, for example ``ParaformerStreaming``.
        network: The model itself, a ``torch.nn.Module``.
        settings: What FunASR hands to each inference: tokenizer, frontend, device and the model's configuration.
        inference_mode: torch's, in which nothing is kept for training.
    """

    architecture: str
    network: Any
    settings: Mapping[str, Any]
    inference_mode: Callable[[], AbstractContextManager[object]] = nullcontext

    @property
    def tokens(self) -> Sequence[str]:
        """The model's vocabulary; empty if FunASR does not list it."""
        return self.settings.get("token_list") or ()

    def infer(self, inputs: Sequence[object], **choices: object) -> list[dict[str, Any]]:
        """One inference over all inputs; as many results in their order, or none at all if there is no text in any.

        Args:
            inputs: Samples (float32, full scale at 1), or texts for a model of punctuation.
            choices: Win over the settings.
        """
        keys = [str(number) for number in range(len(inputs))]
        with self.inference_mode():
            answer = self.network.inference(data_in=list(inputs), key=keys, **{**self.settings, **choices})
        return list(answer[0]) if answer else []


def load_model(directory: Path, *, device: str = "cpu", device_index: int = 0, threads: int = 1) -> LoadedModel:
    """Loads a model. No hub is asked, no code that comes with a model is run, and the same audio gives the same text.

    Args:
        directory: As ModelScope or Hugging Face have it: ``config.yaml``, ``model.pt``, and what these name.
        device: ``cpu`` or ``cuda``.
        device_index: Which of several GPUs, from 0.
        threads: CPU threads of one inference.

    Raises:
        EngineNotInstalled: FunASR or torch is not installed.
        RecognizerUnavailable: torch sees no such device.
        ModelMissing: The folder is no model of FunASR's.
    """
    _check_folder(directory)
    wanted = device if device == "cpu" else f"{device}:{device_index}"
    torch, funasr = _libraries()
    auto = funasr.AutoModel(
        model=str(directory),
        device=wanted,
        ncpu=threads,
        trust_remote_code=False,  # a folder may ask for it, and for packages to be installed
        check_latest=False,
        disable_update=True,
        disable_pbar=True,
        disable_log=True,
        log_level="WARNING",
    )
    if auto.kwargs["device"] != wanted:
        raise RecognizerUnavailable(
            f"FunASR is to run on {wanted}, and finds only {auto.kwargs['device']}.",
            hint="Install a build of torch for this GPU, or set recognizer.device to cpu.",
        )
    settings = {key: value for key, value in auto.kwargs.items() if key != "cache"}
    # By default the frontend adds noise to the audio, as in training: each hearing would give another text.
    if hasattr(settings.get("frontend"), "dither"):
        settings["frontend"].dither = 0.0
    return LoadedModel(type(auto.model).__name__, auto.model, settings, torch.inference_mode)


def _check_folder(directory: Path) -> None:
    if not any((directory / name).is_file() for name in _CONFIGURATIONS) or not (directory / _WEIGHTS).is_file():
        raise ModelMissing(
            f"{directory} holds no model of FunASR's: config.yaml and model.pt are expected there.",
            hint="Name the folder of the PyTorch model; one that was exported to ONNX is for another engine.",
        )


def _libraries() -> tuple[Any, Any]:
    with needs_extra("funasr"):
        return importlib.import_module("torch"), importlib.import_module("funasr")
