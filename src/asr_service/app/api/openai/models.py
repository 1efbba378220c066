"""Which models can be asked for: the one that is loaded, by its own name and those that clients of OpenAI are set to."""

from typing import Any

from fastapi import APIRouter

from asr_service.app.api.dependencies import ApiServices, Services
from asr_service.app.dto.model_names import ALIASES, check_model_name
from asr_service.app.dto.openai import ErrorResponse, ModelList, ModelResponse

router = APIRouter(prefix="/v1/models", tags=["openai"])
NO_SUCH_MODEL: dict[int | str, dict[str, Any]] = {404: {"model": ErrorResponse, "description": "No such model"}}


@router.get("", summary="List the models")
async def list_models(services: Services) -> ModelList:
    return ModelList(data=[_model(services, name) for name in (services.recognizer.capabilities.model, *ALIASES)])


@router.get("/{model}", summary="Get one model", responses=NO_SUCH_MODEL)
async def get_model(services: Services, model: str) -> ModelResponse:
    check_model(services, model)
    return _model(services, model)


def check_model(services: ApiServices, name: str) -> None:
    """Refuses a model that is not loaded.

    Raises:
        ModelNotFound: It is neither the loaded one nor an alias.
    """
    check_model_name(name, services.recognizer.capabilities.model)


def _model(services: ApiServices, name: str) -> ModelResponse:
    return ModelResponse(id=name, created=services.started_at_s, owned_by=services.recognizer.capabilities.engine)
