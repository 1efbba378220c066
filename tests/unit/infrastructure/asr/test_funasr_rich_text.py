import pytest

from asr_service.infrastructure.asr.funasr.rich_text import RichText, read_rich_text


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (
            "<|zh|><|NEUTRAL|><|Speech|><|withitn|>开放时间早上9点至下午5点。",
            RichText("开放时间早上9点至下午5点。", "zh"),
        ),
        ("<|yue|><|HAPPY|><|BGM|><|woitn|>呢几个字都表达唔到", RichText("呢几个字都表达唔到", "yue")),
        ("<|en|><|EMO_UNKNOWN|><|Speech|><|woitn|> the tribal chieftain ", RichText("the tribal chieftain", "en")),
        ("<|ja|>うち<|ko|>조", RichText("うち조", "ja")),
        ("<|nospeech|><|EMO_UNKNOWN|><|Event_UNK|><|woitn|>嗯", RichText("", None)),
        ("no tags", RichText("no tags", None)),
        ("a < b | c > d", RichText("a < b | c > d", None)),
        ("", RichText("", None)),
    ],
)
def test_tags_are_taken_out_and_name_the_language(written: str, expected: RichText) -> None:
    assert read_rich_text(written) == expected
