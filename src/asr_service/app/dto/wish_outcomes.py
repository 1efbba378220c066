"""What becomes of the options that a session asked for: the one place that says so."""

from enum import StrEnum

from asr_service.domain.ports.recognizer import RecognizerCapabilities
from asr_service.domain.value_objects.asr_config import Casing, Numbers, RecognitionOptions
from asr_service.domain.value_objects.language import Script


class WishOutcome(StrEnum):
    """Whether a wish is fulfilled."""

    APPLIED = "applied"  # as it was asked for
    EMULATED = (
        "emulated"  # made of the text of finals, as the engine cannot do it; partials stay as they are recognized
    )
    UNSUPPORTED = "unsupported"  # not at all


def wish_outcomes(options: RecognitionOptions, capabilities: RecognizerCapabilities) -> dict[str, WishOutcome]:
    """What becomes of each option that asks for something, by name; the others ask for what everybody gets."""
    text = capabilities.text
    chunking = options.chunking
    wishes = {
        "hotwords": (bool(options.hotwords), capabilities.hotwords),
        "prompt": (bool(options.prompt), capabilities.prompt),
        "word_times": (options.word_times, capabilities.word_times),
        "script": (options.script is Script.TRADITIONAL, text.scripts),
        "casing": (options.casing is not Casing.AS_RECOGNIZED, text.casing),
        "mask": (options.mask is not None, text.masking if options.mask else text.unmasking),
        "chunk_size": (chunking.size is not None, capabilities.chunking),
        "encoder_chunk_look_back": (chunking.encoder_look_back is not None, capabilities.chunking),
        "decoder_chunk_look_back": (chunking.decoder_look_back is not None, capabilities.chunking),
    }
    outcomes = {
        wish: WishOutcome.APPLIED if can else WishOutcome.UNSUPPORTED
        for wish, (wanted, can) in wishes.items()
        if wanted
    }
    if options.numbers is not Numbers.AS_RECOGNIZED:
        outcomes["numbers"] = _numbers(options, capabilities)
    return outcomes


def _numbers(options: RecognitionOptions, capabilities: RecognizerCapabilities) -> WishOutcome:
    """Of a language that is detected it may turn out that its numbers stay as they are."""
    if options.numbers is Numbers.SPOKEN and capabilities.spoken_numbers:
        return WishOutcome.APPLIED
    text = capabilities.text
    languages = text.spoken_numbers if options.numbers is Numbers.SPOKEN else text.written_numbers
    known = options.language in languages if options.language else bool(languages)
    return WishOutcome.EMULATED if known else WishOutcome.UNSUPPORTED
