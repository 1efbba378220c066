"""What the native REST interface says of models, and may be told of them."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from asr_service.domain.ports.recognizer import RecognizerCapabilities
from asr_service.domain.ports.recognizer_directory import LineupState, LineupStatus
from asr_service.domain.services.lineup_routing import LineupRouting

_MAX_NAME_CHARACTERS = 200


class CapabilitiesResponse(BaseModel):
    """What an engine can do."""

    languages: list[str]
    word_times: bool
    hotwords: bool
    prompt: bool
    spoken_numbers: bool
    punctuation: bool
    casing: bool
    translation: bool
    max_seconds: float

    @classmethod
    def of(cls, capabilities: RecognizerCapabilities) -> Self:
        return cls(
            languages=sorted(capabilities.languages),
            word_times=capabilities.word_times,
            hotwords=capabilities.hotwords,
            prompt=capabilities.prompt,
            spoken_numbers=capabilities.spoken_numbers,
            punctuation=capabilities.punctuation,
            casing=capabilities.casing,
            translation=capabilities.translation,
            max_seconds=capabilities.max_seconds,
        )


class LineupResponse(BaseModel):
    """One model, or several that recognize together, under one name."""

    name: str
    model: str = Field(description="of finals, and of what no other is for")
    partials_model: str | None
    fallback_model: str | None
    state: LineupState
    default: bool = Field(description="whether sessions get it that nothing else is said of")
    pinned: bool = Field(description="whether it is never unloaded to make room")
    leases: int = Field(description="sessions and recordings that hold it")
    engine: str | None = Field(description="null while it is not loaded, as the following")
    capabilities: CapabilitiesResponse | None
    memory_bytes: int | None = Field(description="resident memory of its workers")
    failure: str | None = Field(description="code of the error that loading it ended with, or would; null: none")

    @classmethod
    def of(cls, status: LineupStatus) -> Self:
        capabilities = status.capabilities
        return cls(
            name=status.name,
            model=status.models.finals,
            partials_model=status.models.partials,
            fallback_model=status.models.fallback,
            state=status.state,
            default=status.is_default,
            pinned=status.pinned,
            leases=status.leases,
            engine=None if capabilities is None else capabilities.engine,
            capabilities=None if capabilities is None else CapabilitiesResponse.of(capabilities),
            memory_bytes=status.memory_bytes,
            failure=status.failure,
        )


class LineupPage(BaseModel):
    """All models; ``next_cursor`` is always null, since they fit on a page."""

    items: list[LineupResponse]
    next_cursor: None = None


class LineupChange(BaseModel):
    """What may be changed of a model."""

    model_config = ConfigDict(extra="forbid", strict=True)

    pinned: bool = Field(description="whether it is never unloaded to make room")


class RoutingResponse(BaseModel):
    """Who gets which model."""

    default: str
    tenants: dict[str, str] = Field(description="models of single tenants; the canary does not concern them")
    canary: str | None = Field(description="tried out in place of the default; null: none is")
    canary_share: float = Field(description="share of the new sessions that the canary gets, 0–1")

    @classmethod
    def of(cls, routing: LineupRouting) -> Self:
        return cls(
            default=routing.default,
            tenants=dict(routing.tenants),
            canary=routing.canary,
            canary_share=routing.canary_share,
        )


class RoutingChange(BaseModel):
    """What may be changed of the routing; what is left out stays."""

    model_config = ConfigDict(extra="forbid", strict=True)

    default: str = Field(default_factory=str, min_length=1, max_length=_MAX_NAME_CHARACTERS)
    tenants: dict[str, str] = Field(default_factory=dict, max_length=1_000)
    canary: str | None = Field(default=None, max_length=_MAX_NAME_CHARACTERS)
    canary_share: float = Field(default=0.0, ge=0, le=1)
