"""``/v1/models``: the model that is loaded, under its own name and those that clients of OpenAI are set to."""

from typing import Annotated

from fastapi import APIRouter, Path

from asr_service.app.api.dependencies import ApiServices, Services
from asr_service.app.api.openai.documentation import answer, failures
from asr_service.app.dto.model_names import ALIASES, DIARIZING_ALIAS, check_model_name
from asr_service.app.dto.openai import ModelList, ModelResponse

router = APIRouter(prefix="/v1/models", tags=["openai"])
_EXAMPLE = {"id": "whisper-1", "object": "model", "created": 1763971200, "owned_by": "faster-whisper"}
_LIST = answer("The models", {"object": "list", "data": [_EXAMPLE]})
_ONE = answer("The model", _EXAMPLE)
ModelName = Annotated[str, Path(description="one of the names in the list", examples=["whisper-1"])]


@router.get("", summary="List the models", responses=_LIST | failures(500))
async def list_models(services: Services) -> ModelList:
    """The loaded model, and the names under which clients of OpenAI may ask for it.

    `gpt-4o-transcribe-diarize` is among them where speakers can be told apart.
    """
    diarizing = (DIARIZING_ALIAS,) if services.transcription.tells_speakers_apart else ()
    names = (services.recognizer.capabilities.model, *ALIASES, *diarizing)
    return ModelList(data=[_model(services, name) for name in names])


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
    diarizing = services.transcription.tells_speakers_apart
    check_model_name(name, services.recognizer.capabilities.model, diarizing=diarizing)


def _model(services: ApiServices, name: str) -> ModelResponse:
    return ModelResponse(id=name, created=services.started_at_s, owned_by=services.recognizer.capabilities.engine)
