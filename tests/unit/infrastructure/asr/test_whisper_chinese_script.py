"""Chinese comes in the script that was asked for, and nothing else is touched."""

import pytest

from asr_service.domain.value_objects.language import Script
from asr_service.infrastructure.asr.whisper.chinese_script import in_script, simplified, words_in_script


@pytest.mark.parametrize(
    ("text", "language", "script", "expected"),
    [
        ("海闊天空", "zh", Script.SIMPLIFIED, "海阔天空"),
        ("海阔天空", "zh", Script.SIMPLIFIED, "海阔天空"),
        ("海阔天空", "zh", Script.TRADITIONAL, "海闊天空"),
        ("海闊天空", "zh", Script.AS_RECOGNIZED, "海闊天空"),
        ("開客廳嘅燈", "yue", Script.SIMPLIFIED, "開客廳嘅燈"),
        ("开客厅嘅灯", "yue", Script.TRADITIONAL, "開客廳嘅燈"),
        ("電気と学校", "ja", Script.SIMPLIFIED, "電気と学校"),
        ("電気と学校", "ja", Script.TRADITIONAL, "電気と学校"),
        ("Loft", "en", Script.TRADITIONAL, "Loft"),
        ("电", None, Script.TRADITIONAL, "电"),
    ],
)
def test_text_is_written_in_the_script_that_was_asked_for(
    text: str, language: str | None, script: Script, expected: str
) -> None:
    assert in_script(text, language, script) == expected


def test_words_are_converted_in_their_context() -> None:
    assert words_in_script(["头", "发", "很", "长", "，", "发", "现"], "zh", Script.TRADITIONAL) == [
        *("頭", "髮", "很", "長", "，", "發", "現"),
    ]


def test_words_stay_apart() -> None:
    assert words_in_script([], "zh", Script.SIMPLIFIED) == []
    assert words_in_script(["Loft", "時", "尚"], "zh", Script.SIMPLIFIED) == ["Loft", "时", "尚"]


def test_simplified_serves_comparison_in_any_script() -> None:
    assert simplified("謝謝觀看") == simplified("谢谢观看")
