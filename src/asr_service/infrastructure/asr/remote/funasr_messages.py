"""FunASR's runtime protocol from the client's side: what is sent, what comes back, and when that is all. Pure."""

import json
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from asr_service.domain.ports.recognizer import RecognitionRequest, RecognizerUnavailable
from asr_service.domain.value_objects.asr_config import Numbers
from asr_service.domain.value_objects.audio_metadata import BYTES_PER_SAMPLE, SAMPLE_RATE_HZ
from asr_service.domain.value_objects.transcript import join_texts

END_OF_INPUT = json.dumps({"is_speaking": False, "is_end": True})
"""Asks for an acknowledgement too; servers that know none take no notice of it."""

FRAME_BYTES = 60 * SAMPLE_RATE_HZ // 1_000 * BYTES_PER_SAMPLE
"""60 ms: the older Python server recognizes every ``chunk_interval`` frames, whatever their length."""

LANGUAGES = ("zh", "en", "yue", "ja", "ko")
"""What ``svs_lang`` can say."""

_CHUNKS = [5, 10, 5]  # of 60 ms: looking back, the chunk itself, looking ahead; servers do nothing before they are told
_HOTWORD_WEIGHT = 20  # as in FunASR's own examples


def opening(request: RecognitionRequest, mode: str) -> str:
    """The first text frame of an exchange, ``mode`` being ``offline`` or ``online``."""
    options = request.options
    writes_digits = options.numbers is not Numbers.SPOKEN
    weights = dict.fromkeys(options.hotwords, _HOTWORD_WEIGHT)
    return json.dumps(
        {
            "mode": mode,
            "wav_name": request.request_id,
            "wav_format": "pcm",
            "audio_fs": SAMPLE_RATE_HZ,
            "chunk_size": _CHUNKS,
            "chunk_interval": _CHUNKS[1],
            "encoder_chunk_look_back": 4,
            "decoder_chunk_look_back": 1,
            "hotwords": json.dumps(weights, ensure_ascii=False) if weights else "",
            "itn": writes_digits,
            "svs_itn": writes_digits,
            "svs_lang": options.language if options.language in LANGUAGES else "auto",
            "is_speaking": True,
        },
        ensure_ascii=False,
    )


@dataclass(frozen=True, slots=True)
class ResultFrame:
    """One text frame of the server.

    Attributes:
        label: Its ``mode``; empty when it has none.
        text: What it says; ``None`` when it has no text, as acknowledgements have not.
        is_final: What that means depends on the server.
        is_end: Whether it acknowledges the end of the input.
        error: What the server complains of; empty: of nothing.
        stamps: The ``timestamp`` field, as it came.
        sentences: The ``stamp_sents`` field, as it came.
    """

    label: str
    text: str | None
    is_final: bool
    is_end: bool = False
    error: str = ""
    stamps: object = None
    sentences: object = None

    @property
    def is_increment(self) -> bool:
        """Whether the text goes on where the last one ended; else it is that of a whole segment, in place of those."""
        return self.label.endswith("online")


def read_frame(frame: str | bytes) -> ResultFrame:
    """Reads what a server has sent.

    Raises:
        RecognizerUnavailable: It is nothing that FunASR's servers send.
    """
    try:
        message = json.loads(frame)
    except ValueError:  # no JSON, or no UTF-8
        message = None
    if not isinstance(message, dict) or not ({"text", "is_end", "error"} & message.keys()):
        raise RecognizerUnavailable("The server does not speak FunASR's protocol.", hint="Check remote.url.")
    return _frame(message)


def _frame(message: dict[str, Any]) -> ResultFrame:
    error = message.get("error")
    text = message.get("text")
    return ResultFrame(
        label=str(message.get("mode") or ""),
        text=text if isinstance(text, str) else None,
        is_final=message.get("is_final") is True,
        is_end=message.get("is_end") is True,
        error=error if isinstance(error, str) else str(error or ""),
        stamps=message.get("timestamp"),
        sentences=message.get("stamp_sents"),
    )


class Completeness(Enum):
    """Whether an exchange in mode offline has had its last frame."""

    OPEN = auto()
    LIKELY = auto()  # some servers would send more now, and no server says that it will not
    COMPLETE = auto()


@dataclass(slots=True)
class OfflineAnswer:
    """What comes back in mode offline, for a piece of audio that the server may cut into several segments.

    The servers differ in what ``is_final`` means:

    - C++, two-pass: each segment has ``is_final: false``, and one last frame, perhaps without text, has ``true``. All are
      labelled ``2pass-offline``, whatever the mode, or not at all.
    - C++, offline: one frame, ``is_final: false``.
    - Python, up to 2026-02: ``is_final`` is whether the client is still speaking, so the frame after the end has ``false``.
    - Python, since then: every segment has ``true``; since 2026-07 an acknowledgement with ``is_end`` comes last.

    Attributes:
        frames: Those with text, in order.
        error: What the server complained of; empty: of nothing.
        completeness: Whether anything is to be waited for.
    """

    frames: list[ResultFrame] = field(default_factory=list)
    error: str = ""
    completeness: Completeness = Completeness.OPEN

    def take(self, frame: ResultFrame) -> None:
        """Takes the next frame."""
        if frame.text and not frame.is_increment:
            self.frames.append(frame)
        self.error = self.error or frame.error
        self.completeness = _completeness_after(frame)

    @property
    def text(self) -> str:
        """Of all segments."""
        return join_texts((frame.text or "").strip() for frame in self.frames)


def _completeness_after(frame: ResultFrame) -> Completeness:
    if frame.is_end:
        return Completeness.COMPLETE
    if frame.label == "offline":
        return Completeness.LIKELY if frame.is_final else Completeness.COMPLETE
    return Completeness.COMPLETE if frame.is_final else Completeness.OPEN
