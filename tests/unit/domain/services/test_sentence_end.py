"""Which texts end with their sentence."""

import pytest

from asr_service.domain.services.sentence_end import ends_sentence


@pytest.mark.parametrize(
    "text",
    [
        "That is all.",
        "Is it?",
        "Stop!",
        "What?!",
        "好的。",
        "是吗？",
        "走吧！",
        "他说：“好。”",
        'He said "yes."',
        "(Really?)",
        "Ask Mr.",  # an abbreviation is not told apart
    ],
)
def test_a_mark_at_the_end_ends_it(text: str) -> None:
    assert ends_sentence(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "and then",
        "3.5",
        "first, ",
        "So...",
        "Well..",
        "So…",
        "那个……",
        "那个。。。",
        "Yes. And",
        "？ 然后",
        '"And"',
        "….",
    ],
)
def test_without_one_or_in_hesitation_it_goes_on(text: str) -> None:
    assert not ends_sentence(text)
