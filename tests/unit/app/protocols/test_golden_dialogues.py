"""Every recorded dialogue is replayed through its codec."""

from functools import partial
from pathlib import Path

import pytest

from asr_service.app.api.v1.websocket.protocols.codec import CodecFactory
from asr_service.app.api.v1.websocket.protocols.funasr import FunAsrCodec
from asr_service.app.api.v1.websocket.protocols.native import NativeCodec
from asr_service.app.api.v1.websocket.protocols.openai_realtime import OpenAiRealtimeCodec, Opening
from asr_service.domain.value_objects.asr_config import SessionConfig
from tests.fixtures.dialogues import CAPABILITIES, replay

GOLDEN = Path(__file__).parents[3] / "golden"
CODECS: dict[str, CodecFactory] = {
    "native": NativeCodec,
    "funasr": FunAsrCodec,
    "openai_realtime": partial(OpenAiRealtimeCodec, opening=Opening("sess_1")),
    "openai_realtime_beta": partial(
        OpenAiRealtimeCodec, opening=Opening("sess_1", beta=True, for_transcription=True, model="whisper-1")
    ),
}
DIALOGUES = sorted(GOLDEN.glob("*/*.jsonl"))


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_dialogue_goes_as_it_was_recorded(dialogue: Path) -> None:
    replay(dialogue, CODECS[dialogue.parent.name](CAPABILITIES, SessionConfig()))


def test_every_protocol_has_a_dialogue() -> None:
    assert {path.parent.name for path in DIALOGUES} == set(CODECS)
