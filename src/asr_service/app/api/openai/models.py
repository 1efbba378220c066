"""``/v1/models``: the model that is loaded, under its own name and those that clients of OpenAI are set to."""

from typing import Annotated

from fastapi import APIRouter, Path

from asr_service.app.api.dependencies import ApiServices, Services
from asr_service.app.api.openai.documentation import answer, failures
from asr_service.app.dto.openai import ModelList, ModelResponse
from asr_service.shared.errors import NotFound

WHISPER_1 = "whisper-1"
ALIASES = (WHISPER_1, "gpt-transcribe", "gpt-4o-transcribe", "gpt-4o-mini-transcribe")
"""Hard-coded in many tools, such as n8n and Open WebUI, or their first choice."""

router = APIRouter(prefix="/v1/models", tags=["openai"])
_EXAMPLE = {"id": "whisper-1", "object": "model", "created": 1763971200, "owned_by": "faster-whisper"}
_LIST = answer("The models", {"object": "list", "data": [_EXAMPLE]})
_ONE = answer("The model", _EXAMPLE)
ModelName = Annotated[str, Path(description="one of the names in the list", examples=["whisper-1"])]


class ModelNotFound(NotFound):
    """No model of this name is loaded."""

    code = "model_not_found"


@router.get("", summary="List the models", responses=_LIST | failures(500))
async def list_models(services: Services) -> ModelList:
    """The loaded model, and the names under which clients of OpenAI may ask for it."""
    return ModelList(data=[_model(services, name) for name in (services.recognizer.capabilities.model, *ALIASES)])


@router.get("/{model}", summary="Get one model", responses=_ONE | failures(404, 500))
async def get_model(services: Services, model: ModelName) -> ModelResponse:
    """One of the names in the list."""
    check_model(services, model)
    return _model(services, model)


def check_model(services: ApiServices, name: str) -> None:
    """Refuses a model that is not loaded.

    Raises:
        ModelNotFound: It is neither the loaded one nor an alias.
    """
    loaded = services.recognizer.capabilities.model
    if name not in (loaded, *ALIASES):
        raise ModelNotFound(f"The model {name[:80]!r} does not exist.", hint=f"Use {loaded} or {WHISPER_1}.")


def _model(services: ApiServices, name: str) -> ModelResponse:
    return ModelResponse(id=name, created=services.started_at_s, owned_by=services.recognizer.capabilities.engine)
