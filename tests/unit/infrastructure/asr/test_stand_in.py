from dataclasses import replace

import pytest

from asr_service.infrastructure.asr.stand_in import may_stand_in
from tests.fakes.engines import CAPABILITIES
from tests.fixtures.recognition_requests import recognition_request

MULTILINGUAL = CAPABILITIES
ENGLISH = replace(CAPABILITIES, languages=frozenset({"en"}))
LARGE = replace(CAPABILITIES, languages=CAPABILITIES.languages | {"yue"})


@pytest.mark.parametrize(("language", "expected"), [("en", True), ("zh", False)])
def test_a_language_that_is_given_has_to_be_known(language: str, expected: bool) -> None:
    assert may_stand_in(recognition_request(language=language), ENGLISH, MULTILINGUAL) is expected


def test_who_knows_one_language_cannot_detect_which_of_several_is_spoken() -> None:
    assert not may_stand_in(recognition_request(), ENGLISH, MULTILINGUAL)


def test_where_only_one_language_is_known_there_is_nothing_to_detect() -> None:
    assert may_stand_in(recognition_request(), ENGLISH, ENGLISH)


def test_who_knows_several_languages_detects_them_although_the_other_knows_more() -> None:
    assert may_stand_in(recognition_request(), MULTILINGUAL, LARGE)


def test_audio_may_be_as_long_as_the_substitute_takes_and_no_longer() -> None:
    short = replace(MULTILINGUAL, max_seconds=10.0)
    assert may_stand_in(recognition_request(seconds=10.0), short, MULTILINGUAL)
    assert not may_stand_in(recognition_request(seconds=10.001), short, MULTILINGUAL)
