"""What every command has: help worth reading, and errors of one line with an exit code of their kind."""

import asyncio
import socket
from pathlib import Path

import pytest
import uvicorn

from asr_service.cli.serve import PortBusy, _Server, listen
from tests.fixtures.command_line import Run

COMMANDS = {
    "serve": "Start the service",
    "transcribe": "Transcribe recordings on this machine",
    "stream": "Stream a recording, or the microphone",
    "samples": "Put one English and one Mandarin recording into a folder",
    "models": "Models and recordings on this machine",
    "models list": "List what can be had",
    "models pull": "Fetch what is missing",
    "models verify": "Read every byte",
    "models remove": "Delete files that can be pulled again",
    "config": "Look at the settings",
    "config show": "Print the settings in force",
    "db": "Look after the database",
    "events": "Look after the events that servers share",
    "events dead-letters": "Events that could not be handled",
    "events dead-letters list": "Print what was given up",
    "events dead-letters replay": "Have events handled again",
    "db migrate": "Bring the database to the schema of this version",
}


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize(("command", "says"), COMMANDS.items(), ids=list(COMMANDS))
def test_every_command_explains_itself(run: Run, command: str, says: str, option: str) -> None:
    finished = run(*command.split(), option)
    assert finished.exit_code == 0
    assert says in " ".join(finished.out.split())
    assert f"Usage: asr-service {command}" in finished.out


def test_the_help_lists_every_command(run: Run) -> None:
    said = run("--help").out
    assert all(command in said for command in COMMANDS if " " not in command)
    assert "ASR_SERVER__PORT" in said


def test_no_command_is_a_question_for_help(run: Run) -> None:
    for arguments in ([], ["models"], ["config"], ["db"], ["events"], ["events", "dead-letters"]):
        assert "Usage: asr-service" in run(*arguments).out


@pytest.mark.parametrize("arguments", [["sing"], ["serve", "--port", "many"], ["transcribe"], ["models", "remove"]])
def test_what_is_not_understood_is_a_matter_of_usage(run: Run, arguments: list[str]) -> None:
    finished = run(*arguments)
    assert finished.exit_code == 2
    assert "Usage: asr-service" in finished.err
    assert "Traceback" not in finished.err


# --- settings


def test_a_wrong_setting_is_named_and_ends_the_process_with_78(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASR_SERVER__PORT", "http")
    for command in (["config", "show"], ["serve"], ["models", "list"], ["transcribe", "x.wav"], ["db", "migrate"]):
        finished = run(*command)
        assert finished.exit_code == 78
        assert "ASR_SERVER__PORT is 'http'; allowed: an integer from 0 to 65535." in finished.err
        assert "Traceback" not in finished.err


def test_the_command_line_is_a_source_of_settings_too(run: Run) -> None:
    finished = run("serve", "--port", "70000")
    assert finished.exit_code == 78
    assert "server.port on the command line" in finished.err


def test_production_refuses_what_is_fit_for_a_desk(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASR_ENVIRONMENT", "production")
    monkeypatch.setenv("ASR_SERVER__CORS_ORIGINS", "*")
    finished = run("serve")
    assert finished.exit_code == 78
    assert "ASR_SERVER__CORS_ORIGINS must name the sites in production" in finished.err


def test_a_wrong_secret_is_not_repeated(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASR_DATABASE__URL", "mysql://asr:hunter2@db/asr")
    finished = run("config", "show")
    assert finished.exit_code == 78
    assert "hunter2" not in finished.out + finished.err


def test_the_settings_are_shown_with_their_sources_and_without_their_secrets(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ASR_DATABASE__URL", "postgresql://asr:hunter2@db/asr")
    (tmp_path / "asr.yaml").write_text("server:\n  port: 9000\n")
    finished = run("config", "show", "--config", "asr.yaml")
    assert finished.exit_code == 0
    assert "hunter2" not in finished.out
    lines = dict(line.split(" = ", 1) for line in finished.out.splitlines())
    assert lines["database.url"] == '"postgresql://asr:***@db/asr"  # environment'
    assert lines["server.port"] == "9000  # asr.yaml"
    assert lines["partials.enabled"] == "true  # default"


def test_a_settings_file_that_is_not_there_is_named(run: Run) -> None:
    finished = run("config", "show", "--config", "missing.toml")
    assert finished.exit_code == 78
    assert "missing.toml cannot be read: No such file or directory" in finished.err


# --- serve


def test_a_busy_port_is_told_before_anything_slow_is_begun(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        finished = run("serve", "--port", other.getsockname()[1])
    assert finished.exit_code == 69
    assert "error port_busy Cannot listen on 127.0.0.1" in finished.err
    assert "--port" in finished.err


@pytest.mark.parametrize("host", ["192.0.2.1", "host.invalid"])
def test_an_address_that_is_not_ours_is_told_as_well(host: str) -> None:
    with pytest.raises(PortBusy, match=rf"Cannot listen on {host}:0"):
        listen(host, 0)


def test_both_families_of_addresses_can_be_listened_on() -> None:
    for host in ("127.0.0.1", "::1"):
        with listen(host, 0) as listener:
            assert listener.getsockname()[0] == host


def test_the_slower_of_two_that_start_together_is_told() -> None:
    async def start(listener: socket.socket) -> None:
        server = _Server(uvicorn.Config(lambda: None, log_config=None, lifespan="off"))
        server.config.load()
        server.lifespan = server.config.lifespan_class(server.config)
        await server.startup([listener])

    with listen("127.0.0.1", 0) as first, listen("127.0.0.1", first.getsockname()[1]) as second:
        first.listen()
        with pytest.raises(PortBusy):
            asyncio.run(start(second))


# --- a missing model, a database that is none


def test_serving_without_a_model_says_how_to_get_it(run: Run) -> None:
    finished = run("serve", "--port", "0")
    assert finished.exit_code == 69
    assert "model_missing" in finished.err
    assert "asr-service models pull" in finished.err


def test_the_database_is_brought_up_to_date_as_often_as_one_likes(run: Run, tmp_path: Path) -> None:
    for _ in range(2):
        finished = run("db", "migrate")
        assert (finished.exit_code, finished.out) == (0, "The database has the schema of this version.\n")
    assert (tmp_path / "asr.db").is_file()


def test_a_database_that_cannot_be_opened_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "asr.db").mkdir()
    finished = run("db", "migrate")
    assert finished.exit_code == 75
    assert "storage_unavailable" in finished.err
