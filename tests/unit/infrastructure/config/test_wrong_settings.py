from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from asr_service.infrastructure.config.loading import load_settings
from asr_service.infrastructure.config.problems import EXIT_CODE, InvalidSettings


def complaints(
    environ: Mapping[str, str],
    *,
    overrides: Mapping[str, Any] | None = None,
    config_file: Path | None = None,
    env_file: Path | None = None,
) -> list[str]:
    return [problem.line for problem in refusal_of(environ, overrides, config_file, env_file).problems]


def refusal_of(
    environ: Mapping[str, str],
    overrides: Mapping[str, Any] | None = None,
    config_file: Path | None = None,
    env_file: Path | None = None,
) -> InvalidSettings:
    with pytest.raises(InvalidSettings) as wrong:
        load_settings(overrides, config_file=config_file, env_file=env_file, environ=environ)
    return wrong.value


@pytest.fixture
def yaml_file(tmp_path: Path) -> Path:
    return tmp_path / "asr.yaml"


def test_a_wrong_variable_is_named_with_its_value_and_what_is_allowed() -> None:
    assert complaints({"ASR_SERVER__PORT": "http"}) == [
        "ASR_SERVER__PORT is 'http'; allowed: an integer from 0 to 65535."
    ]


def test_a_wrong_value_in_a_file_is_named_by_its_key_and_the_file(yaml_file: Path) -> None:
    yaml_file.write_text("audio:\n  max_file_hours: 0\nlogging: {format: xml}\n")
    assert complaints({}, config_file=yaml_file) == [
        f"audio.max_file_hours in {yaml_file} is '0'; allowed: a number over 0, up to 240.",
        f"logging.format in {yaml_file} is 'xml'; allowed: one of auto, console, json.",
    ]


