"""Which index is used, asking the real pip."""

import sys
import venv
from pathlib import Path

import pytest

from asr_service.infrastructure.artifacts.pip_configuration import read_index_configuration
from asr_service.infrastructure.artifacts.staging import SourceFailed


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CERT", "PIP_TIMEOUT", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("PIP_DEFAULT_TIMEOUT", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")  # pip then reads no file at all


@pytest.fixture
def python_without_pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare/bin/python"))


def test_a_configuration_file_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "pip.conf"
    file.write_text(
        "[global]\nindex-url = https://mirror.test/simple\nextra-index-url =\n  https://a.test/s\n  https://b.test/s\n"
        "find-links = /wheels\ncert = /ca.pem\nproxy = http://proxy.test:3128\ntrusted-host = mirror.test\ntimeout = 9\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    configuration = read_index_configuration()
    assert configuration.indexes == ("https://mirror.test/simple", "https://a.test/s", "https://b.test/s")
    assert configuration.find_links == ("/wheels",)
    assert configuration.certificates == Path("/ca.pem")
    assert configuration.proxy == "http://proxy.test:3128"
    assert configuration.trusted_hosts == ("mirror.test",)
    assert configuration.read_timeout_s == 9.0


def test_without_any_setting_the_default_of_pip_is_used() -> None:
    configuration = read_index_configuration()
    assert len(configuration.indexes) == 1
    assert configuration.indexes[0].startswith("https://")
    assert configuration.read_timeout_s == 60.0


def test_no_index_leaves_the_links_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels https://links.test/page")
    configuration = read_index_configuration()
    assert configuration.indexes == ()
    assert configuration.find_links == ("/wheels", "https://links.test/page")


def test_a_timeout_that_is_no_number_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_TIMEOUT", "soon")
    with pytest.raises(SourceFailed, match="'soon' is no number"):
        read_index_configuration()


@pytest.mark.usefixtures("python_without_pip")
def test_without_pip_the_environment_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.test/simple")
    assert read_index_configuration().indexes == ("https://mirror.test/simple",)


@pytest.mark.usefixtures("python_without_pip")
def test_without_pip_and_without_a_variable_the_reason_says_what_to_set() -> None:
    with pytest.raises(SourceFailed, match="PIP_INDEX_URL is not set"):
        read_index_configuration()


def test_a_python_that_cannot_be_started_is_a_reason_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(SourceFailed, match="pip cannot be asked"):
        read_index_configuration()
