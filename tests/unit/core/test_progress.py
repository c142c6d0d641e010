"""Long work says on a terminal how far it is, and nowhere else."""

from io import StringIO

import pytest

from lion_broker.core import progress as module
from lion_broker.core.progress import progress


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def terminal(monkeypatch: pytest.MonkeyPatch, after: float = 0.0) -> Terminal:
    """What stands in for a terminal at stderr, from now on; work that takes longer than `after` is told of."""
    shown = Terminal()
    monkeypatch.setattr("sys.stderr", shown)
    monkeypatch.setattr(module, "AFTER_SECONDS", after)
    monkeypatch.setenv("TERM", "xterm")
    return shown


def test_it_counts_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of how many, and what it is that is done; also where nobody knows of how many."""
    shown = terminal(monkeypatch)
    with progress("removing", 3) as step:
        step(1)
        step(2)
    assert "removing" in shown.getvalue()
    assert "3/3" in shown.getvalue()
    with progress("exporting") as step:
        step(7)
    assert "7/?" in shown.getvalue()


def test_it_says_nothing_of_what_is_over_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar that flashes up helps nobody."""
    shown = terminal(monkeypatch, float("inf"))
    with progress("removing", 3) as step:
        step(3)
    assert shown.getvalue() == ""


def test_it_is_silent_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    """In pipes, files and notebooks."""
    with progress("removing", 3) as step:
        step(3)
    assert capsys.readouterr() == ("", "")
