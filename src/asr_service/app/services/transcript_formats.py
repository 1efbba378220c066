"""Transcripts as people and players read them: plain text, SubRip, WebVTT."""

from asr_service.domain.services.captions import Caption, caption
from asr_service.domain.value_objects.audio_metadata import ms_from_samples
from asr_service.domain.value_objects.transcript import Transcript


def captions_of(transcript: Transcript) -> list[Caption]:
    """All captions of a transcript, in order."""
    return [piece for utterance in transcript.utterances for piece in caption(utterance)]


def to_text(transcript: Transcript) -> str:
    """The text on one line, which ends in a newline."""
    return f"{transcript.text}\n"


def to_srt(transcript: Transcript) -> str:
    """SubRip: numbered cues, times as ``00:00:01,234``; empty if nobody speaks."""
    cues = (
        f"{number}\n{_time(piece.span.start, ',')} --> {_time(piece.span.end, ',')}\n{piece.text}\n"
        for number, piece in enumerate(captions_of(transcript), start=1)
    )
    return "\n".join(cues)


def to_vtt(transcript: Transcript) -> str:
    """WebVTT: the header, then cues with times as ``00:00:01.234``."""
    cues = (
        f"{_time(piece.span.start, '.')} --> {_time(piece.span.end, '.')}\n{_escaped(piece.text)}\n"
        for piece in captions_of(transcript)
    )
    return "\n".join(("WEBVTT\n", *cues))


def _time(samples: int, decimal_mark: str) -> str:
    seconds, milliseconds = divmod(ms_from_samples(samples), 1_000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{decimal_mark}{milliseconds:03}"


def _escaped(text: str) -> str:
    """Escapes what WebVTT would read as markup (W3C WebVTT, §4.2.2)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
