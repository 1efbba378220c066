"""A wire protocol is one pure module, made known in one line."""

import ast
from collections import Counter
from pathlib import Path

from asr_service.bootstrap import wire_protocols
from asr_service.infrastructure.config.settings import Settings
from tests.architecture.source_tree import PACKAGE, imported_roots, modules_under, name_of, package_modules, parsed
from tests.fixtures.codecs import CODECS, GOLDEN

PROTOCOLS = ("app", "api", "v1", "websocket", "protocols")
PORT = PACKAGE.joinpath(*PROTOCOLS, "codec.py")
IMPURE = {
    "asyncio",
    "io",
    "logging",
    "os",
    "pathlib",
    "random",
    "socket",
    "structlog",
    "subprocess",
    "threading",
    "time",
}


def _codec_modules() -> list[Path]:
    """Those that hold the codec of a protocol, and not only a part of one."""
    return [
        path
        for path in modules_under(*PROTOCOLS)
        if path != PORT
        and any(isinstance(node, ast.ClassDef) and node.name.endswith("Codec") for node in parsed(path).body)
    ]


def _imports() -> list[tuple[Path, str]]:
    """Who imports which module, of the package's own."""
    return [
        (path, node.module)
        for path in package_modules()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom) and node.module is not None
    ]


def test_protocols_do_no_input_or_output_and_know_no_clock() -> None:
    modules = modules_under(*PROTOCOLS)
    assert len(modules) > 5
    impure = [
        f"{name_of(path)}:{line} {root}" for path in modules for line, root in imported_roots(path) if root in IMPURE
    ]
    assert impure == []


def test_every_codec_is_made_known_in_one_place() -> None:
    codecs = {".".join(["asr_service", *PROTOCOLS, path.stem]): name_of(path) for path in _codec_modules()}
    importers = Counter(codecs[module] for _, module in _imports() if module in codecs)
    assert importers == dict.fromkeys(codecs.values(), 1)


def test_vosk_is_one_module_that_the_table_of_the_composition_root_names() -> None:
    importers = [name_of(path) for path, module in _imports() if module.endswith(".protocols.vosk")]
    assert importers == ["src/asr_service/bootstrap.py"]
    assert "vosk" in {path.stem for path in _codec_modules()}


def test_protocols_have_their_names_and_paths_to_themselves() -> None:
    table = wire_protocols(Settings())
    paths = [path for protocol in table for path in protocol.paths]
    assert len(paths) == len(set(paths))
    assert len({protocol.name for protocol in table}) == len(table)


def test_every_protocol_of_the_table_has_recorded_dialogues_and_is_fuzzed() -> None:
    names = {protocol.name for protocol in wire_protocols(Settings())}
    assert names <= CODECS.keys()
    assert [name for name in CODECS if not list((GOLDEN / name).glob("*.jsonl"))] == []
