"""Modules say what they are for, have the name of one thing, and lean only on what their layer allows."""

import ast
import sys

import pytest

from tests.architecture.source_tree import (
    PACKAGE,
    SCRIPTS,
    imported_roots,
    modules_under,
    name_of,
    package_modules,
    parsed,
    repository_files,
)

DRAWERS = {"base", "common", "constants", "helper", "helpers", "manager", "managers", "misc", "types", "util", "utils"}


def test_every_module_has_a_docstring() -> None:
    modules = [*package_modules(), *sorted(SCRIPTS.rglob("*.py"))]
    assert [name_of(path) for path in modules if not ast.get_docstring(parsed(path))] == []


def test_no_module_or_folder_is_a_drawer() -> None:
    drawers = [
        name_of(path)
        for path in repository_files()
        if path.suffix == ".py" and DRAWERS & {path.stem, *path.relative_to(PACKAGE.parent.parent).parts[:-1]}
    ]
    assert drawers == []


@pytest.mark.parametrize("layer", ["domain", "shared"])
def test_layer_needs_the_standard_library_only(layer: str) -> None:
    allowed = {*sys.stdlib_module_names, "asr_service"}
    modules = modules_under(layer)
    assert modules, f"no module found in {layer}"
    foreign = [
        f"{name_of(path)}:{line} imports {root}"
        for path in modules
        for line, root in imported_roots(path)
        if root not in allowed
    ]
    assert foreign == []


def test_only_the_command_line_prints() -> None:
    command_line = {PACKAGE / "cli.py", *modules_under("cli")}
    prints = [
        f"{name_of(path)}:{node.lineno}"
        for path in package_modules()
        if path not in command_line
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert prints == []


def test_the_domain_is_told_the_time_and_never_asks() -> None:
    asks = [
        f"{name_of(path)}:{node.lineno} {node.attr}"
        for path in modules_under("domain")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Attribute) and node.attr in {"now", "today", "utcnow"}
    ]
    assert asks == []
