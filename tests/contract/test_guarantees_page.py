"""`docs/guarantees.md` names tests: each of them is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "guarantees.md"
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", PAGE.read_text())))
ROW = re.compile(r"^\| (?!---|fault|profile)(.*) \|$", re.MULTILINE)


@pytest.mark.parametrize("name", NAMED)
def test_what_shows_a_row_is_there(name: str) -> None:
    """A file of tests, or one test in it."""
    path, _, test = name.partition("::")
    text = ROOT.joinpath(path).read_text()
    assert re.search(rf"^(?:async )?def {test or r'test_'}", text, re.MULTILINE)


def test_every_row_is_shown() -> None:
    """By at least one test."""
    rows = ROW.findall(PAGE.read_text())
    assert len(rows) > 25
    assert [row for row in rows if "`tests/" not in row] == []
