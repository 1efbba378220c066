"""The names under which clients of OpenAI ask for whichever model there is."""

import re

from asr_service.shared.errors import InvalidRequest

WHISPER_1 = "whisper-1"
ALIASES = (WHISPER_1, "gpt-transcribe", "gpt-4o-transcribe", "gpt-4o-mini-transcribe")
"""Hard-coded in many tools, such as n8n and Open WebUI, or their first choice."""

DIARIZING_ALIAS = "gpt-4o-transcribe-diarize"
"""OpenAI's model that tells speakers apart: one more name for whichever there is where speakers can be told apart."""

# Names that only Realtime clients are set to: of models that transcribe, and of those that converse, in a connection's
# address. The latter are no wish for a model of transcription: conversations are used here for their transcripts alone.
_LIVE_ALIASES = ("gpt-live-transcribe", "gpt-realtime-whisper")
_CONVERSATION = re.compile(r"gpt-(?:4o-(?:mini-)?)?realtime(?:-(?:mini|preview|\d)[\w.-]*)?")
_DATE = re.compile(r"-\d{4}-\d{2}-\d{2}$")  # of a snapshot of a model


class ModelNotFound(InvalidRequest):
    """No model of this name can be had."""

    code = "model_not_found"


def not_found(name: str, *, field: str | None = None) -> ModelNotFound:
    """The complaint about a name that stands for nothing."""
    hint = f"Use {WHISPER_1}, or a name of /v1/models."
    return ModelNotFound(f"The model {name[:80]!r} does not exist.", field=field, hint=hint)


def named_model(name: str | None, *, live: bool = False, diarizing: bool = False) -> str | None:
    """The model that a client insists on; ``None``: whichever it gets, by an alias or by saying nothing.

    Args:
        name: As the client wrote it.
        live: Those aliases count too that only Realtime clients are set to, and the models for conversations.
        diarizing: The alias counts too that asks for speakers.
    """
    undated = _DATE.sub("", name or "")
    if not name or undated in ALIASES or (live and (undated in _LIVE_ALIASES or converses(name))):
        return None
    if diarizing and undated == DIARIZING_ALIAS:
        return None
    return name


def ends_by_commits(name: str) -> bool:
    """Whether OpenAI's model of this name has no turn detection, so that its clients commit each item."""
    return _DATE.sub("", name) in _LIVE_ALIASES


def converses(name: str) -> bool:
    """Whether the name is that of one of OpenAI's models for spoken conversations."""
    return _CONVERSATION.fullmatch(name) is not None
