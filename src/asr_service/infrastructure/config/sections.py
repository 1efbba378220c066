"""The sections of the settings. Defaults that the domain already has are taken from there."""

from typing import Annotated, Final, Literal, Self

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from asr_service.domain.value_objects.asr_config import (
    Casing,
    EndpointingPolicy,
    Numbers,
    PartialPolicy,
    RecognitionOptions,
)
from asr_service.infrastructure.config.field_kinds import (
    Chunk,
    DatabaseUrl,
    Directories,
    Directory,
    EventsUrl,
    File,
    JournalUrl,
    Languages,
    LowerCase,
    Networks,
    Origins,
    Told,
)

APPLICATION: Final = "asr-service"  # the user's directories are named after it
BYTES_PER_MB: Final = 1 << 20

_ENDPOINTING: Final = EndpointingPolicy()
_PARTIALS: Final = PartialPolicy()


class Section(BaseModel):
    """A group of settings; immutable, and strict about names."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class ServerSettings(Section):
    """Where the service listens, and what it accepts. 1 MB is 1,048,576 bytes."""

    host: str = Field(
        default="127.0.0.1", min_length=1, description="Address to listen on; 0.0.0.0 or :: for all of them."
    )
    port: int = Field(default=8000, ge=0, le=65_535, description="TCP port to listen on; 0 lets the system choose one.")
    trusted_proxies: Networks = Field(
        default=("127.0.0.1", "::1"),
        description="Reverse proxies whose X-Forwarded-For and X-Forwarded-Proto headers are believed.",
    )
    cors_origins: Origins = Field(
        default=(), description="Web sites whose pages may call the service; empty: its own only."
    )
    max_upload_mb: int = Field(
        default=1024, ge=1, le=65_536, description="Largest file that may be sent, by HTTP or a WebSocket, in MB."
    )
    ws_max_message_mb: int = Field(
        default=16,
        ge=16,
        le=1024,
        description="Largest WebSocket message, in MB; some clients send a whole utterance in one.",
    )
    idle_timeout_s: float = Field(
        default=120.0,
        ge=60,
        le=86_400,
        description="Seconds without anything from the client until a WebSocket is closed.",
    )
    send_timeout_s: float = Field(
        default=30.0,
        ge=1,
        le=600,
        description="Seconds that a client may leave a message unread until its WebSocket is closed.",
    )
    ws_ping_interval_s: float = Field(
        default=20.0, ge=1, le=600, description="Seconds between pings, which keep proxies from closing a WebSocket."
    )
    ws_ping_timeout_s: float = Field(
        default=120.0,
        ge=1,
        le=3_600,
        description="Seconds without the answer to a ping until a WebSocket is closed. It waits behind the audio.",
    )
    drain_deadline_s: float = Field(
        default=60.0,
        ge=0,
        le=3_600,
        description="Seconds until texts that are owed after the end of the audio, or of the service, are given up.",
    )
    max_sessions: int = Field(
        default=64,
        ge=1,
        le=100_000,
        description="Live sessions and files in progress at once; more are refused, to try later.",
    )
    max_sessions_per_tenant: int = Field(
        default=0,
        ge=0,
        le=100_000,
        description="Live sessions of one tenant at once, on all servers that share events.url; 0: no limit of its own.",
    )
    max_load: float = Field(
        default=0.85,
        ge=0,
        le=10,
        description="Share of the recognizer's time up to which live sessions are let in; 0: however busy it is.",
    )

    idempotency_ttl_s: float = Field(
        default=600.0,
        ge=0,
        le=86_400,
        description="Seconds that an answer is kept in memory for requests repeated under the same Idempotency-Key; 0: "
        "such keys are ignored.",
    )

    @property
    def max_upload_bytes(self) -> int:
        return self.max_upload_mb * BYTES_PER_MB

    @property
    def ws_max_message_bytes(self) -> int:
        return self.ws_max_message_mb * BYTES_PER_MB


class RecognizerSettings(Section):
    """The models that turn speech into text, and the processes that they run in."""

    preset: Literal["fast", "balanced", "accurate", "funasr-zh"] = Field(
        default="balanced", description="Bundle of settings; it holds for those that are set nowhere else."
    )
    model: str = Field(
        default="whisper-base", min_length=1, description="Name of the model; `asr-service models list` shows all."
    )
    model_directory: Directory | None = Field(
        default=None, description="Directory of a converted model, to be used in place of the named one; empty: none."
    )
    engine: Annotated[str, Told(default="what the catalogue says; faster-whisper for model_directory")] = Field(
        default="", description="Name of the engine that runs the model."
    )
    architecture: Annotated[str, Told(default="what the catalogue says, or the engine sees")] = Field(
        default="",
        description="What the files of model_directory are, in the words of the engine; docs/engines.md has them.",
    )
    languages: Languages = Field(
        default=(), description="Languages that the model of model_directory knows, where its files do not say so."
    )
    partials_model: str = Field(
        default="",
        description="Name of a smaller model for partials of the languages that it knows; empty: the same for all.",
    )
    fallback_model: str = Field(
        default="",
        description="Name of a model for finals that the other one fails on or has no room for; empty: none.",
    )
    punctuation_model: str = Field(
        default="",
        description="Name of a model that puts punctuation into finals of the engine funasr that have none; empty: none.",
    )
    streaming_chunk: Chunk = Field(
        default=(0, 10, 5),
        description="How a streaming Paraformer goes through the audio: frames of 60 ms before, in and after a chunk.",
    )
    encoder_look_back: int = Field(
        default=4, ge=0, le=100, description="Chunks that the encoder of a streaming Paraformer looks back."
    )
    decoder_look_back: int = Field(
        default=1, ge=0, le=100, description="Chunks that the decoder of a streaming Paraformer looks back."
    )
    remote: Literal["off", "main", "fallback"] = Field(
        default="off",
        description="Whether the server of the section remote recognizes: main: in place of model, with fallback_model, if "
        "any, to fall back on; fallback: what model fails on or has no room for.",
    )
    shadow_share: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share of the finals that are also given to what is there to fall back on, for the metrics to compare the "
        "texts; clients notice nothing.",
    )
    device: Literal["cpu", "cuda", "auto"] = Field(
        default="cpu", description="Where the model runs; auto: GPU if there is one."
    )
    compute_type: Annotated[
        Literal[
            "auto", "int8", "int8_float32", "int8_float16", "int8_bfloat16", "int16", "float16", "bfloat16", "float32"
        ]
        | None,
        Told(default="int8 on a CPU, int8_float16 on a GPU"),
    ] = Field(default=None, description="Arithmetic of the models; auto: the fastest that the device has.")
    workers: int = Field(
        default=0,
        ge=0,
        le=256,
        description="Worker processes, each with the model in memory; 0: as many as the CPU quota allows, or one on "
        "each GPU.",
    )
    partials_workers: int = Field(
        default=0,
        ge=0,
        le=256,
        description="Worker processes of the model for partials, if there is one; 0: half of those that the CPU quota "
        "allows, or one on each GPU.",
    )
    threads_per_worker: int = Field(default=1, ge=1, le=256, description="CPU threads of each worker.")
    beam_size: int = Field(
        default=5, ge=1, le=16, description="Width of the search for finals; 1 is greedy. A wider one costs CPU time."
    )
    context_floor_s: float = Field(
        default=8.0,
        ge=1,
        le=30,
        description="Seconds that a model hears at least, silence added; `make context` finds the value for a model.",
    )
    context_tail_s: float = Field(
        default=3.0,
        ge=0,
        le=10,
        description="Seconds of silence that a model hears at least after the speech; from `make context` as well.",
    )
    finals_context_s: float = Field(
        default=10.0,
        ge=10,
        le=30,
        description="Seconds that a model hears at least for a final, silence added. Whisper was trained on 30; they cost "
        "CPU time.",
    )
    max_batch: int = Field(
        default=8, ge=1, le=64, description="Most requests that are recognized at once in one worker."
    )
    max_waiting: int = Field(
        default=512,
        ge=1,
        le=100_000,
        description="Requests that may wait for a worker; more are refused.",
    )
    memory_ceiling_mb: int = Field(
        default=8192,
        ge=0,
        le=1_048_576,
        description="A worker that has grown over so many MB, more than the model needs, is replaced; 0: never.",
    )
    hang_timeout_s: float = Field(
        default=10.0,
        ge=1,
        le=3_600,
        description="Seconds for a batch, besides those its audio lasts, until its worker is replaced as hung.",
    )

    @property
    def memory_ceiling_bytes(self) -> int | None:
        """``None``: there is no ceiling."""
        return self.memory_ceiling_mb * BYTES_PER_MB or None

    @property
    def separate_partials_model(self) -> str | None:
        """The model for partials; ``None``: they have none of their own."""
        return self.partials_model if self.partials_model not in ("", self.model) else None

    @property
    def catalogue_models(self) -> list[str]:
        """Every model that is needed from the catalogue, each once."""
        model = "" if self.remote == "main" else self.model
        named = dict.fromkeys((model, self.partials_model, self.fallback_model, self.punctuation_model))
        own = self.model if self.model_directory is not None else ""
        return [name for name in named if name not in ("", own)]

    @property
    def local(self) -> "RecognizerSettings | None":
        """What runs in worker processes here; ``None``: nothing does, since the remote server does everything.

        Where the server recognizes, the model to fall back on has all the workers, and needs nothing to fall back on.
        """
        if self.remote != "main":
            return self
        if not self.fallback_model:
            return None
        directory = self.model_directory if self.fallback_model == self.model else None
        changes = {"remote": "off", "shadow_share": 0.0, "fallback_model": "", "model_directory": directory}
        return self.model_copy(update={**changes, "model": self.fallback_model})

    def arithmetic(self, device: str) -> str:
        """The compute type on a device, ``cpu`` or ``cuda``.

        Half precision for what int8 leaves out is what GPUs are built for; a CPU would emulate it.
        """
        return self.compute_type or ("int8_float16" if device == "cuda" else "int8")

    @model_validator(mode="after")
    def _check_fallback(self) -> Self:
        if self.fallback_model and self.fallback_model == self.model and self.remote != "main":
            raise ValueError("fallback_model must be another model than model, or empty")
        if self.fallback_model and self.remote == "fallback":
            raise ValueError("fallback_model must be empty where the remote server is what there is to fall back on")
        if self.partials_model and self.remote == "main" and not self.fallback_model:
            raise ValueError("partials_model beside a remote server needs a fallback_model")
        if self.shadow_share and not self.fallback_model and self.remote != "fallback":
            raise ValueError("shadow_share needs something to fall back on: fallback_model, or remote: fallback")
        return self


class VadSettings(Section):
    """The detector of voice activity."""

    engine: Literal["silero", "fsmn"] = Field(
        default="silero",
        description="Silero, or FunASR's FSMN-VAD, which needs the extra funasr and looks at streams singly.",
    )
    threads: int = Field(default=1, ge=1, le=64, description="CPU threads for the detector.")
    max_batch: int = Field(default=128, ge=1, le=1024, description="Most sessions whose audio is looked at in one go.")
    max_waiting: int = Field(
        default=1024,
        ge=1,
        le=100_000,
        description="Sessions whose audio may wait for the detector; with more, the rest are not read from meanwhile.",
    )

    @property
    def model(self) -> str:
        """The detector's model in the catalogue."""
        return {"silero": "silero-vad", "fsmn": "fsmn-vad"}[self.engine]


