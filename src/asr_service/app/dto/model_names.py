"""The names under which clients of OpenAI ask for the model that is loaded."""

import re

from asr_service.shared.errors import InvalidRequest

WHISPER_1 = "whisper-1"
ALIASES = (WHISPER_1, "gpt-transcribe", "gpt-4o-transcribe", "gpt-4o-mini-transcribe")
"""Hard-coded in many tools, such as n8n and Open WebUI, or their first choice."""

DIARIZING_ALIAS = "gpt-4o-transcribe-diarize"
"""OpenAI's model that tells speakers apart: another name of the loaded one where speakers can be told apart."""

# Names that only Realtime clients are set to: of models that transcribe, and of those that converse, in a connection's
# address. The latter are no wish for a model of transcription: conversations are used here for their transcripts alone.
_LIVE_ALIASES = ("gpt-live-transcribe", "gpt-realtime-whisper")
_CONVERSATION = re.compile(r"gpt-(?:4o-(?:mini-)?)?realtime(?:-(?:mini|preview|\d)[\w.-]*)?")
_DATE = re.compile(r"-\d{4}-\d{2}-\d{2}$")  # of a snapshot of a model


class ModelNotFound(InvalidRequest):
    """No model of this name is loaded."""

    code = "model_not_found"


def check_model_name(
    name: str, loaded: str, *, live: bool = False, diarizing: bool = False, field: str | None = None
) -> None:
    """Refuses a name that does not stand for the loaded model.

    Raises:
        ModelNotFound: It is neither the loaded model's nor an alias; ``live``: those of Realtime clients count too;
            ``diarizing``: so does that of the model that tells speakers apart.
    """
    undated = _DATE.sub("", name)
    if name == loaded or undated in ALIASES or (live and undated in _LIVE_ALIASES):
        return
    if diarizing and undated == DIARIZING_ALIAS:
        return
    raise ModelNotFound(f"The model {name[:80]!r} does not exist.", field=field, hint=f"Use {loaded} or {WHISPER_1}.")


def ends_by_commits(name: str) -> bool:
    """Whether OpenAI's model of this name has no turn detection, so that its clients commit each item."""
    return _DATE.sub("", name) in _LIVE_ALIASES


def converses(name: str) -> bool:
    """Whether the name is that of one of OpenAI's models for spoken conversations."""
    return _CONVERSATION.fullmatch(name) is not None
