"""Transcripts as documents: our own JSON, and OpenAI's shapes."""

import json

import pytest

from asr_service.app.dto.language_names import language_name
from asr_service.app.dto.openai import DiarizedSegment, TranscriptionSegment, TranscriptionWord, speaker_name, usage_of
from asr_service.app.dto.transcript_json import transcript_json
from asr_service.domain.services.captions import caption
from asr_service.domain.services.speaker_labels import parts_by_speaker
from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.hypothesis import Hypothesis, Timing, Word
from asr_service.domain.value_objects.speaker_turn import SpeakerTurn
from asr_service.domain.value_objects.transcript import TranscribedUtterance, Transcript

WORD = Word("好。", SampleSpan(1_600, 8_016), 0.875)
UTTERANCE = TranscribedUtterance(
    SampleSpan(0, 16_000),
    Hypothesis("好。", (WORD,), Timing.ALIGNED, "zh", 0.9, average_logprob=-0.25, no_speech_probability=0.1),
)
TRANSCRIPT = Transcript((UTTERANCE,), 16_001)


def test_our_own_document_has_all_that_is_known() -> None:
    text = transcript_json(TRANSCRIPT)
    assert "好。" in text  # not escaped
    assert text.endswith("}\n")
    assert json.loads(text) == {
        "text": "好。",
        "language": "zh",
        "duration_s": 1.0,
        "utterances": [
            {
                "start_s": 0.0,
                "end_s": 1.0,
                "text": "好。",
                "language": "zh",
                "timing": "aligned",
                "words": [{"text": "好。", "start_s": 0.1, "end_s": 0.501, "confidence": 0.875}],
            }
        ],
    }


def test_silence_is_a_document_too() -> None:
    assert json.loads(transcript_json(Transcript((), 0))) == {
        "text": "",
        "language": None,
        "duration_s": 0.0,
        "utterances": [],
    }


def test_a_segment_has_dummies_where_nothing_is_known() -> None:
    (piece,) = caption(UTTERANCE)
    assert TranscriptionSegment.of(3, piece, UTTERANCE).model_dump() == {
        "id": 3,
        "seek": 0,
        "start": 0.1,
        "end": 0.501,
        "text": "好。",
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": -0.25,
        "compression_ratio": 0.0,
        "no_speech_prob": 0.1,
    }
    assert TranscriptionWord.of(WORD).model_dump() == {"word": "好。", "start": 0.1, "end": 0.501}


@pytest.mark.parametrize(("samples", "seconds"), [(0, 0), (1, 0), (16, 1), (16_000, 1), (16_016, 2), (160_000, 10)])
def test_seconds_are_rounded_up_from_the_millisecond(samples: int, seconds: int) -> None:
    assert usage_of(Transcript((), samples)).model_dump() == {"type": "duration", "seconds": seconds}


def test_languages_have_english_names() -> None:
    assert [language_name(code) for code in ("zh", "en", "xx", None)] == ["chinese", "english", "xx", ""]


@pytest.mark.parametrize(
    ("speaker", "name"),
    [(0, "A"), (25, "Z"), (26, "AA"), (27, "AB"), (51, "AZ"), (52, "BA"), (702, "AAA"), (None, "unknown")],
)
def test_speakers_have_letters(speaker: int | None, name: str) -> None:
    assert speaker_name(speaker) == name


def test_a_spoken_segment_is_a_caption_of_one_speaker() -> None:
    turns = (SpeakerTurn(SampleSpan(0, 16_000), 1),)
    (part,) = parts_by_speaker(Transcript((UTTERANCE,), 16_001, turns))
    assert DiarizedSegment.of(7, part).model_dump() == {
        "type": "transcript.text.segment",
        "id": "seg_007",
        "start": 0.1,
        "end": 0.501,
        "text": "好。",
        "speaker": "B",
    }
