"""Where in the folder of a model its parts are: file names vary from release to release, and from one precision to another."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from asr_service.domain.ports.model_store import ModelCorrupt, ModelUnsuitable

_TOKENIZER = "tokenizer.bin"
_LONG_PIECE = 128  # lengths from here on take two bytes


def find_part(directory: Path, pattern: str, *, quantized: bool) -> Path:
    """The one file that fits the pattern, in the precision that is wanted if there are two.

    Args:
        directory: Of the model.
        pattern: As for ``Path.glob``, for example ``*encoder*.onnx``.
        quantized: Whether a file with ``int8`` in its name is preferred.

    Raises:
        ModelUnsuitable: No file fits, or several do.
    """
    found = sorted(directory.glob(pattern))
    if len(found) > 1:
        found = [path for path in found if ("int8" in path.name) == quantized]
    if len(found) != 1:
        trouble = "several files" if len(found) > 1 else "no file"
        raise ModelUnsuitable(
            f"The folder of the model has {trouble} like {pattern}.",
            hint="Leave one file for each part in it, and check recognizer.architecture.",
        )
    return found[0]


@contextmanager
def token_table(directory: Path, pattern: str) -> Iterator[Path]:
    """The path of the table of tokens, a line each, for as long as the block lasts.

    Moonshine's own packages have its pieces in ``tokenizer.bin`` instead, of which a table is made.

    Raises:
        ModelUnsuitable: There is neither.
        ModelCorrupt: ``tokenizer.bin`` ends in the middle of a piece.
    """
    if (directory / _TOKENIZER).exists() and not any(directory.glob(pattern)):
        with TemporaryDirectory(prefix="asr-tokens-") as folder:
            path = Path(folder, "tokens.txt")
            path.write_text(_table(read_pieces((directory / _TOKENIZER).read_bytes())), encoding="ascii")
            yield path
    else:
        yield find_part(directory, pattern, quantized=False)


def read_pieces(content: bytes) -> list[bytes]:
    """The pieces of a ``tokenizer.bin`` in the order of their ids: before each its length, in one byte or in two.

    Raises:
        ModelCorrupt: It ends in the middle of a piece.
    """
    pieces = []
    position = 0
    while position < len(content):
        length = content[position]
        position += 1
        if length >= _LONG_PIECE and position < len(content):
            length += _LONG_PIECE * (content[position] - 1)
            position += 1
        if position + length > len(content):
            raise ModelCorrupt(f"{_TOKENIZER} ends in the middle of a piece.", hint="Fetch the model again.")
        pieces.append(content[position : position + length])
        position += length
    return pieces


def _table(pieces: list[bytes]) -> str:
    """As sherpa-onnx reads it: a piece in Base64, since it may be any bytes, and its id."""
    return "".join(f"{base64.b64encode(piece).decode('ascii')} {number}\n" for number, piece in enumerate(pieces))