class EndpointingSettings(Section):
    """When an utterance begins and ends, unless a client chooses otherwise for its session."""

    threshold: float = Field(
        default=_ENDPOINTING.threshold,
        ge=0.15,
        le=0.95,
        description="Probability of speech from which on audio is speech.",
    )
    silence_ms: int = Field(
        default=_ENDPOINTING.silence_ms, ge=100, le=10_000, description="Milliseconds of silence that end an utterance."
    )
    min_speech_ms: int = Field(
        default=_ENDPOINTING.min_speech_ms, ge=32, le=2_000, description="Less speech than this, in ms, is a click."
    )
    max_utterance_ms: int = Field(
        default=_ENDPOINTING.max_utterance_ms,
        ge=2_000,
        le=28_000,
        description="An utterance longer than this, in ms, is cut where it is quietest; at least twice "
        "prefix_padding_ms + min_speech_ms.",
    )
    prefix_padding_ms: int = Field(
        default=_ENDPOINTING.prefix_padding_ms,
        ge=0,
        le=1_000,
        description="Milliseconds of audio kept before the first speech.",
    )
    sentence_silence_ms: int | None = Field(
        default=_ENDPOINTING.sentence_silence_ms,
        ge=100,
        le=10_000,
        description="Milliseconds of silence that end a complete sentence, at most silence_ms; endpoints then depend on "
        "how fast the recognizer answers. Without it, punctuation ends nothing.",
    )

    def policy(self) -> EndpointingPolicy:
        """The same, as the domain knows it."""
        return EndpointingPolicy(**self.model_dump())

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        self.policy()
        return self


