import re
from pathlib import Path

import pytest

from asr_service.infrastructure.config.fields import setting_fields
from asr_service.infrastructure.config.loading import load_settings
from asr_service.infrastructure.config.reference import BEGIN, END, env_example, with_tables, write_reference
from asr_service.infrastructure.config.settings import Settings

ROOT = Path(__file__).parents[4]
REMEDY = "run: python -m asr_service.infrastructure.config.reference"


def test_the_env_example_of_the_repository_is_up_to_date() -> None:
    assert (ROOT / ".env.example").read_text(encoding="utf-8") == env_example(), REMEDY


def test_the_tables_in_the_documentation_are_up_to_date() -> None:
    document = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert document == with_tables(document), REMEDY


def test_every_setting_is_in_the_env_example_and_says_what_it_means() -> None:
    variables = re.findall(r"^# (ASR_\w+)=", env_example(), re.MULTILINE)
    assert variables == ["ASR_CONFIG_FILE", *(field.variable for field in setting_fields().values())]
    assert [field.key for field in setting_fields().values() if not field.info.description] == []


def test_the_env_example_with_every_line_in_force_gives_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(re.sub(r"^# (ASR_\w+=)", r"\1", env_example(), flags=re.MULTILINE))
    assert load_settings(env_file=path, environ={}).model_dump() == Settings().model_dump()


def test_no_line_of_the_env_example_is_too_long_to_read() -> None:
    assert max(len(line) for line in env_example().splitlines()) <= 110


def test_a_document_without_the_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="needs the marks"):
        with_tables("# Configuration\n")


def test_both_files_are_written_and_what_is_around_the_tables_is_kept(tmp_path: Path) -> None:
    document = tmp_path / "docs" / "configuration.md"
    document.parent.mkdir()
    document.write_text(f"before\n{BEGIN}\noutdated\n{END}\nafter\n")
    write_reference(tmp_path)
    written = document.read_text()
    assert written.startswith(f"before\n{BEGIN}\n")
    assert written.endswith(f"{END}\nafter\n")
    assert "outdated" not in written
    assert "| `server.port` | `ASR_SERVER__PORT` | an integer from 0 to 65535 | `8000` |" in written
    assert (tmp_path / ".env.example").read_text() == env_example()
