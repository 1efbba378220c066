"""Chinese comes in the script that was asked for, and nothing else is touched."""

import pytest

from asr_service.domain.value_objects.language import Script
from asr_service.infrastructure.text.chinese_script import ScriptStep, converted
from tests.fixtures.manuscripts import manuscript

STEP = ScriptStep()


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
        ("头发很长，发现", "zh", Script.TRADITIONAL, "頭髮很長，發現"),
    ],
)
def test_text_is_written_in_the_script_that_was_asked_for(
    text: str, language: str | None, script: Script, expected: str
) -> None:
    asked = manuscript(language, script=script)
    assert STEP.of_whole(text, asked) == STEP.of_beginning(text, asked) == expected
    assert STEP.is_wanted(asked) or text == expected


def test_what_no_encoding_takes_stays() -> None:
    assert converted("電\ud800", "t2s") == "電\ud800"