class PartialSettings(Section):
    """Text while somebody speaks, unless a client chooses otherwise for its session."""

    enabled: bool = Field(default=_PARTIALS.enabled, description="Whether partial texts are sent.")
    interval_ms: int = Field(
        default=_PARTIALS.interval_ms,
        ge=100,
        le=10_000,
        description="Milliseconds of audio from one partial to the next while there is time to spare.",
    )
    max_interval_ms: int = Field(
        default=_PARTIALS.max_interval_ms,
        ge=100,
        le=10_000,
        description="The same under full load; not above interval_ms: the load makes no difference.",
    )

    def policy(self) -> PartialPolicy:
        """The same, as the domain knows it."""
        return PartialPolicy(**self.model_dump())


class TextSettings(Section):
    """What is made of recognized texts, unless a session asks for something else."""

    numbers: Numbers = Field(
        default=Numbers.AS_RECOGNIZED, description="How numbers are written; written needs the extra asr-service[text]."
    )
    casing: Casing = Field(default=Casing.AS_RECOGNIZED, description="Where capital letters stand.")
    masked_words: File | None = Field(
        default=None, description="File of words to mask for everybody, one on each line; empty: none."
    )
    masked_words_directory: Directory | None = Field(
        default=None, description="Directory with a file <tenant>.txt for each tenant with more of them; empty: none."
    )
    unmasking: bool = Field(default=False, description="Whether a client may have nothing masked.")

    def options(self) -> RecognitionOptions:
        """What holds for sessions that do not say."""
        return RecognitionOptions(numbers=self.numbers, casing=self.casing)


