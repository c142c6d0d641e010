"""The sender's journal: what it says after each kind of end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.chaos.journal import Account, Fate, Journal


def test_a_journal_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Numbers go on, each mail has its recipient and its fate."""
    journal = Journal(tmp_path / "j")
    journal.intend(["a", "b"])
    journal.settle(Fate.ACKED)
    journal.intend(["c"])
    journal.settle(Fate.UNKNOWN)
    account = Account.read(tmp_path / "j")
    assert account.recipients == {0: "a", 1: "b", 2: "c"}
    assert account.fates == {0: Fate.ACKED, 1: Fate.ACKED, 2: Fate.UNKNOWN}
    assert (account.open, account.following, journal.following) == ([], 3, 3)


def test_what_was_open_is_unknown_to_the_next(tmp_path: Path) -> None:
    """A process that died between intent and fate has posted or not; the next one goes on behind it."""
    Journal(tmp_path / "j").intend(["a", "b"])
    assert Account.read(tmp_path / "j").open == [0, 1]
    journal = Journal(tmp_path / "j")
    journal.intend(["c"])
    account = Account.read(tmp_path / "j")
    assert account.fates == {0: Fate.UNKNOWN, 1: Fate.UNKNOWN}
    assert (account.open, account.recipients[2]) == ([2], "c")


@pytest.mark.parametrize("left", range(1, 40, 3))
def test_a_torn_line(tmp_path: Path, left: int) -> None:
    """An intent of which a part is on disk was followed by no post; its number is used again."""
    path = tmp_path / "j"
    journal = Journal(path)
    journal.intend(["a"])
    journal.settle(Fate.ACKED)
    size = path.stat().st_size
    journal.intend(["some recipient with a long name"])
    os.truncate(path, size + left)
    journal = Journal(path)
    assert journal.following == 1
    journal.intend(["b"])
    journal.settle(Fate.ACKED)
    assert Account.read(path).recipients == {0: "a", 1: "b"}


def test_each_line_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the call returns."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda _: synced.append((tmp_path / "j").stat().st_size))
    journal = Journal(tmp_path / "j")
    synced.clear()
    journal.intend(["a"])
    journal.settle(Fate.ACKED)
    assert len(synced) == 2
    assert synced[-1] == (tmp_path / "j").stat().st_size
