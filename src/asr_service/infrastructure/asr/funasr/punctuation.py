"""Punctuation for texts that a recognizer has written without it: CT-Transformer."""

from asr_service.domain.ports.model_store import ModelUnsuitable
from asr_service.infrastructure.asr.funasr.loading import LoadedModel

_ARCHITECTURE = "CTTransformer"


class CtPunctuation:
    """Puts punctuation into Chinese and English texts.

    Args:
        model: A CT-Transformer.

    Raises:
        ModelUnsuitable: It is another model.
    """

    def __init__(self, model: LoadedModel) -> None:
        if model.architecture != _ARCHITECTURE:
            raise ModelUnsuitable(
                f"Punctuation is to come from a {model.architecture}, which is no CT-Transformer.",
                hint="Name a model such as ct-punc, or none.",
            )
        self._model = model

    def punctuate(self, text: str) -> str:
        """The same words with punctuation between them; sentences begin with a capital letter, if they have any."""
        if not text.strip():
            return ""
        # FunASR fetches a text that is an address; with a space before it, it is a text.
        return str(self._model.infer([f" {text}"])[0]["text"]).strip()
