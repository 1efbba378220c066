"""``asr-service models`` and ``samples``, over a small catalogue, a folder of files and an empty cache."""

from pathlib import Path

import pytest

from asr_service import bootstrap
from tests.fixtures.artifacts.small_catalogue import FILES, MODEL_NAME, small_catalogue, write_files
from tests.fixtures.command_line import Run

pytestmark = pytest.mark.usefixtures("small")


@pytest.fixture
def small(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The catalogue knows one model, and there is no network."""
    monkeypatch.setattr(bootstrap, "load_catalogue", small_catalogue)
    monkeypatch.setenv("ASR_MODELS__OFFLINE", "true")
    monkeypatch.setenv("ASR_MODELS__LOCAL_DIRECTORIES", str(tmp_path / "shelf"))


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A folder with the model's files."""
    return write_files(tmp_path / "shelf")


def _place(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "models" / MODEL_NAME / "1.0"


@pytest.mark.usefixtures("shelf")
def test_a_model_is_pulled_verified_listed_and_removed(run: Run, tmp_path: Path) -> None:
    assert "missing" in run("models", "list").out
    pulled = run("models", "pull", MODEL_NAME)
    assert (pulled.exit_code, pulled.out) == (0, f"{MODEL_NAME}: {_place(tmp_path)}\n")
    assert (_place(tmp_path) / "model.bin").read_bytes() == FILES["model.bin"]
    (line,) = run("models", "list").out.splitlines()
    assert line.split()[:2] == [MODEL_NAME, "installed"]
    assert "0.3 MB" in line
    assert run("models", "verify", MODEL_NAME).out == f"{MODEL_NAME}: every file is what the catalogue says\n"
    assert run("models", "remove", MODEL_NAME).out == f"{MODEL_NAME}: removed\n"
    assert not _place(tmp_path).exists()


@pytest.mark.usefixtures("shelf")
def test_pulling_twice_is_quick_and_harmless(run: Run) -> None:
    first, second = run("models", "pull", MODEL_NAME), run("models", "pull", MODEL_NAME)
    assert (first.exit_code, first.out) == (second.exit_code, second.out) == (0, second.out)


@pytest.mark.usefixtures("shelf")
def test_a_changed_file_is_found(run: Run, tmp_path: Path) -> None:
    run("models", "pull", MODEL_NAME)
    changed = bytearray(FILES["model.bin"])
    changed[1_000] ^= 1
    (_place(tmp_path) / "model.bin").write_bytes(changed)
    finished = run("models", "verify", MODEL_NAME)
    assert finished.exit_code == 69
    assert "model_corrupt" in finished.err
    assert "model.bin" in finished.err


def test_a_model_that_is_nowhere_to_be_had_says_where_it_was_looked_for(run: Run, tmp_path: Path) -> None:
    finished = run("models", "pull", MODEL_NAME)
    assert finished.exit_code == 69
    assert "model_download_failed" in finished.err
    assert str(tmp_path / "shelf") in finished.err
    assert "not tried, since the service is set to be offline" in finished.err


@pytest.mark.parametrize("command", ["pull", "verify", "remove"])
def test_a_name_that_the_catalogue_does_not_know_is_told(run: Run, command: str) -> None:
    finished = run("models", command, "whisper-enormous")
    assert finished.exit_code == 66
    assert "model_unknown" in finished.err
    assert MODEL_NAME in finished.err  # those that it knows


def test_verifying_what_is_not_here_is_no_success(run: Run) -> None:
    finished = run("models", "verify", MODEL_NAME)
    assert finished.exit_code == 69
    assert "model_missing" in finished.err


def test_removing_what_is_not_here_is_no_error(run: Run) -> None:
    assert run("models", "remove", MODEL_NAME).exit_code == 0


def test_without_names_it_is_what_the_service_needs(run: Run, monkeypatch: pytest.MonkeyPatch, shelf: Path) -> None:
    monkeypatch.setenv("ASR_RECOGNIZER__MODEL", MODEL_NAME)
    finished = run("models", "pull")
    assert finished.out.startswith(f"{MODEL_NAME}: ")
    assert "'silero-vad' is not in the catalogue" in finished.err  # the other one
    monkeypatch.setenv("ASR_RECOGNIZER__MODEL_DIRECTORY", str(shelf))
    assert run("models", "pull").out == ""


def test_a_model_of_ones_own_is_listed_and_never_removed(
    run: Run, monkeypatch: pytest.MonkeyPatch, shelf: Path
) -> None:
    monkeypatch.setenv("ASR_RECOGNIZER__MODEL", "mine")
    monkeypatch.setenv("ASR_RECOGNIZER__MODEL_DIRECTORY", str(shelf))
    assert f"Your own folder {shelf}" in run("models", "list").out
    assert run("models", "verify", "mine").exit_code == 0
    finished = run("models", "remove", "mine")
    assert finished.exit_code == 66
    assert "it is not deleted" in finished.err
    assert (shelf / "model.bin").exists()


@pytest.mark.usefixtures("shelf")
def test_a_cache_that_cannot_be_made_is_told(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ASR_MODELS__CACHE_DIRECTORY", str(tmp_path / "file" / "cache"))
    finished = run("models", "pull", MODEL_NAME)
    assert finished.exit_code == 73
    assert "cache_not_writable" in finished.err


def test_samples_need_their_recordings(run: Run) -> None:
    finished = run("samples")
    assert finished.exit_code == 66
    assert "'phrases' is not in the catalogue" in finished.err


# --- models of one's own


def test_a_folder_that_is_locked_can_be_pulled_like_any_model(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "shelf" / "mine"
    folder.mkdir(parents=True)
    (folder / "model.pt").write_bytes(b"weights")
    locked = run(
        "models", "lock", folder, "--engine", "funasr", "--source", "model-scope:iic/mine@v1", "--languages", "zh, en"
    )
    assert locked.exit_code == 0
    (tmp_path / "own.toml").write_text(locked.out, encoding="utf-8")
    monkeypatch.setenv("ASR_MODELS__CATALOGUE", str(tmp_path / "own.toml"))
    assert "mine" in run("models", "list").out
    assert run("models", "pull", "mine").exit_code == 0
    (folder / "model.pt").write_bytes(b"altered")
    assert run("models", "remove", "mine").exit_code == 0
    refused = run("models", "pull", "mine")
    assert refused.exit_code == 69
    assert "model_download_failed" in refused.err


@pytest.mark.parametrize("source", ["somewhere:a/b@c", "model-scope:a/b", "model-scope:@v1", "model-scope"])
def test_a_source_of_another_form_is_refused(run: Run, tmp_path: Path, source: str) -> None:
    (tmp_path / "model.pt").write_bytes(b"weights")
    assert run("models", "lock", tmp_path, "--source", source).exit_code == 2


def test_a_catalogue_that_cannot_be_read_is_told(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ASR_MODELS__CATALOGUE", str(tmp_path / "nowhere.toml"))
    assert "catalogue_unusable" in run("models", "list").err


@pytest.mark.usefixtures("shelf")
def test_without_names_the_models_of_the_settings_are_meant(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASR_RECOGNIZER__MODEL", MODEL_NAME)
    monkeypatch.setenv("ASR_VAD__ENGINE", "fsmn")
    pulled = run("models", "pull")
    assert MODEL_NAME in pulled.out
    assert "'fsmn-vad' is not in the catalogue" in pulled.err
