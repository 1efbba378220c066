"""What an engine says to a request that is beyond what it can do."""

from dataclasses import replace

import pytest

from asr_service.domain.ports.recognizer import RecognitionRequest
from asr_service.domain.value_objects.asr_config import Task
from asr_service.infrastructure.asr.refusal import refusal
from tests.fakes.engines import CAPABILITIES
from tests.fixtures.recognition_requests import recognition_request


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (recognition_request(language="tlh"), "does not know the language tlh"),
        (recognition_request(task=Task.TRANSLATE), "cannot translate"),
        (recognition_request(pcm=b"\x01"), "no whole number of samples"),
        (recognition_request(seconds=30.1), "lasts 30.1 s; the model takes at most 30 s"),
    ],
)
def test_what_it_cannot_do_is_told(request_: RecognitionRequest, reason: str) -> None:
    failure = refusal(request_, CAPABILITIES)
    assert failure is not None
    assert reason in failure.message


def test_what_it_can_do_is_not_refused() -> None:
    assert refusal(recognition_request(language="zh", seconds=30.0), CAPABILITIES) is None
    assert refusal(recognition_request(task=Task.TRANSLATE), replace(CAPABILITIES, translation=True)) is None
