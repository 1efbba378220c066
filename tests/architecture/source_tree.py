"""The repository as the architecture tests see it: its files, its modules, its functions."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeAlias

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "src" / "asr_service"
SCRIPTS = ROOT / "scripts"

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

# Hidden files and folders are made by tools, apart from these.
VISIBLE_DOT_NAMES = {".ci", ".github", ".gitignore", ".env.example", ".pre-commit-config.yaml", ".dockerignore"}
MADE_HERE = {"build", "dist", "__pycache__", "node_modules"}


def name_of(path: Path) -> str:
    """The path as people write it: relative to the repository."""
    return path.relative_to(ROOT).as_posix()


@cache
def repository_files() -> tuple[Path, ...]:
    """Every file that belongs to the repository, in order; what tools and tests make is left out."""
    return tuple(_walk(ROOT))


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        made_by_tools = path.name.startswith(".") and path.name not in VISIBLE_DOT_NAMES
        if made_by_tools or path.name in MADE_HERE:
            continue
        if path.is_dir():
            yield from _walk(path)
        else:
            yield path


def package_modules() -> list[Path]:
    """Every module of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def modules_under(*parts: str) -> list[Path]:
    """Every module of one part of the package, for example ``modules_under("domain")``."""
    return sorted(PACKAGE.joinpath(*parts).rglob("*.py"))


@cache
def parsed(path: Path) -> ast.Module:
    """The module's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=name_of(path))


def functions_in(path: Path) -> Iterator[Function]:
    """Every function of the module, methods and nested ones too."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def body_lines(function: Function) -> int:
    """How many lines the function's body takes, from its first statement to its last, docstring left out."""
    body = function.body if ast.get_docstring(function, clean=False) is None else function.body[1:]
    if not body:
        return 0
    return (body[-1].end_lineno or body[-1].lineno) - body[0].lineno + 1


def imported_roots(path: Path) -> Iterator[tuple[int, str]]:
    """Line and top-level package of every import in the module, wherever it stands."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name.partition(".")[0]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.lineno, node.module.partition(".")[0]
