from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from asr_service.infrastructure.config.environment import Environment
from asr_service.infrastructure.config.loading import load_settings
from asr_service.infrastructure.config.problems import InvalidSettings
from asr_service.infrastructure.config.settings import Settings


def loaded(
    environ: Mapping[str, str] | None = None,
    *,
    overrides: Mapping[str, Any] | None = None,
    config_file: Path | None = None,
    env_file: Path | None = None,
) -> Settings:
    return load_settings(overrides, config_file=config_file, env_file=env_file, environ=environ or {})


@pytest.fixture
def yaml_file(tmp_path: Path) -> Path:
    path = tmp_path / "asr.yaml"
    path.write_text("environment: staging\nserver:\n  port: 1001\n  cors_origins: [https://a.org, https://b.org]\n")
    return path


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    path = tmp_path / ".env"
    path.write_text(
        "# mine\nOTHER=1\nexport ASR_SERVER__PORT=1002\nASR_LOGGING__LEVEL='warning'\nASR_METRICS__ENABLED=\n"
    )
    return path


def test_without_any_source_everything_has_its_default() -> None:
    assert loaded() == Settings()


def test_the_stronger_source_wins(yaml_file: Path, env_file: Path) -> None:
    environ = {"ASR_SERVER__PORT": "1003"}
    overrides = {"server": {"port": 1004}}
    assert loaded(config_file=yaml_file).server.port == 1001
    assert loaded(config_file=yaml_file, env_file=env_file).server.port == 1002
    assert loaded(environ, config_file=yaml_file, env_file=env_file).server.port == 1003
    assert loaded(environ, config_file=yaml_file, env_file=env_file, overrides=overrides).server.port == 1004


def test_sources_complement_each_other_within_a_section(yaml_file: Path) -> None:
    server = loaded({"ASR_SERVER__HOST": "0.0.0.0"}, config_file=yaml_file).server
    assert (server.host, server.port, server.cors_origins) == ("0.0.0.0", 1001, ("https://a.org", "https://b.org"))


def test_each_value_knows_where_it_came_from(yaml_file: Path, env_file: Path) -> None:
    settings = loaded(
        {"ASR_VAD__THREADS": "2"}, config_file=yaml_file, env_file=env_file, overrides={"server.host": "::1"}
    )
    keys = ["environment", "server.port", "vad.threads", "server.host", "server.max_sessions"]
    assert [settings.source_of(key) for key in keys] == [
        str(yaml_file),
        str(env_file),
        "environment",
        "command line",
        "default",
    ]


def test_variables_hold_every_kind_of_value() -> None:
    settings = loaded(
        {
            "ASR_ENVIRONMENT": "test",
            "ASR_PARTIALS__ENABLED": "false",
            "ASR_ENDPOINTING__THRESHOLD": "0.6",
            "ASR_LOGGING__LEVEL": "INFO",
            "ASR_MODELS__LOCAL_DIRECTORIES": "/models, /more",
            "asr_recognizer__model_directory": "/model",
        }
    )
    assert settings.environment is Environment.TEST
    assert settings.partials.enabled is False
    assert settings.endpointing.threshold == 0.6
    assert settings.logging.level == "info"
    assert settings.models.local_directories == (Path("/models"), Path("/more"))
    assert settings.recognizer.model_directory == Path("/model")


def test_an_empty_variable_counts_as_not_set(yaml_file: Path, env_file: Path) -> None:
    settings = loaded({"ASR_SERVER__PORT": ""}, config_file=yaml_file, env_file=env_file)
    assert settings.server.port == 1002
    assert settings.metrics.enabled is True


def test_options_that_were_not_given_override_nothing() -> None:
    settings = loaded({"ASR_SERVER__PORT": "1003"}, overrides={"server": {"port": None, "host": None}})
    assert settings.server.port == 1003


def test_the_home_directory_may_be_written_as_a_tilde() -> None:
    assert loaded({"ASR_MODELS__CACHE_DIRECTORY": "~/m"}).models.cache_directory == Path.home() / "m"


def test_a_toml_file_is_read_like_a_yaml_file(tmp_path: Path) -> None:
    path = tmp_path / "asr.toml"
    path.write_text('environment = "staging"\n[server]\nport = 1001\ntrusted_proxies = ["10.0.0.0/8"]\n')
    settings = loaded(config_file=path)
    assert (settings.environment, settings.server.port) == (Environment.STAGING, 1001)
    assert settings.server.trusted_proxies == ("10.0.0.0/8",)


def test_a_variable_names_the_file_and_the_command_line_names_another(yaml_file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("server.port = 7\n")
    environ = {"ASR_CONFIG_FILE": str(yaml_file)}
    assert loaded(environ).server.port == 1001
    assert loaded(environ, config_file=other).server.port == 7


def test_the_env_file_may_name_the_file(yaml_file: Path, tmp_path: Path) -> None:
    env_file = tmp_path / "mine.env"
    env_file.write_text(f"ASR_CONFIG_FILE={yaml_file}\n")
    assert loaded(env_file=env_file).server.port == 1001


def test_there_need_not_be_an_env_file(tmp_path: Path) -> None:
    assert loaded(env_file=tmp_path / ".env") == Settings()


def test_the_environment_of_the_process_is_read_unless_another_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASR_SERVER__PORT", "1003")
    assert load_settings(env_file=None).server.port == 1003


def test_empty_sections_and_files_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "asr.yaml"
    path.write_text("server:\n# port: 1\n")
    assert loaded(config_file=path) == Settings()
    path.write_text("")
    assert loaded(config_file=path) == Settings()


def test_variables_without_the_prefix_do_not_matter() -> None:
    assert loaded({"SERVER__PORT": "x", "ASRX": "1", "PATH": "/bin"}) == Settings()


def test_variables_that_kubernetes_makes_from_services_do_not_matter() -> None:
    links = {
        "ASR_PORT": "tcp://10.0.0.7:8000",
        "ASR_PORT_8000_TCP": "tcp://10.0.0.7:8000",
        "ASR_PORT_8000_TCP_ADDR": "10.0.0.7",
        "ASR_SERVICE_HOST": "10.0.0.7",
        "ASR_SERVICE_PORT": "8000",
        "ASR_SERVICE_PORT_HTTP": "8000",
        "ASR_POSTGRES_PORT": "tcp://10.0.0.8:5432",
        "ASR_POSTGRES_SERVICE_HOST": "10.0.0.8",
    }
    assert loaded(links) == Settings()
    with pytest.raises(InvalidSettings, match="ASR_SERVER__PROT is no setting"):
        loaded({**links, "ASR_SERVER__PROT": "1"})
