"""Reads a directory of text, Markdown and source code into passages."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lion_broker.demo.blocks import Block, read_plain
from lion_broker.demo.markdown import read_markdown
from lion_broker.demo.passages import Passage, cut
from lion_broker.demo.source_code import read_python, read_source
from lion_broker.errors import ConfigError

__all__ = ["Skipped", "read_directory"]

_LARGEST_FILE = 2_000_000
_LARGEST_CORPUS = 50_000_000
_UNREAD_FOLDERS = frozenset({"__pycache__", "build", "dist", "node_modules", "venv"})
_MARKDOWN = frozenset({".md", ".markdown", ".mdx"})
_PLAIN = frozenset({"", ".txt", ".text", ".rst", ".adoc", ".log"})
_LANGUAGES = {
    ".js": "javascript",
    ".ts": "typescript",
    ".rs": "rust",
    ".rb": "ruby",
    ".sh": "sh",
    ".yml": "yaml",
}


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is not in the corpus, and why."""

    path: str
    reason: str


class _Unreadable(Exception):
    """Raised when a file cannot be part of a corpus; the message is the reason."""


def read_directory(directory: Path) -> tuple[list[Passage], list[Skipped]]:
    """Read every text file below a directory, in the order of the paths; return the passages and what was left out.

    Left out with a reason: binary files, text that is not UTF-8 (or UTF-16 with a mark), files over 2 MB, symbolic
    links (so a link can neither lead out of the directory nor in circles), devices and pipes, unreadable files, and
    what is beyond 50 MB in sum. Hidden files and folders, and folders of build products, are passed over in silence.
    Raises ConfigError when the directory does not exist or holds no text at all.
    """
    if not directory.is_dir():
        raise ConfigError(f"no directory at {str(directory)!r}: --corpus takes a folder of text, Markdown or code")
    passages: list[Passage] = []
    skipped: list[Skipped] = []
    seen: set[str] = set()
    room = _LARGEST_CORPUS
    for path in _files(directory):
        name = path.relative_to(directory).as_posix()
        try:
            text = _text(path, room)
        except _Unreadable as reason:
            skipped.append(Skipped(name, str(reason)))
            continue
        room -= len(text)
        passages += cut(_blocks(path.suffix.lower(), text), name, name, name, seen)
    if not passages:
        left_out = "; ".join(f"{file.path}: {file.reason}" for file in skipped[:3]) or "no file has any"
        raise ConfigError(
            f"no readable text in {str(directory)!r} ({left_out}):"
            " --corpus takes a folder of text, Markdown or code, in UTF-8 and in files of a reasonable size"
        )
    return passages, skipped


def _files(directory: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(directory, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _UNREAD_FOLDERS)
        yield from (Path(folder, name) for name in sorted(names) if not name.startswith("."))


def _text(path: Path, room: int) -> str:
    """Return the text of a file; raises _Unreadable with the reason when it has none."""
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            raise _Unreadable("a symbolic link" if path.is_symlink() else "not a regular file")
        if status.st_size > _LARGEST_FILE:
            raise _Unreadable(f"{status.st_size:,} bytes, over the limit of {_LARGEST_FILE:,}")
        if status.st_size > room:
            raise _Unreadable(f"the corpus has reached its limit of {_LARGEST_CORPUS:,} bytes")
        content = path.read_bytes()
    except OSError as error:
        raise _Unreadable(error.strerror or str(error)) from error
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _decoded(content, "utf-16")
    if b"\0" in content[:8192]:
        raise _Unreadable("a binary file")
    return _decoded(content, "utf-8-sig")


def _decoded(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise _Unreadable(f"not UTF-8 text (byte {error.start})") from error


def _blocks(suffix: str, text: str) -> list[Block]:
    if suffix in _MARKDOWN:
        return read_markdown(text)
    if suffix in _PLAIN:
        return read_plain(text)
    if suffix == ".py":
        return read_python(text)
    return read_source(text, _LANGUAGES.get(suffix, suffix.lstrip(".")))
