"""What keeps the service from starting is said in one line, with a hint, and in the exit code."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from asr_service.infrastructure.config.settings import Settings
from tests.fixtures.server import service_environment

NOT_A_FOLDER = Path("/proc/version")  # nobody can make a folder below it, not even root


@pytest.fixture
def environment(service_settings: Settings, tmp_path: Path) -> dict[str, str]:
    return service_environment(service_settings, ASR_DATABASE__URL=f"sqlite:///{tmp_path}/asr.db")


def asr_service(environment: dict[str, str], folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the command to its end; what it says has no line break inside a sentence."""
    command = [sys.executable, "-m", "asr_service", *arguments]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_a_busy_port(environment: dict[str, str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        ended = asr_service(environment, tmp_path, "serve", "--port", port)

    assert ended.returncode == 69
    assert f"port_busy Cannot listen on 127.0.0.1:{port}" in ended.stderr
    assert "--port" in ended.stderr
    assert not (tmp_path / "asr.db").exists()  # found before anything slow or lasting is begun


def test_a_busy_port_of_a_protocol(environment: dict[str, str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        wyoming = {"ASR_WYOMING__ENABLED": "true", "ASR_WYOMING__PORT": port}
        ended = asr_service(environment | wyoming, tmp_path, "serve", "--port", "0")

    assert ended.returncode == 69
    assert f"cannot_listen Cannot listen on 127.0.0.1:{port} for Wyoming" in ended.stderr
    assert "ASR_WYOMING__PORT" in ended.stderr


def test_a_busy_port_of_a_protocol_over_websockets(environment: dict[str, str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        ended = asr_service(environment | {"ASR_FUNASR__PORT": port}, tmp_path, "serve", "--port", "0")

    assert ended.returncode == 69
    assert f"port_busy Cannot listen on 127.0.0.1:{port}" in ended.stderr
    assert "ASR_FUNASR__PORT" in ended.stderr


def test_a_certificate_that_is_none(environment: dict[str, str], tmp_path: Path) -> None:
    wrong = {
        "ASR_FUNASR__PORT": "10095",
        "ASR_FUNASR__TLS_CERTIFICATE": str(NOT_A_FOLDER),
        "ASR_FUNASR__TLS_KEY": str(NOT_A_FOLDER),
    }

    ended = asr_service(environment | wrong, tmp_path, "serve", "--port", "0")

    assert ended.returncode == 78
    assert "tls_unusable" in ended.stderr


def test_a_missing_model(environment: dict[str, str], tmp_path: Path) -> None:
    empty = environment | {"ASR_MODELS__CACHE_DIRECTORY": str(tmp_path), "ASR_MODELS__LOCAL_DIRECTORIES": ""}

    ended = asr_service(empty, tmp_path, "serve", "--port", "0")

    assert ended.returncode == 69
    assert "model_missing" in ended.stderr
    assert "asr-service models pull" in ended.stderr
    assert "listening" not in ended.stdout


def test_an_engine_that_is_unknown(environment: dict[str, str], tmp_path: Path) -> None:
    ended = asr_service(environment | {"ASR_RECOGNIZER__ENGINE": "gramophone"}, tmp_path, "serve", "--port", "0")

    assert ended.returncode == 69
    assert "engine_unknown whisper-base needs the engine 'gramophone'" in ended.stderr
    assert "Known engines: faster-whisper" in ended.stderr


def test_an_engine_whose_package_is_not_installed(environment: dict[str, str], tmp_path: Path) -> None:
    absent = "raise ModuleNotFoundError('No module named sherpa_onnx', name='sherpa_onnx')"
    (tmp_path / "sherpa_onnx.py").write_text(absent, encoding="utf-8")
    own = {
        "PYTHONPATH": str(tmp_path),
        "ASR_RECOGNIZER__MODEL": "own",
        "ASR_RECOGNIZER__MODEL_DIRECTORY": str(tmp_path),
        "ASR_RECOGNIZER__ENGINE": "sherpa-onnx",
        "ASR_RECOGNIZER__ARCHITECTURE": "moonshine",
        "ASR_RECOGNIZER__LANGUAGES": "en",
    }

    ended = asr_service(environment | own, tmp_path, "serve", "--port", "0")

    assert ended.returncode == 75
    assert "The engine needs sherpa_onnx, which is not installed." in ended.stderr
    assert "Run: pip install 'asr-service[server,sherpa]'" in ended.stderr


def test_invalid_settings(environment: dict[str, str], tmp_path: Path) -> None:
    wrong = {
        "ASR_RECOGNIZER__BEAM_SIZE": "many",
        "ASR_DATABASE__URL": "mysql://asr:opensesame@db/asr",
        "ASR_ENVIRONMENT": "holiday",
    }

    ended = asr_service(environment | wrong, tmp_path, "serve", "--port", "0")

    assert ended.returncode == 78
    assert "ASR_RECOGNIZER__BEAM_SIZE is 'many'; allowed: an integer from 1 to 16" in ended.stderr
    assert "development, test, staging, production" in ended.stderr
    assert "ASR_DATABASE__URL" in ended.stderr
    assert "opensesame" not in ended.stderr + ended.stdout
    assert "listening" not in ended.stdout


def test_a_database_that_cannot_be_used(environment: dict[str, str], tmp_path: Path) -> None:
    broken = environment | {"ASR_DATABASE__URL": f"sqlite:///{NOT_A_FOLDER}/asr.db"}

    ended = asr_service(broken, tmp_path, "serve", "--port", "0")

    assert ended.returncode == 75
    assert "storage_unavailable" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_cache_directory_that_cannot_be_written_to(environment: dict[str, str], tmp_path: Path) -> None:
    read_only = environment | {"ASR_MODELS__CACHE_DIRECTORY": str(NOT_A_FOLDER), "ASR_MODELS__OFFLINE": "false"}

    ended = asr_service(read_only, tmp_path, "models", "pull", "silero-vad")

    assert ended.returncode == 73
    assert f"cache_not_writable The cache directory {NOT_A_FOLDER}" in ended.stderr
    assert "hint" in ended.stderr
