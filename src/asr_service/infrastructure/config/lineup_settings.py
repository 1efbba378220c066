"""The section of the settings about lineups: several recognizers by name, and who gets which."""

from collections.abc import Iterator
from typing import Annotated, Final

from pydantic import Field, ValidationError, model_validator

from asr_service.infrastructure.config.field_kinds import Names, NamesByName, Tables, Told
from asr_service.infrastructure.config.sections import BYTES_PER_MB, RecognizerSettings, Section

DEFAULT_LINEUP: Final = "default"
"""The lineup that the section recognizer describes."""

# Of a model itself, so what the section recognizer says of its own model says nothing of another.
_OF_THE_MODEL: Final = (
    "model",
    "model_directory",
    "engine",
    "architecture",
    "languages",
    "partials_model",
    "fallback_model",
    "punctuation_model",
    "remote",
    "shadow_share",
)
_NOT_HERE: Final = ("preset", "remote")  # they hold for the whole installation


class LineupSettings(Section):
    """Several recognizers at once, by name: the one of the section recognizer is called default."""

    named: Tables = Field(
        default={},
        description="Further lineups by name, each with keys of the section recognizer: model, and what else is to be "
        "otherwise than there.",
    )
    default: str = Field(default=DEFAULT_LINEUP, description="Name of the lineup that sessions get.")
    tenants: NamesByName = Field(default={}, description="Lineups of single tenants, in place of the default.")
    canary: str = Field(
        default="", description="Name of a lineup that is tried out in place of the default; empty: none is."
    )
    canary_share: float = Field(default=0.0, ge=0, le=1, description="Share of the new sessions that the canary gets.")
    warm: Names = Field(default=(), description="Lineups that are loaded at the start; others when they are asked for.")
    pinned: Names = Field(
        default=(), description="Lineups that are loaded at the start, and never unloaded to make room."
    )
    memory_budget_mb: Annotated[int, Told(default="unlimited")] = Field(
        default=0,
        ge=0,
        le=1_048_576,
        description="Memory that the workers of all lineups may take, in MB; lineups that nobody uses make room. 0: no limit.",
    )
    load_wait_s: float = Field(
        default=20.0, ge=0, le=600, description="Seconds that a session waits while its lineup is loaded."
    )
    changes_allowed: bool = Field(
        default=False,
        description="Whether whoever reaches the service may load and unload lineups and route sessions, by /api/v1/models.",
    )

    @property
    def memory_budget_bytes(self) -> int | None:
        """``None``: there is none."""
        return self.memory_budget_mb * BYTES_PER_MB or None

    @property
    def names(self) -> tuple[str, ...]:
        """All lineups, the default first."""
        return (DEFAULT_LINEUP, *self.named)

    def recognizer(self, name: str, main: RecognizerSettings) -> RecognizerSettings:
        """What a lineup is made of.

        Args:
            name: One of ``names``.
            main: The section recognizer; what a lineup does not say is as there, but for what is about the model itself.

        Raises:
            ValidationError: Values are wrong; ``problems`` tells of them when the settings are read.
        """
        if name == DEFAULT_LINEUP:
            return main
        inherited = main.model_dump(exclude=set(_OF_THE_MODEL))
        return RecognizerSettings(**{**inherited, **self.named[name]})

    def problems(self, main: RecognizerSettings) -> Iterator[tuple[str, str]]:
        """What is wrong with the lineups, each as a key of this section and a complaint."""
        for name, own in self.named.items():
            if not own.get("model"):
                yield "named", f"must say the model of {name}."
            elif misplaced := [key for key in _NOT_HERE if key in own]:
                yield "named", f"cannot have a {misplaced[0]} for {name}: that holds for the whole installation."
            else:
                yield from self._wrong_values(name, main)
        for key, used in self._references():
            if used not in self.names:
                yield key, f"names {used!r}, which is no lineup; there are: {', '.join(self.names)}."

    def _wrong_values(self, name: str, main: RecognizerSettings) -> Iterator[tuple[str, str]]:
        try:
            self.recognizer(name, main)
        except ValidationError as error:
            for details in error.errors(include_url=False):
                where = ".".join(map(str, (name, *details["loc"])))
                yield "named", f"is wrong at {where}: {details['msg']}."

    def _references(self) -> Iterator[tuple[str, str]]:
        yield "default", self.default
        yield from (("tenants", name) for name in self.tenants.values())
        yield from (("warm", name) for name in self.warm)
        yield from (("pinned", name) for name in self.pinned)
        if self.canary:
            yield "canary", self.canary

    @model_validator(mode="after")
    def _check_canary(self) -> "LineupSettings":
        if self.canary_share and not self.canary:
            raise ValueError("canary_share is of no use without canary")
        return self
