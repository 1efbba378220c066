"""Texts are compared whatever script they are in."""

from asr_service.infrastructure.asr.whisper.one_script import simplified


def test_simplified_serves_comparison_in_any_script() -> None:
    assert simplified("謝謝觀看") == simplified("谢谢观看") == "谢谢观看"
