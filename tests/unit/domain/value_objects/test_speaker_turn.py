from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.speaker_turn import SpeakerTurn, in_order_of_appearance


def turn(start: int, end: int, speaker: int) -> SpeakerTurn:
    return SpeakerTurn(SampleSpan(start, end), speaker)


def test_speakers_are_numbered_as_they_appear() -> None:
    told = in_order_of_appearance([turn(50, 60, 7), turn(0, 10, 7), turn(5, 20, 2), turn(30, 40, 4)])
    assert told == (turn(0, 10, 0), turn(5, 20, 1), turn(30, 40, 2), turn(50, 60, 0))


def test_of_two_who_begin_together_the_lower_number_is_first() -> None:
    assert in_order_of_appearance([turn(0, 10, 9), turn(0, 10, 3)]) == (turn(0, 10, 0), turn(0, 10, 1))


def test_nobody_is_nobody() -> None:
    assert in_order_of_appearance([]) == ()
