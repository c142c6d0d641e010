"""Corpora of one, two or three passages: an answer when it is there, and none when it is not."""

from pathlib import Path

import pytest

from lion_broker.demo.corpus import from_directory
from lion_broker.demo.planning import find, sub_questions
from lion_broker.demo.search import Search
from lion_broker.errors import ConfigError

TEXTS = {
    "lions.md": "# Lions\n\nA lion is a large cat that lives in groups called prides. Lions hunt at night.\n",
    "owls.txt": "Owls are birds that see well in the dark. Owls eat mice.\n",
    "bees.txt": "Bees make honey. A lion never eats honey.\n",
}


def quoted(question: str, folder: Path) -> str:
    """All that the readers would quote."""
    search = Search(from_directory(folder))
    return " ".join(quote.text for part in sub_questions(question, search) for quote in find(part, search).quotes)


@pytest.fixture(params=[1, 2, 3])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with so many texts."""
    for name, text in list(TEXTS.items())[: request.param]:
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How do lions hunt?", "Lions hunt at night."),
        ("What is a lion?", "A lion is a large cat"),
        ("What is a pride?", "groups called prides"),
    ],
)
def test_what_is_there_is_found(folder: Path, question: str, answer: str) -> None:
    """Even where every passage has the words of the question, so that none of them tells passages apart."""
    assert answer in quoted(question, folder)


@pytest.mark.parametrize("question", ["What is the price of bananas?", "How do ships sail?"])
def test_what_is_not_there_is_not_found(folder: Path, question: str) -> None:
    """A small corpus is no reason to quote something else."""
    assert quoted(question, folder) == ""


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no file has any"),
        (b"", "no file has any"),
        (b"\x00\x01\x02", "a binary file"),
        (b"Die L\xf6wen", "not UTF-8"),
        (b"lions " * 1_000_000, "6,000,000 bytes, over the limit"),
    ],
)
def test_a_folder_without_text_says_why(tmp_path: Path, content: bytes | None, reason: str) -> None:
    """The error names what was found instead, and what is taken."""
    if content is not None:
        (tmp_path / "file.txt").write_bytes(content)
    with pytest.raises(ConfigError, match=f"{reason}.*: --corpus takes a folder of text"):
        from_directory(tmp_path)
