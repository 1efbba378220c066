"""What becomes of wishes: fulfilled, made of the text afterwards, or not at all."""

from dataclasses import replace

import pytest

from asr_service.app.dto.wish_outcomes import WishOutcome, wish_outcomes
from asr_service.domain.ports.recognizer import NO_TEXT_FEATURES, RecognizerCapabilities, TextFeatures
from asr_service.domain.value_objects.asr_config import Casing, Chunking, Numbers, RecognitionOptions
from asr_service.domain.value_objects.language import Script
from tests.fixtures.dialogues import CAPABILITIES

NOTHING = replace(CAPABILITIES, word_times=False, hotwords=False, text=NO_TEXT_FEATURES)
ALL = replace(
    CAPABILITIES,
    prompt=True,
    chunking=True,
    text=TextFeatures(
        scripts=True,
        written_numbers=frozenset({"en", "zh"}),
        spoken_numbers=frozenset({"en"}),
        casing=True,
        masking=True,
    ),
)
WISHES = RecognitionOptions(
    language="en",
    hotwords=("x",),
    prompt="y",
    script=Script.TRADITIONAL,
    casing=Casing.SENTENCE,
    numbers=Numbers.WRITTEN,
    mask=True,
    chunking=Chunking((5, 10, 5), 4, 0),
)


def test_who_asks_for_nothing_special_is_told_nothing() -> None:
    assert wish_outcomes(RecognitionOptions(word_times=False), NOTHING) == {}


def test_every_wish_has_an_outcome() -> None:
    names = {"hotwords", "prompt", "word_times", "script", "casing", "mask", "numbers"}
    names |= {"chunk_size", "encoder_chunk_look_back", "decoder_chunk_look_back"}
    assert wish_outcomes(WISHES, NOTHING) == dict.fromkeys(names, WishOutcome.UNSUPPORTED)
    assert wish_outcomes(WISHES, ALL) == dict.fromkeys(names, WishOutcome.APPLIED) | {"numbers": WishOutcome.EMULATED}


@pytest.mark.parametrize(
    ("numbers", "language", "engine", "outcome"),
    [
        (Numbers.SPOKEN, "fr", replace(ALL, spoken_numbers=True), WishOutcome.APPLIED),
        (Numbers.SPOKEN, "en", ALL, WishOutcome.EMULATED),
        (Numbers.SPOKEN, "zh", ALL, WishOutcome.UNSUPPORTED),
        (Numbers.SPOKEN, None, ALL, WishOutcome.EMULATED),
        (Numbers.WRITTEN, "zh", replace(ALL, spoken_numbers=True), WishOutcome.EMULATED),
        (Numbers.WRITTEN, "fr", ALL, WishOutcome.UNSUPPORTED),
        (Numbers.WRITTEN, None, NOTHING, WishOutcome.UNSUPPORTED),
    ],
)
def test_numbers_are_emulated_where_the_engine_cannot_and_the_language_is_known(
    numbers: Numbers, language: str | None, engine: RecognizerCapabilities, outcome: WishOutcome
) -> None:
    options = RecognitionOptions(language=language, numbers=numbers, word_times=False)
    assert wish_outcomes(options, engine) == {"numbers": outcome}


@pytest.mark.parametrize(("unmasking", "outcome"), [(True, WishOutcome.APPLIED), (False, WishOutcome.UNSUPPORTED)])
def test_masks_come_off_only_where_clients_may_choose(unmasking: bool, outcome: WishOutcome) -> None:
    engine = replace(ALL, text=replace(ALL.text, unmasking=unmasking))
    assert wish_outcomes(RecognitionOptions(mask=False, word_times=False), engine) == {"mask": outcome}
