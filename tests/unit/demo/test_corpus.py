"""A corpus of a directory."""

import os
from pathlib import Path

import pytest

from lion_broker.demo.corpus import from_directory
from lion_broker.errors import ConfigError, ItemNotFoundError


def write(directory: Path, **files: str | bytes) -> None:
    """Write files whose names are given with `__` for the dot."""
    for name, content in files.items():
        path = directory / name.replace("__", ".")
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def test_text_markdown_and_code_are_read(tmp_path: Path) -> None:
    """Each file is read as what it is, in the order of the names; ids are the paths."""
    (tmp_path / "sub").mkdir()
    write(tmp_path, a__md="# Title\n\nProse.\n", b__txt="Plain.\n", c__py="def f():\n    '''Do.'''\n")
    write(tmp_path / "sub", d__rs="fn main() {}\n")
    corpus = from_directory(tmp_path)
    assert [(passage.id, passage.title) for passage in corpus] == [
        ("a.md#1", "Title"),
        ("b.txt#1", "b.txt"),
        ("c.py#1", "c.py › `f`"),
        ("sub/d.rs#1", "sub/d.rs"),
    ]
    assert corpus.name == f"the folder “{tmp_path.name}”"
    assert corpus["b.txt#1"].text == "Plain."
    assert corpus["sub/d.rs#1"].text == "```rust\nfn main() {}\n```"


def test_what_cannot_be_read_is_named_with_its_reason(tmp_path: Path) -> None:
    """Binary, wrongly encoded, huge and unreadable files and links are left out, and said so."""
    write(tmp_path, good__txt="Good.", binary__txt=b"a\0b", latin__txt="café".encode("latin-1"))
    write(tmp_path, huge__txt=b"x" * 2_000_001, wide__txt="breit".encode("utf-16"))
    (tmp_path / "link.txt").symlink_to("good.txt")
    (tmp_path / "gone.txt").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    os.mkfifo(tmp_path / "pipe.txt")
    corpus = from_directory(tmp_path)
    assert [passage.text for passage in corpus] == ["Good.", "breit"]
    assert {file.path: file.reason for file in corpus.skipped} == {
        "binary.txt": "a binary file",
        "gone.txt": "a symbolic link",
        "huge.txt": "2,000,001 bytes, over the limit of 2,000,000",
        "latin.txt": "not UTF-8 text (byte 3)",
        "link.txt": "a symbolic link",
        "pipe.txt": "not a regular file",
    }


def test_hidden_files_and_build_products_are_passed_over(tmp_path: Path) -> None:
    """Nobody asks about what a version control system or a build has left."""
    for folder in (".git", "node_modules", "docs"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder, a__txt=f"In {folder}.")
    corpus = from_directory(tmp_path)
    assert [passage.source for passage in corpus] == ["docs/a.txt"]
    assert corpus.skipped == ()


@pytest.mark.parametrize("content", [None, b"a\0b", b""])
def test_a_directory_without_text_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    """No files, or none that can be read, is told before anything is asked."""
    if content is not None:
        write(tmp_path, only__txt=content)
    with pytest.raises(ConfigError, match="no readable text in"):
        from_directory(tmp_path)


def test_a_missing_directory_is_an_error(tmp_path: Path) -> None:
    """So is a file in its place; the error says what is expected."""
    write(tmp_path, a__txt="text")
    for path in (tmp_path / "nowhere", tmp_path / "a.txt"):
        with pytest.raises(ConfigError, match="--corpus takes a folder"):
            from_directory(path)


def test_an_unknown_passage_is_an_error(tmp_path: Path) -> None:
    """The error shows what ids look like."""
    write(tmp_path, a__txt="text")
    corpus = from_directory(tmp_path)
    assert "a.txt#1" in corpus
    assert "a.txt#2" not in corpus
    with pytest.raises(ItemNotFoundError, match=r"no passage 'a.txt#2' in .*; its first one is a.txt#1"):
        corpus["a.txt#2"]
