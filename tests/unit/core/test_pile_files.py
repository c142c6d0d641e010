"""Piles in files and tables."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lion_broker.core.log import LogPile
from lion_broker.core.node import Node
from lion_broker.core.pile import Pile
from lion_broker.errors import ConfigError

CONTENTS = ["text", "12", "", 'a "quoted"\r\nline', "NaN", 12, 1.5, None, True, [1, "x"], {"ä": {"b": []}}]


@pytest.fixture
def pile() -> Pile[Node]:
    """A pile of nodes with contents of every kind."""
    return Pile([Node(content=content, created_at=1_736_035_200.25) for content in CONTENTS])


def test_json_file(pile: Pile[Node], tmp_path: Path) -> None:
    """A pile read from its JSON file is the same one."""
    pile.to_json_file(tmp_path / "pile.json")
    assert Pile.from_json_file(tmp_path / "pile.json").to_dict() == pile.to_dict()


def test_csv_file(pile: Pile[Node], tmp_path: Path) -> None:
    """The items of a CSV file are the ones that were written."""
    pile.to_csv_file(str(tmp_path / "pile.csv"))
    restored = Pile[Node].from_csv_file(tmp_path / "pile.csv")
    assert [node.to_dict() for node in restored] == [node.to_dict() for node in pile]


@pytest.mark.parametrize("text", ["{", "[]", "5"])
def test_a_file_that_holds_no_pile(text: str, tmp_path: Path) -> None:
    """The error names the file."""
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(ConfigError, match=r"bad\.json"):
        Pile.from_json_file(tmp_path / "bad.json")


def test_frame_of_a_pile(pile: Pile[Node]) -> None:
    """A row an item, a column a field; `created_at` is a time in UTC."""
    frame = pile.to_df()
    assert list(frame) == ["id", "created_at", "metadata", "content", "embedding"]
    assert frame["content"].tolist() == CONTENTS
    assert frame["created_at"][0] == datetime(2025, 1, 5, microsecond=250000, tzinfo=UTC)
    assert list(pile.to_df(["content", "missing"])) == ["content", "missing"]


def test_frame_of_an_empty_pile() -> None:
    """The columns of an empty frame have their types."""
    frame = Pile[Node]().to_df()
    assert len(frame) == 0
    assert str(frame["created_at"].dt.tz) == "UTC"
    assert list(Pile[Node]().to_df(["id"])) == ["id"]


def test_logs(tmp_path: Path) -> None:
    """Logs are a pile: they go to a file and come back as logs."""
    logs = LogPile()
    logs.log("started")
    logs.to_json_file(tmp_path / "logs.json")
    restored = LogPile.from_json_file(tmp_path / "logs.json")
    assert type(restored) is LogPile
    assert restored[0].content == {"text": "started"}
    assert json.loads((tmp_path / "logs.json").read_text())["item_type"] == ["Log"]


def test_long_cells(tmp_path: Path) -> None:
    """A cell may be longer than the csv module's limit, which is the same afterwards."""
    before = csv.field_size_limit()
    Pile([Node(content="x" * (before + 1))]).to_csv_file(tmp_path / "pile.csv")
    (restored,) = Pile[Node].from_csv_file(tmp_path / "pile.csv")
    assert len(restored.content) == before + 1
    assert csv.field_size_limit() == before
