"""Which models can be asked for: the one that is loaded, and the name that tools for OpenAI have built in."""

from typing import Any

from fastapi import APIRouter

from asr_service.app.api.dependencies import ApiServices, Services
from asr_service.app.dto.openai import ErrorResponse, ModelList, ModelResponse
from asr_service.shared.errors import NotFound

WHISPER_1 = "whisper-1"  # hard-coded in many tools, such as n8n and Open WebUI
router = APIRouter(prefix="/v1/models", tags=["openai"])
NO_SUCH_MODEL: dict[int | str, dict[str, Any]] = {404: {"model": ErrorResponse, "description": "No such model"}}


class ModelNotFound(NotFound):
    """No model of this name is loaded."""

    code = "model_not_found"


@router.get("", summary="List the models")
async def list_models(services: Services) -> ModelList:
    return ModelList(data=[_model(services, name) for name in (services.recognizer.capabilities.model, WHISPER_1)])


@router.get("/{model}", summary="Get one model", responses=NO_SUCH_MODEL)
async def get_model(services: Services, model: str) -> ModelResponse:
    check_model(services, model)
    return _model(services, model)


def check_model(services: ApiServices, name: str) -> None:
    """Refuses a model that is not loaded.

    Raises:
        ModelNotFound: It is neither the loaded one nor its alias.
    """
    loaded = services.recognizer.capabilities.model
    if name not in (loaded, WHISPER_1):
        raise ModelNotFound(f"The model {name[:80]!r} does not exist.", hint=f"Use {loaded} or {WHISPER_1}.")


def _model(services: ApiServices, name: str) -> ModelResponse:
    return ModelResponse(id=name, created=services.started_at_s, owned_by=services.recognizer.capabilities.engine)