class AudioSettings(Section):
    """What is accepted as audio."""

    max_file_hours: float = Field(
        default=6.0, gt=0, le=240, description="Longest recording that is accepted, in hours."
    )


class ModelSettings(Section):
    """Where models are kept, and where they come from."""

    cache_directory: Annotated[Directory, Told(default=f"{APPLICATION} in the user's cache directory")] = Field(
        default_factory=lambda: platformdirs.user_cache_path(APPLICATION),
        description="Downloaded models and recordings are kept here.",
    )
    local_directories: Directories = Field(
        default=(), description="Directories that are searched before anything is downloaded."
    )
    catalogue: File | None = Field(
        default=None,
        description="A catalogue of your own, after the built-in one; `asr-service models lock` writes entries for it.",
    )
    offline: bool = Field(default=False, description="Whether downloads are forbidden; models must be there already.")


class DatabaseSettings(Section):
    """Where sessions and their texts are stored."""

    url: DatabaseUrl = Field(
        default_factory=lambda: SecretStr(f"sqlite:///{platformdirs.user_data_path(APPLICATION) / 'asr.db'}"),
        description="Address of the database. Production wants it said.",
    )
    pool_size: int = Field(default=5, ge=1, le=1_000, description="Most connections to the database at once.")
    timeout_s: float = Field(
        default=5.0,
        gt=0,
        le=600,
        description="Longest wait for a connection, for a lock and for an answer, in seconds each.",
    )


