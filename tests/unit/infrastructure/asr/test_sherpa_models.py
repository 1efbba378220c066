"""Which models sherpa-onnx's engine runs, and where it finds their parts."""

import pickle
from pathlib import Path

import pytest

from asr_service.domain.ports.model_store import ModelCorrupt, ModelUnsuitable
from asr_service.infrastructure.asr.sherpa.architectures import ARCHITECTURES, architecture_of
from asr_service.infrastructure.asr.sherpa.model_files import find_part, read_pieces, token_table
from asr_service.infrastructure.asr.sherpa_onnx_adapter import SherpaOnnxEngineFactory


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("encoder-epoch-99.onnx", "encoder-epoch-99.int8.onnx", "decoder.onnx", "a-model.onnx", "b-model.onnx"):
        (tmp_path / name).touch()
    return tmp_path


def test_of_two_precisions_the_one_is_taken_that_is_wanted(folder: Path) -> None:
    assert find_part(folder, "*encoder*.onnx", quantized=True).name == "encoder-epoch-99.int8.onnx"
    assert find_part(folder, "*encoder*.onnx", quantized=False).name == "encoder-epoch-99.onnx"


@pytest.mark.parametrize("quantized", [True, False])
def test_the_only_file_is_taken_whatever_its_precision(folder: Path, quantized: bool) -> None:
    assert find_part(folder, "*decoder*.onnx", quantized=quantized).name == "decoder.onnx"


@pytest.mark.parametrize(("pattern", "trouble"), [("*joiner*.onnx", "no file"), ("*model*.onnx", "several files")])
def test_a_part_has_to_be_one_file(folder: Path, pattern: str, trouble: str) -> None:
    with pytest.raises(ModelUnsuitable, match=trouble) as refusal:
        find_part(folder, pattern, quantized=False)
    assert "recognizer.architecture" in (refusal.value.hint or "")


def test_pieces_have_their_length_before_them() -> None:
    long = b"x" * 300  # in two bytes: 300 = 172 + 128 * (2 - 1)
    assert read_pieces(b"\x02ab\x00\x01c" + bytes([172, 2]) + long) == [b"ab", b"", b"c", long]


@pytest.mark.parametrize("content", [b"\x02a", b"\x05", bytes([200]), bytes([172, 2]) + b"x" * 299])
def test_a_piece_that_is_cut_off_is_corrupt(content: bytes) -> None:
    with pytest.raises(ModelCorrupt, match="middle of a piece"):
        read_pieces(content)


def test_a_table_of_tokens_is_made_of_the_pieces(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.bin").write_bytes(b"\x05<unk>\x04\xe2\x96\x81t")
    with token_table(tmp_path, "*tokens.txt") as path:
        assert path.read_text() == "PHVuaz4= 0\n4paBdA== 1\n"
    assert not path.exists()


def test_a_table_of_tokens_that_is_there_is_used(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.bin").touch()
    (tmp_path / "base-tokens.txt").touch()
    with token_table(tmp_path, "*tokens.txt") as path:
        assert path == tmp_path / "base-tokens.txt"


def test_without_any_table_the_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnsuitable, match="tokens"), token_table(tmp_path, "*tokens.txt"):
        pass


def test_an_unknown_architecture_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ModelUnsuitable, match="wav2letter") as refusal:
        architecture_of("wav2letter")
    assert "moonshine, " in (refusal.value.hint or "")
    with pytest.raises(ModelUnsuitable, match="has no architecture"):
        architecture_of("")


def test_streaming_architectures_say_so_in_their_names() -> None:
    assert {name for name, known in ARCHITECTURES.items() if known.streaming} == {
        name for name in ARCHITECTURES if name.endswith("-streaming")
    }


def test_a_model_whose_languages_nobody_says_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnsuitable, match="own") as refusal:
        SherpaOnnxEngineFactory(tmp_path, "own", "moonshine")()
    assert "recognizer.languages" in (refusal.value.hint or "")


def test_a_factory_travels_to_its_worker(tmp_path: Path) -> None:
    factory = SherpaOnnxEngineFactory(tmp_path, "own", "moonshine", frozenset({"en"}))
    assert pickle.loads(pickle.dumps(factory)) == factory
