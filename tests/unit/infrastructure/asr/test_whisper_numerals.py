"""What may not be written when numbers are wanted as they are spoken."""

import pytest

from asr_service.infrastructure.asr.whisper.numerals import writes_number


@pytest.mark.parametrize(
    "text", ["3", " 20", "1st", "１", "٣", "३", "½", "m²", "①", "$", " €", "￥", "50%", "％", "‰", "℃", "30°"]
)
def test_digits_and_the_signs_that_are_said_with_them(text: str) -> None:
    assert writes_number(text)


@pytest.mark.parametrize(
    "text", ["", "three", "三十一度", "二〇二六", "百分之五", "Henry VIII", "#", "+", "\ufffd", "."]
)
def test_words_and_pieces_of_characters(text: str) -> None:
    assert not writes_number(text)
