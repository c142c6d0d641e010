"""What a terminal shows of a desk at work."""

import io
import time

from rich.console import Console

from lion_broker.demo.live import show_report, watching
from lion_broker.demo.picture import Picture, Row


def terminal() -> tuple[Console, io.StringIO]:
    """A terminal of 100 columns, and what is written to it."""
    written = io.StringIO()
    return Console(file=written, force_terminal=True, width=100, color_system=None), written


def test_the_picture_is_drawn_as_it_is() -> None:
    """Branches, workers, counts and happenings are there, and nothing of it is taken for markup."""
    picture = Picture(str, str, time.monotonic())
    picture.rows["r"] = Row(
        "reader-1", "worker 2", at_work=True, turns=3, taken=4, sent=5, latest="[bold]quotes[/bold]"
    )
    picture.say("worker 3 is killed")
    console, written = terminal()
    with watching(console) as watch:
        watch(picture)
    shown = written.getvalue()
    assert "reader-1" in shown
    assert "worker 2 …" in shown
    assert "[bold]quotes[/bold]" in shown
    assert "worker 3 is killed" in shown


def test_the_report_is_rendered() -> None:
    """Markdown becomes what a terminal can show."""
    console, written = terminal()
    show_report(console, "# Title\n\nSome *words*. [1]\n")
    assert "Title" in written.getvalue()
    assert "Some words. [1]" in written.getvalue()
