"""Hotwords, as sherpa-onnx takes them: with each stream, in one text."""

import re
from typing import Any

from asr_service.domain.ports.recognizer import RecognitionRequest, RecognizerCapabilities

# A slash parts hotwords, and a number behind a colon is the score of one.
_RESERVED = re.compile(r"[/:\s]+")


def new_stream(recognizer: Any, request: RecognitionRequest, capabilities: RecognizerCapabilities) -> Any:
    """A stream of the recognizer for the request, with its hotwords if the model can use them."""
    hotwords = joined_hotwords(request.options.hotwords) if capabilities.hotwords else ""
    return recognizer.create_stream(hotwords=hotwords) if hotwords else recognizer.create_stream()


def joined_hotwords(hotwords: tuple[str, ...]) -> str:
    """All of them, parted by slashes; signs that mean something there become spaces."""
    return "/".join(cleaned for hotword in hotwords if (cleaned := _RESERVED.sub(" ", hotword).strip()))
