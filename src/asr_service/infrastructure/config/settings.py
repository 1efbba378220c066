"""The settings of the service: one model, from which their documentation is written as well."""

from collections.abc import Iterator, Mapping
from typing import Literal, Self

from pydantic import Field, PrivateAttr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from asr_service.infrastructure.config.environment import Environment
from asr_service.infrastructure.config.field_kinds import ANY
from asr_service.infrastructure.config.lineup_settings import LineupSettings
from asr_service.infrastructure.config.problems import InvalidSettings, Problem
from asr_service.infrastructure.config.remote_settings import RemoteSettings
from asr_service.infrastructure.config.sections import (
    ApiDocsSettings,
    AudioSettings,
    DatabaseSettings,
    DeepgramSettings,
    EndpointingSettings,
    EventSettings,
    FunasrSettings,
    JournalSettings,
    LogSettings,
    MetricsSettings,
    ModelSettings,
    PartialSettings,
    RecognizerSettings,
    ServerSettings,
    TextSettings,
    VadSettings,
    VoskSettings,
    WyomingSettings,
)
from asr_service.infrastructure.config.speaker_settings import SpeakerSettings


class Settings(BaseSettings):
    """All settings. Immutable.

    Making one reads nothing but its arguments: ``load_settings`` reads the sources, the preset among them, so that it can
    say where a value was written.

    Raises:
        InvalidSettings: The environment is production, and something is set as it is fit for a desk only; or a remote server is
            to be used, and nothing says where it is.
    """

    model_config = SettingsConfigDict(extra="forbid", frozen=True)

    environment: Environment = Field(
        default=Environment.DEVELOPMENT,
        description="What the installation is for; production refuses insecure settings.",
    )
    server: ServerSettings = Field(default_factory=ServerSettings)
    recognizer: RecognizerSettings = Field(default_factory=RecognizerSettings)
    remote: RemoteSettings = Field(default_factory=RemoteSettings)
    lineups: LineupSettings = Field(default_factory=LineupSettings)
    vad: VadSettings = Field(default_factory=VadSettings)
    endpointing: EndpointingSettings = Field(default_factory=EndpointingSettings)
    partials: PartialSettings = Field(default_factory=PartialSettings)
    text: TextSettings = Field(default_factory=TextSettings)
    speakers: SpeakerSettings = Field(default_factory=SpeakerSettings)
    audio: AudioSettings = Field(default_factory=AudioSettings)
    models: ModelSettings = Field(default_factory=ModelSettings)
    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    journal: JournalSettings = Field(default_factory=JournalSettings)
    events: EventSettings = Field(default_factory=EventSettings)
    logging: LogSettings = Field(default_factory=LogSettings)
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)
    api_docs: ApiDocsSettings = Field(default_factory=ApiDocsSettings)
    funasr: FunasrSettings = Field(default_factory=FunasrSettings)
    vosk: VoskSettings = Field(default_factory=VoskSettings)
    wyoming: WyomingSettings = Field(default_factory=WyomingSettings)
    deepgram: DeepgramSettings = Field(default_factory=DeepgramSettings)

    _sources: dict[str, str] = PrivateAttr(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    @property
    def log_format(self) -> Literal["console", "json"]:
        """The form of log lines, with ``auto`` decided."""
        if self.logging.format == "auto":
            return "json" if self.environment.read_by_machines else "console"
        return self.logging.format

    def recognizers(self) -> dict[str, RecognizerSettings]:
        """What each lineup is made of, by name."""
        return {name: self.lineups.recognizer(name, self.recognizer) for name in self.lineups.names}

    @property
    def catalogue_models(self) -> list[str]:
        """Every model that a lineup needs from the catalogue, each once."""
        needed = (name for recognizer in self.recognizers().values() for name in recognizer.catalogue_models)
        return list(dict.fromkeys(needed))

    def remember_sources(self, sources: Mapping[str, str]) -> None:
        """Keeps, for showing, where the value of each key came from; keys that are missing have their default."""
        self._sources.update(sources)

    def source_of(self, key: str) -> str:
        """Where the value of a key such as ``server.port`` came from."""
        return self._sources.get(key, "default")

    @model_validator(mode="after")
    def _check_remote(self) -> Self:
        if self.recognizer.remote != "off" and not self.remote.url:
            raise InvalidSettings([Problem("remote.url", "must be said, since recognizer.remote uses that server.")])
        return self

    @model_validator(mode="after")
    def _check_lineups(self) -> Self:
        if problems := [Problem(f"lineups.{key}", text) for key, text in self.lineups.problems(self.recognizer)]:
            raise InvalidSettings(problems)
        return self

    @model_validator(mode="after")
    def _refuse_insecure_production(self) -> Self:
        if self.environment is Environment.PRODUCTION and (problems := list(self._insecure())):
            raise InvalidSettings(problems)
        return self

    def _insecure(self) -> Iterator[Problem]:
        if "url" not in self.database.model_fields_set:
            # The default lies in the home directory of whoever runs the service: in a container it is lost with it.
            yield Problem("database.url", "must be said in production, so that texts are not kept where nobody looks.")
        if ANY in self.server.cors_origins:
            yield Problem(
                "server.cors_origins", "must name the sites in production: with * any page may use the service."
            )
        if ANY in self.server.trusted_proxies:
            yield Problem(
                "server.trusted_proxies",
                "must name the proxies, or their network, in production: with * any client may forge its address.",
            )
        if self.logging.level == "debug":
            yield Problem("logging.level", "must not be debug in production: debug lines of libraries may quote texts.")
