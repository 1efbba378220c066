"""Writes down what the model says: ``.env.example``, and the tables of ``docs/configuration.md``.

``python -m asr_service.infrastructure.config.reference`` brings both up to date; a test compares them with the model.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap
from typing import Final

from asr_service.infrastructure.config.fields import CONFIG_FILE_VARIABLE, SettingField, sections, setting_fields

BEGIN: Final = "<!-- settings: written from the model, do not edit -->"
END: Final = "<!-- settings: end -->"

_WIDTH: Final = 110

_PREAMBLE: Final = f"""\
# Settings of asr-service, each with its default. Copy this file to .env and uncomment what you change.
# An empty value counts as not set. The environment wins over this file; see docs/configuration.md.
# Written by: python -m asr_service.infrastructure.config.reference

# A YAML or TOML file with further settings; what is set here wins over it.
# {CONFIG_FILE_VARIABLE}=
"""


def env_example() -> str:
    """The text of ``.env.example``: every setting, commented out, with its meaning and its default."""
    blocks = [_PREAMBLE]
    for section, fields in _by_section():
        if section:
            blocks.append(f"# ----- {section}: {_summary(section)}\n")
        blocks.extend(_example(field) for field in fields)
    return "\n".join(blocks)


def settings_tables() -> str:
    """The tables of ``docs/configuration.md``, in Markdown."""
    parts: list[str] = []
    for section, fields in _by_section():
        parts.append(f"### {section}\n\n{_summary(section)}\n" if section else "### The installation\n")
        rows = ["| key | variable | allowed | default | meaning |", "| --- | --- | --- | --- | --- |"]
        parts.append("\n".join([*rows, *(_row(field) for field in fields)]) + "\n")
    return "\n".join(parts)


def with_tables(document: str) -> str:
    """The document, with what stands between its two marks replaced by the tables.

    Raises:
        ValueError: A mark is missing.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the document needs the marks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{settings_tables()}\n{END}{after}"


def write_reference(root: Path) -> None:
    """Brings both files of a working copy up to date."""
    (root / ".env.example").write_text(env_example(), encoding="utf-8")
    document = root / "docs" / "configuration.md"
    document.write_text(with_tables(document.read_text(encoding="utf-8")), encoding="utf-8")


def _by_section() -> Iterator[tuple[str, list[SettingField]]]:
    """The settings that stand alone, under an empty name, then those of each section."""
    for section in ("", *sections()):
        yield section, [field for key, field in setting_fields().items() if key.rpartition(".")[0] == section]


def _summary(section: str) -> str:
    return (sections()[section].__doc__ or "").strip()


def _example(field: SettingField) -> str:
    unset = f" If not set: {field.machine_default}." if field.machine_default else ""
    text = f"{field.info.description} Allowed: {field.allowed}.{unset}"
    comment = "\n".join(f"# {line}" for line in wrap(text, _WIDTH - 2, break_on_hyphens=False, break_long_words=False))
    return f"{comment}\n# {field.variable}={field.default}\n"


def _row(field: SettingField) -> str:
    default = field.machine_default or (f"`{field.default}`" if field.default else "empty")
    cells = (f"`{field.key}`", f"`{field.variable}`", field.allowed, default, field.info.description or "")
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    write_reference(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