def test_a_wrong_value_in_the_env_file_or_on_the_command_line_says_so(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("ASR_ENVIRONMENT=prod\n")
    assert complaints({}, env_file=env_file, overrides={"server": {"port": 70_000}}) == [
        f"ASR_ENVIRONMENT in {env_file} is 'prod'; allowed: one of development, test, staging, production.",
        "server.port on the command line is '70000'; allowed: an integer from 0 to 65535.",
    ]


def test_a_wrong_item_of_a_list_is_named() -> None:
    assert complaints({"ASR_SERVER__CORS_ORIGINS": "https://a.org,b.org"}) == [
        "ASR_SERVER__CORS_ORIGINS is 'https://a.org,b.org', but 'b.org' is no origin; "
        "allowed: origins such as https://example.org, separated by commas; * for any."
    ]


def test_a_list_with_several_items_of_a_wrong_kind_is_one_wrong_setting(tmp_path: Path) -> None:
    path = tmp_path / "asr.yaml"
    path.write_text("models:\n  local_directories: [1, 2]\n")
    assert complaints({}, config_file=path) == [
        f"models.local_directories in {path} is '1'; allowed: directories, separated by commas."
    ]


def test_values_that_do_not_fit_together_are_named_together() -> None:
    environ = {"ASR_ENDPOINTING__MAX_UTTERANCE_MS": "2000", "ASR_ENDPOINTING__MIN_SPEECH_MS": "2000"}
    (line,) = complaints(environ)
    assert line.startswith(
        "ASR_ENDPOINTING__MAX_UTTERANCE_MS, ASR_ENDPOINTING__MIN_SPEECH_MS do not fit together: max_utterance_ms"
    )


def test_a_long_value_is_shortened() -> None:
    (line,) = complaints({"ASR_LOGGING__LEVEL": "x" * 500})
    assert "x" * 100 + "…" in line
    assert len(line) < 250


def test_a_certificate_needs_its_key() -> None:
    (line,) = complaints({"ASR_FUNASR__TLS_CERTIFICATE": "certificate.pem"})
    assert "tls_certificate and tls_key are needed both, or neither" in line


def test_passwords_are_masked_in_complaints() -> None:
    (line,) = complaints({"ASR_DATABASE__URL": "mysql://asr:hunter2@db/asr"})
    assert "mysql://asr:***@db/asr" in line
    assert "hunter2" not in line


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("ASR_SERVER__PROT", "ASR_SERVER__PORT"),
        ("ASR_SERVER_PORT", "ASR_SERVER__PORT"),
        ("ASR_PORT", "ASR_SERVER__PORT"),
        ("ASR_MODEL", "ASR_RECOGNIZER__MODEL"),
        ("ASR_LOG_LEVEL", "ASR_LOGGING__LEVEL"),
        ("ASR_MAX_SESSIONS", "ASR_SERVER__MAX_SESSIONS"),
        ("ASR_ENVIROMENT", "ASR_ENVIRONMENT"),
        ("ASR_MAX_BATCH", "ASR_RECOGNIZER__MAX_BATCH or ASR_VAD__MAX_BATCH"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_one_that_was_probably_meant(variable: str, meant: str) -> None:
    assert complaints({variable: "1"}) == [f"{variable} is no setting; did you mean {meant}?"]


def test_an_unknown_variable_that_resembles_nothing_is_refused_without_a_guess() -> None:
    assert complaints({"ASR_XYZZY": "hunter2"}) == ["ASR_XYZZY is no setting."]
    assert complaints({"ASR_ENABLED": "1"}) == ["ASR_ENABLED is no setting."]


def test_unknown_keys_of_a_file_are_refused_by_their_key(yaml_file: Path) -> None:
    yaml_file.write_text("server: {prot: 1}\nservr: {port: 1}\nvad: {threads: {many: 1}}\n")
    assert complaints({}, config_file=yaml_file) == [
        f"server.prot in {yaml_file} is no setting; did you mean server.port?",
        f"servr.port in {yaml_file} is no setting; did you mean server.port?",
        f"vad.threads.many in {yaml_file} is no setting; did you mean vad.threads?",
    ]


def test_a_section_that_is_given_one_value_is_refused(yaml_file: Path) -> None:
    yaml_file.write_text("server: 8000\n")
    assert complaints({"ASR_METRICS": "true"}, config_file=yaml_file) == [
        f"server in {yaml_file} is a section; set what is in it, for example server.host.",
        "ASR_METRICS is a section; set what is in it, for example ASR_METRICS__ENABLED.",
    ]


def test_everything_that_is_wrong_is_said_at_once() -> None:
    lines = complaints({"ASR_SERVER__PORT": "x", "ASR_VAD__THREADS": "0", "ASR_XYZZY": "1"})
    assert [line.split()[0] for line in lines] == ["ASR_XYZZY", "ASR_SERVER__PORT", "ASR_VAD__THREADS"]


def test_what_production_refuses_is_named_as_it_was_written(yaml_file: Path) -> None:
    yaml_file.write_text("environment: production\nserver: {cors_origins: ['*']}\n")
    lines = complaints({"ASR_LOGGING__LEVEL": "debug", "ASR_XYZZY": "1"}, config_file=yaml_file)
    assert [line.split(" must")[0] for line in lines] == [
        "ASR_XYZZY is no setting.",
        "database.url (ASR_DATABASE__URL)",
        f"server.cors_origins in {yaml_file}",
        "ASR_LOGGING__LEVEL",
    ]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("asr.yaml", "server: [", "is no YAML: expected the node content, but found '<stream end>' in line 1."),
        ("asr.yaml", "- server", "must hold sections with keys and values."),
        ("asr.toml", "server = ", "is no TOML: Invalid value (at end of document)."),
        ("asr.ini", "[server]", "must be named .yaml, .yml or .toml."),
        ("asr.toml", b"# \xff\xfe", "cannot be read: it is no UTF-8 text."),
        ("asr.yaml", None, "cannot be read: No such file or directory."),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_reason(
    tmp_path: Path, name: str, content: str | bytes | None, complaint: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    assert complaints({}, config_file=path) == [f"{path} {complaint}"]


def test_an_env_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"ASR_SERVER__HOST=\xff\n")
    assert complaints({}, env_file=path) == [f"{path} cannot be read: it is no UTF-8 text."]


def test_the_error_reads_as_a_list_and_has_a_code() -> None:
    refusal = refusal_of({"ASR_SERVER__PORT": "x", "ASR_XYZZY": "1"})
    assert refusal.code == "invalid_settings"
    assert refusal.message.splitlines() == [
        "2 settings are wrong:",
        "  - ASR_XYZZY is no setting.",
        "  - ASR_SERVER__PORT is 'x'; allowed: an integer from 0 to 65535.",
    ]
    assert refusal_of({"ASR_XYZZY": "1"}).message.startswith("One setting is wrong:\n")


def test_the_exit_code_is_that_of_a_configuration_error() -> None:
    assert EXIT_CODE == 78
