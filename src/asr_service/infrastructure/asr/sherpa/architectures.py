"""The table of architectures: of which files a model consists, what it can do, and who loads it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from asr_service.domain.ports.model_store import ModelUnsuitable

_ANY_MODEL: Final = MappingProxyType({"model": "*.onnx"})
_TRANSDUCER: Final = MappingProxyType(
    {"encoder": "*encoder*.onnx", "decoder": "*decoder*.onnx", "joiner": "*joiner*.onnx"}
)
_ENCODER_DECODER: Final = MappingProxyType({"encoder": "*encoder*.onnx", "decoder": "*decoder*.onnx"})


@dataclass(frozen=True, slots=True)
class Architecture:
    """One kind of model.

    Attributes:
        loader: Name of the class method of sherpa-onnx's recognizer that loads it.
        parts: Arguments of the loader that are files, and what these are called.
        streaming: Whether it is loaded by ``OnlineRecognizer``, and hears an utterance as it grows.
        tokens: What the table of tokens is called.
        word_times: Whether its tokens have times. Of Paraformer some models do.
        beam: Whether it can be searched with a beam, which is also what hotwords need.
        languages: Codes that every such model knows; empty: they are different ones, and somebody has to say which.
        tells_language: Whether the loader wants to be told the language if there is only one.
        written: Whether its texts are as in print, with punctuation and capital letters.
        options: Further arguments of the loader.
        min_samples: Shorter audio is filled up with silence: the convolutions at the entrance need so much.
        max_seconds: Longest audio that it is given.
    """

    loader: str
    parts: Mapping[str, str]
    streaming: bool = False
    tokens: str = "*tokens.txt"
    word_times: bool = False
    beam: bool = False
    languages: frozenset[str] = frozenset()
    tells_language: bool = False
    written: bool = False
    options: Mapping[str, object] = field(default_factory=dict)
    min_samples: int = 1_600
    max_seconds: float = 30.0


def _ctc(loader: str, *, streaming: bool = False) -> Architecture:
    return Architecture(loader, _ANY_MODEL, streaming=streaming, word_times=True)


ARCHITECTURES: Final[Mapping[str, Architecture]] = MappingProxyType(
    {
        "moonshine": Architecture(
            "from_moonshine_v2",
            MappingProxyType({"encoder": "encoder_model*.ort", "decoder": "decoder_model_merged*.ort"}),
            written=True,
        ),
        "moonshine-v1": Architecture(
            "from_moonshine",
            MappingProxyType(
                {
                    "preprocessor": "preprocess*.onnx",
                    "encoder": "encode*.onnx",
                    "uncached_decoder": "uncached_decode*.onnx",
                    "cached_decoder": "cached_decode*.onnx",
                }
            ),
            written=True,
        ),
        "sense-voice": Architecture(
            "from_sense_voice",
            _ANY_MODEL,
            word_times=True,
            languages=frozenset({"zh", "en", "ja", "ko", "yue"}),
            tells_language=True,
            written=True,
            options=MappingProxyType({"use_itn": True}),
        ),
        "paraformer": Architecture(
            "from_paraformer", MappingProxyType({"paraformer": "*.onnx"}), languages=frozenset({"zh", "en"})
        ),
        "whisper": Architecture("from_whisper", _ENCODER_DECODER, tells_language=True, written=True, max_seconds=29.0),
        "fire-red": Architecture("from_fire_red_asr", _ENCODER_DECODER, languages=frozenset({"zh", "en"})),
        "transducer": Architecture("from_transducer", _TRANSDUCER, word_times=True, beam=True),
        "zipformer-ctc": _ctc("from_zipformer_ctc"),
        "nemo-ctc": _ctc("from_nemo_ctc"),
        "wenet-ctc": _ctc("from_wenet_ctc"),
        "telespeech-ctc": _ctc("from_telespeech_ctc"),
        "dolphin-ctc": _ctc("from_dolphin_ctc"),
        "fire-red-ctc": _ctc("from_fire_red_asr_ctc"),
        "omnilingual-ctc": _ctc("from_omnilingual_asr_ctc"),
        "transducer-streaming": Architecture(
            "from_transducer", _TRANSDUCER, streaming=True, word_times=True, beam=True
        ),
        "paraformer-streaming": Architecture(
            "from_paraformer", _ENCODER_DECODER, streaming=True, languages=frozenset({"zh", "en"})
        ),
        "zipformer2-ctc-streaming": _ctc("from_zipformer2_ctc", streaming=True),
        "nemo-ctc-streaming": _ctc("from_nemo_ctc", streaming=True),
        "wenet-ctc-streaming": _ctc("from_wenet_ctc", streaming=True),
    }
)


def architecture_of(name: str) -> Architecture:
    """The architecture of that name.

    Raises:
        ModelUnsuitable: There is none, or none was named.
    """
    if (architecture := ARCHITECTURES.get(name)) is not None:
        return architecture
    said = (
        f"The architecture {name[:80]!r} is unknown to sherpa-onnx's engine."
        if name
        else "The model has no architecture."
    )
    raise ModelUnsuitable(said, hint=f"Set recognizer.architecture to one of: {', '.join(ARCHITECTURES)}.")