class JournalSettings(Section):
    """What is kept of live sessions, so that they outlive their connection and their server."""

    enabled: bool = Field(default=True, description="Whether live sessions can be resumed.")
    url: JournalUrl = Field(
        default=SecretStr(""),
        description="Address of a Redis that keeps them; several servers share it, or one database of PostgreSQL.",
    )
    expires_s: float = Field(
        default=600.0,
        ge=10,
        le=86_400,
        description="Seconds that a session can be resumed after the last that was kept of it.",
    )
    wait_ms: int = Field(
        default=100,
        ge=0,
        le=5_000,
        description="Milliseconds that a final waits to be kept; after that it is told all the same, as not durable.",
    )

    @property
    def wait_s(self) -> float:
        return self.wait_ms / 1_000


class EventSettings(Section):
    """What several servers share beside the database: events, who is alive, cancellations, quotas."""

    url: EventsUrl = Field(
        default=SecretStr(""),
        description="Address of a Redis through which servers share events; it holds texts until they are trimmed.",
    )
    max_events: int = Field(
        default=100_000,
        ge=1_000,
        le=100_000_000,
        description="About so many events are kept in that Redis; the oldest go first, stored or not.",
    )


class LogSettings(Section):
    """What is logged, and how. Texts, audio and secrets never are."""

    level: LowerCase[Literal["debug", "info", "warning", "error", "critical"]] = Field(
        default="info", description="Lowest level that is shown."
    )
    format: Literal["auto", "console", "json"] = Field(
        default="auto", description="Form of the lines; auto: json in staging and production, else console."
    )


class MetricsSettings(Section):
    """Metrics for Prometheus."""

    enabled: bool = Field(default=True, description="Whether /metrics is served.")


class ApiDocsSettings(Section):
    """The description of the REST API."""

    enabled: bool = Field(
        default=True, description="Whether the OpenAPI document and the page that shows it are served."
    )


class FunasrSettings(Section):
    """The WebSocket protocol of FunASR."""

    enabled: bool = Field(default=True, description="Whether FunASR clients are served, at /, /ws and /wss/.")
    offline_label: Literal["offline", "2pass-offline"] = Field(
        default="offline",
        description="The mode that results of mode offline name. The Go client requires offline; funasr-client keeps "
        "2pass-offline only.",
    )
    port: int = Field(
        default=0,
        ge=0,
        le=65_535,
        description="A further TCP port where FunASR is spoken at any path, usually 10095; 0: none.",
    )
    tls_certificate: File | None = Field(
        default=None, description="PEM file with the certificate of that port, and its chain; empty: no TLS there."
    )
    tls_key: File | None = Field(default=None, description="PEM file with the private key of the certificate.")

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key are needed both, or neither")
        return self


class VoskSettings(Section):
    """The WebSocket protocol of vosk-server."""

    enabled: bool = Field(default=False, description="Whether clients of vosk-server are served, at /vosk.")
    port: int = Field(
        default=0,
        ge=0,
        le=65_535,
        description="A further TCP port where they are served at any path, usually 2700; 0: none.",
    )


class WyomingSettings(Section):
    """The TCP protocol of Home Assistant."""

    enabled: bool = Field(default=False, description="Whether Wyoming clients, such as Home Assistant, are served.")
    host: str = Field(
        default="127.0.0.1", min_length=1, description="Address to listen on; 0.0.0.0 or :: for all of them."
    )
    port: int = Field(
        default=10_300, ge=0, le=65_535, description="TCP port to listen on; 0 lets the system choose one."
    )
    transcript_streaming: bool = Field(
        default=False,
        description="Whether the text of each utterance is sent as soon as it is known, besides the whole.",
    )


class DeepgramSettings(Section):
    """The WebSocket protocol of Deepgram's live transcription."""

    enabled: bool = Field(default=False, description="Whether Deepgram clients are served, at /v1/listen.")
