"""Every recorded dialogue is replayed through its codec."""

from pathlib import Path

import pytest

from asr_service.domain.value_objects.asr_config import SessionConfig
from tests.fixtures.codecs import CODECS, GOLDEN
from tests.fixtures.dialogues import CAPABILITIES, replay

DIALOGUES = sorted(GOLDEN.glob("*/*.jsonl"))


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_dialogue_goes_as_it_was_recorded(dialogue: Path) -> None:
    replay(dialogue, CODECS[dialogue.parent.name](CAPABILITIES, SessionConfig()))


def test_every_protocol_has_a_dialogue() -> None:
    assert {path.parent.name for path in DIALOGUES} == set(CODECS)
