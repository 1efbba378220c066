"""Lists of words are read as people write them, and complaints quote none of them."""

from pathlib import Path

import pytest

from asr_service.infrastructure.text.word_lists import WordListUnreadable, read_tenants_words, read_words


def test_a_word_or_phrase_stands_on_each_line(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("\ufeff# ours\nfoo\n\n  bar baz \n傻瓜\n", encoding="utf-8")
    assert read_words(tmp_path / "words.txt") == ["foo", "bar baz", "傻瓜"]


def test_each_tenant_has_a_file_of_its_name(tmp_path: Path) -> None:
    for tenant, word in (("acme", "foo"), ("other", "bar")):
        (tmp_path / f"{tenant}.txt").write_text(word, encoding="utf-8")
    (tmp_path / "notes.md").write_text("nothing", encoding="utf-8")
    assert read_tenants_words(tmp_path) == {"acme": ["foo"], "other": ["bar"]}


def test_what_cannot_be_read_is_told_without_a_word_of_it(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes("傻瓜".encode("gb18030"))
    with pytest.raises(WordListUnreadable, match=r"list\.txt: it is no UTF-8\.$"):
        read_words(tmp_path / "list.txt")
    with pytest.raises(WordListUnreadable, match="No such file"):
        read_words(tmp_path / "missing.txt")
    with pytest.raises(WordListUnreadable, match="names no directory"):
        read_tenants_words(tmp_path / "missing")
