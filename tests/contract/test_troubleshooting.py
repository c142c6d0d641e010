"""The page on troubleshooting: what it quotes is said by the package, and its reasons are those of dead letters."""

import ast
import re
from pathlib import Path

import pytest

import lion_broker

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith(("| ---", "| symptom"))
]
QUOTES = sorted({quote for row in ROWS for quote in re.findall(r'"([^"]+)"', row[0])})
REASONS = sorted({reason for row in ROWS for reason in re.findall(r"`([a-z]+(?:_[a-z]+)*)`", row[0])})


def said() -> str:
    """All texts of the package's sources, with a blank where a value is put in, and its functions' words."""
    found: list[str] = []
    for path in sorted(Path(lion_broker.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                parts = (part.value if isinstance(part, ast.Constant) else "" for part in node.values)
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    found += [path.read_text() for path in sorted(Path(lion_broker.__file__).parent.rglob("*.lua"))]
    return "\n".join(found)


@pytest.fixture(scope="module")
def texts() -> str:
    """What the package can say."""
    return said()


@pytest.mark.parametrize("quote", QUOTES)
def test_what_is_quoted_is_said(quote: str, texts: str) -> None:
    """Word for word."""
    assert quote in texts


@pytest.mark.parametrize("reason", REASONS)
def test_reasons_are_those_of_dead_letters(reason: str, texts: str) -> None:
    """Each code is one that the package writes."""
    assert re.search(rf"(?<![a-z_]){reason}(?![a-z_])", texts)


def test_every_row_says_where_to_look_and_what_to_do() -> None:
    """Four cells, none empty, a command in the third; and there are enough of them to be of use."""
    assert len(ROWS) > 40
    for row in ROWS:
        assert len(row) == 4
        assert all(row)
        assert "`lion-broker " in row[2]
