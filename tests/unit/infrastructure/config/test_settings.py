from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from asr_service.domain.value_objects.asr_config import EndpointingPolicy, PartialPolicy
from asr_service.infrastructure.config.environment import Environment
from asr_service.infrastructure.config.problems import InvalidSettings
from asr_service.infrastructure.config.sections import (
    DatabaseSettings,
    EndpointingSettings,
    JournalSettings,
    LogSettings,
    PartialSettings,
    RecognizerSettings,
    ServerSettings,
)
from asr_service.infrastructure.config.settings import Settings

STORE = DatabaseSettings.model_validate({"url": "postgresql://asr:secret@db/asr"})


def test_making_settings_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASR_SERVER__PORT", "9")
    assert Settings().server.port == 8000


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().server.port = 9


def test_session_defaults_are_those_of_the_domain() -> None:
    assert Settings().endpointing.policy() == EndpointingPolicy()
    assert Settings().partials.policy() == PartialPolicy()


@pytest.mark.parametrize(
    ("section", "policy"), [(EndpointingSettings, EndpointingPolicy), (PartialSettings, PartialPolicy)]
)
def test_the_bounds_of_session_defaults_are_those_of_the_domain(
    section: type[EndpointingSettings | PartialSettings], policy: Any
) -> None:
    # Endpoints on demand only are a choice of clients that ask for them: others would never get a final.
    assert set(section.model_fields) == {field.name for field in fields(policy)} - {"on_demand"}
    for name, info in section.model_fields.items():
        room = {"silence_ms": 10_000} if name == "sentence_silence_ms" else {}
        for bound, beyond in _bounds(info.metadata):
            policy(**{name: bound}, **room)
            with pytest.raises(ValueError, match="allowed is"):
                policy(**{name: beyond}, **room)


def _bounds(metadata: list[Any]) -> list[tuple[float, float]]:
    """Each bound of a field, with a value just beyond it."""
    low = [(item.ge, item.ge - 0.01) for item in metadata if hasattr(item, "ge")]
    high = [(item.le, item.le + 0.01) for item in metadata if hasattr(item, "le")]
    return low + high


def test_limits_are_given_in_the_units_of_those_who_need_them() -> None:
    server = ServerSettings(max_upload_mb=2, ws_max_message_mb=16)
    assert server.max_upload_bytes == 2 * 1024 * 1024
    assert server.ws_max_message_bytes == 16 * 1024 * 1024
    assert RecognizerSettings(memory_ceiling_mb=2).memory_ceiling_bytes == 2 * 1024 * 1024
    assert RecognizerSettings(memory_ceiling_mb=0).memory_ceiling_bytes is None


def test_the_default_database_is_a_file_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    settings = Settings()
    assert settings.database.url.get_secret_value() == f"sqlite:///{tmp_path}/data/asr-service/asr.db"
    assert settings.models.cache_directory == tmp_path / "cache" / "asr-service"


def test_the_database_password_is_not_in_the_representation() -> None:
    assert "secret" not in repr(Settings(database=STORE)) + str(Settings(database=STORE))


@pytest.mark.parametrize(
    ("environment", "configured", "decided"),
    [
        ("development", "auto", "console"),
        ("test", "auto", "console"),
        ("staging", "auto", "json"),
        ("production", "auto", "json"),
        ("production", "console", "console"),
        ("development", "json", "json"),
    ],
)
def test_the_form_of_log_lines_follows_the_environment_unless_it_is_said(
    environment: Environment, configured: str, decided: str
) -> None:
    settings = Settings(
        environment=environment, logging=LogSettings.model_validate({"format": configured}), database=STORE
    )
    assert settings.log_format == decided


def refused(**sections: object) -> list[str]:
    with pytest.raises(InvalidSettings) as refusal:
        Settings.model_validate(
            {"environment": "production", "database": {"url": "sqlite:////data/asr.db"}, **sections}
        )
    return [problem.key for problem in refusal.value.problems]


def test_production_accepts_safe_settings() -> None:
    settings = Settings.model_validate(
        {
            "environment": "production",
            "database": {"url": "sqlite:////data/asr.db"},
            "server": {"host": "0.0.0.0", "cors_origins": ["https://example.org"], "trusted_proxies": "10.0.0.0/8"},
        }
    )
    assert settings.environment is Environment.PRODUCTION


def test_production_refuses_what_is_fit_for_a_desk_only() -> None:
    assert refused(database={}) == ["database.url"]
    assert refused(server={"cors_origins": "*"}) == ["server.cors_origins"]
    assert refused(server={"trusted_proxies": "*"}) == ["server.trusted_proxies"]
    assert refused(logging={"level": "debug"}) == ["logging.level"]


def test_production_names_everything_that_it_refuses_at_once() -> None:
    assert refused(database={}, logging={"level": "DEBUG"}) == ["database.url", "logging.level"]


@pytest.mark.parametrize("environment", ["development", "test", "staging"])
def test_other_environments_refuse_nothing(environment: str) -> None:
    settings = Settings.model_validate(
        {"environment": environment, "server": {"cors_origins": "*"}, "logging": {"level": "debug"}}
    )
    assert settings.server.cors_origins == ("*",)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("trusted_proxies", "10.0.0.0/33"),
        ("trusted_proxies", "proxy.example.org"),
        ("trusted_proxies", "10.0.0.1/8"),
        ("cors_origins", "example.org"),
        ("cors_origins", "https://example.org/"),
        ("cors_origins", "ftp://example.org"),
        ("cors_origins", "https://"),
        ("ws_max_message_mb", 15),
        ("idle_timeout_s", 59),
        ("idle_timeout_s", float("nan")),
        ("host", ""),
    ],
)
def test_values_that_would_break_clients_or_mean_nothing_are_refused(key: str, value: object) -> None:
    with pytest.raises(ValidationError, match=key):
        ServerSettings.model_validate({key: value})


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///asr.db",
        "sqlite+aiosqlite:////var/lib/asr.db",
        "postgresql://asr@db/asr",
        "postgresql+asyncpg://asr:pw@db:5432/asr?ssl=require",
    ],
)
def test_urls_of_both_databases_are_accepted(url: str) -> None:
    assert DatabaseSettings.model_validate({"url": url}).url.get_secret_value() == url


@pytest.mark.parametrize("url", ["", "asr.db", "mysql://db/asr", "sqlite://", "sqlite:///:memory:", "postgresql://"])
def test_other_database_urls_are_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="no URL of SQLite or PostgreSQL"):
        DatabaseSettings.model_validate({"url": url})


@pytest.mark.parametrize("url", ["", "redis://cache", "redis://asr:pw@cache:6379/1", "rediss://cache:6380/0"])
def test_urls_of_redis_are_accepted_for_the_journal(url: str) -> None:
    settings = JournalSettings.model_validate({"url": url})
    assert settings.url.get_secret_value() == url
    assert "pw" not in repr(settings)


@pytest.mark.parametrize(
    "url", ["cache:6379", "redis://", "http://cache", "postgresql://asr@db/asr", "sqlite:///asr.db"]
)
def test_other_urls_are_refused_for_the_journal(url: str) -> None:
    with pytest.raises(ValidationError, match="no URL of Redis"):
        JournalSettings.model_validate({"url": url})


def test_the_journal_is_waited_for_in_seconds() -> None:
    assert JournalSettings(wait_ms=250).wait_s == 0.25
