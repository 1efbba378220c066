"""The section of the settings about a recognition server elsewhere."""

from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from asr_service.infrastructure.config.field_kinds import Languages, Told
from asr_service.infrastructure.config.sections import Section

_SCHEMES: Final = {"funasr": ("ws", "wss"), "openai": ("http", "https")}


class RemoteSettings(Section):
    """A recognition server elsewhere; `recognizer.remote` says what it is used for."""

    protocol: Literal["funasr", "openai"] = Field(
        default="funasr",
        description="What it speaks: funasr, the WebSocket protocol of FunASR's runtime; openai, OpenAI's REST interface.",
    )
    url: str = Field(
        default="",
        description="Its address: ws://host:port or wss://host:port for funasr, https://host/v1 for openai.",
    )
    verify_tls: bool = Field(
        default=True,
        description="Whether its certificate is checked; FunASR's servers come with one that nobody trusts.",
    )
    api_key: Annotated[SecretStr, Told(allowed="text")] = Field(
        default=SecretStr(""), description="Sent to it as a bearer token; empty: none."
    )
    model_name: Annotated[str, Told(default="funasr, or whisper-1 for openai")] = Field(
        default="", description="Name of its model, which clients are told, and an OpenAI server is asked for."
    )
    languages: Annotated[Languages, Told(default="zh, en, yue, ja and ko, or those that OpenAI lists")] = Field(
        default=(), description="Languages that its model knows."
    )
    word_times: bool = Field(
        default=True,
        description="Whether it says when each word was spoken; OpenAI's models but whisper-1 do not.",
    )
    partials: bool = Field(
        default=False,
        description="Whether an OpenAI server is asked for partials too, each a request with the whole utterance so far. "
        "FunASR servers always are, by mode online.",
    )
    at_once: int = Field(default=8, ge=1, le=1_000, description="Finals that it is given at once; more of them wait.")
    max_streams: int = Field(
        default=64, ge=1, le=10_000, description="Connections to a FunASR server for partials, one for each utterance."
    )
    timeout_s: float = Field(
        default=10.0, ge=0.5, le=600, description="Seconds for an answer, besides those that the audio lasts."
    )
    connect_timeout_s: float = Field(default=3.0, ge=0.1, le=60, description="Seconds for a connection.")
    retry_s: float = Field(
        default=5.0,
        ge=0.1,
        le=3_600,
        description="Seconds until a server that has failed three times in a row is tried again.",
    )

    @model_validator(mode="after")
    def _check_url(self) -> Self:
        if not self.url:
            return self
        schemes = _SCHEMES[self.protocol]
        parts = urlsplit(self.url)
        if parts.scheme not in schemes or not parts.hostname:
            raise ValueError(f"url must begin with {schemes[0]}:// or {schemes[1]}://, and name a host")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("url must have no password, no ? and no #; a key belongs into api_key")
        return self
