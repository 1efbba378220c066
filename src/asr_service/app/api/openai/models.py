"""``/v1/models``: the models that can be asked for, by their own names and by those that clients of OpenAI are set to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, Path

from asr_service.app.api.dependencies import ApiServices, Services
from asr_service.app.api.openai.documentation import answer, failures
from asr_service.app.dto.model_names import ALIASES, DIARIZING_ALIAS, WHISPER_1, named_model, not_found
from asr_service.app.dto.openai import ModelList, ModelResponse
from asr_service.domain.ports.recognizer_directory import LeasedRecognizer, LineupStatus, LineupUnknown
from asr_service.domain.value_objects.caller import Caller
from asr_service.shared.identifiers import new_id

router = APIRouter(prefix="/v1/models", tags=["openai"])
_EXAMPLE = {"id": "whisper-1", "object": "model", "created": 1763971200, "owned_by": "faster-whisper"}
_LIST = answer("The models", {"object": "list", "data": [_EXAMPLE]})
_ONE = answer("The model", _EXAMPLE)
_NOT_LOADED = "asr-service"  # nobody has asked the engine for its name yet
ModelName = Annotated[str, Path(description="one of the names in the list", examples=["whisper-1"])]


@router.get("", summary="List the models", responses=_LIST | failures(500))
async def list_models(services: Services) -> ModelList:
    """The models of the service, and the names under which clients of OpenAI may ask for whichever they get.

    `gpt-4o-transcribe-diarize` is among them where speakers can be told apart.
    """
    return ModelList(data=[_response(services, name, engine) for name, engine in (await _owners(services)).items()])


@router.get("/{model}", summary="Get one model", responses=_ONE | failures(404, 500))
async def get_model(services: Services, model: ModelName) -> ModelResponse:
    """One of the names in the list."""
    owners = await _owners(services)
    wanted = named_model(model, diarizing=services.transcription.tells_speakers_apart)
    if wanted is None:
        return _response(services, model, owners[WHISPER_1])
    return _response(services, model, owners[model] if model in owners else owners[_resolved(services, wanted)])


@asynccontextmanager
async def leased_model(services: ApiServices, caller: Caller, name: str) -> AsyncIterator[LeasedRecognizer]:
    """The recognizer that a request asks for by name; it stays while the block runs.

    Raises:
        ModelNotFound: The name stands for nothing.
        AsrError: It cannot be had now; see ``RecognizerDirectory.lease``.
    """
    wanted = named_model(name, diarizing=services.transcription.tells_speakers_apart)
    if wanted is not None:
        _resolved(services, wanted)
    async with services.recognizers.lease(caller, wanted, new_id("req")) as leased:
        yield leased


def _resolved(services: ApiServices, name: str) -> str:
    try:
        return services.recognizers.resolve(name)
    except LineupUnknown:
        raise not_found(name) from None


async def _owners(services: ApiServices) -> dict[str, str]:
    """The names in the list, with the engine behind each as far as it is loaded: the default's first."""
    lineups = {lineup.name: lineup for lineup in await services.recognizers.list_lineups()}
    default = lineups.pop(next(name for name, lineup in lineups.items() if lineup.is_default))
    engine = _engine(default)
    diarizing = (DIARIZING_ALIAS,) if services.transcription.tells_speakers_apart else ()
    owners = {default.models.finals: engine} | dict.fromkeys((*ALIASES, *diarizing), engine)
    return owners | {default.name: engine} | {name: _engine(lineup) for name, lineup in lineups.items()}


def _engine(lineup: LineupStatus) -> str:
    return _NOT_LOADED if lineup.capabilities is None else lineup.capabilities.engine


def _response(services: ApiServices, name: str, engine: str) -> ModelResponse:
    return ModelResponse(id=name, created=services.started_at_s, owned_by=engine)
