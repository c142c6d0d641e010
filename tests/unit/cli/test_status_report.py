"""What `status` shows, as values, as text, and on a screen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console

from lion_broker.cli.printing import ago, cell
from lion_broker.cli.screen import drawn, screen
from lion_broker.cli.status_report import StatusReport
from lion_broker.dashboard.views.notices import notices
from lion_broker.insight.overview import Overview, Rates
from lion_broker.insight.views import PoolView, WorkerView
from lion_broker.mail.deployment import Tally

WORKER = WorkerView("home:1:a", "p", "running", "home", 1, "0.1.0", 1000.0, 1099.0, 100, 3, 5, 7, 0)
POOLS = (PoolView("p", 2, 3, 1.25, 1, 100, 2), PoolView("q", 4, 0, 75.0, 0, 0))
BUSY = Tally("s-1", branches=3, posted=1, inflight=9)
SEEN = Overview(1100.0, (WORKER, replace(WORKER, owner="home:2:b", state="lost")), POOLS, (BUSY,), retrying=1)


def sight(seen: Overview = SEEN, rates: Rates | None = None) -> StatusReport:
    """A look at something."""
    return StatusReport("redis://home", "durable", "main", seen, rates, seen.busiest(5), {"s-1": '"mine"'})


def test_as_values() -> None:
    """All that there is, by names that programs can rely on."""
    plain = sight(rates=Rates(2.0, 1.0, 2.0, 0.0, 0.0)).plain()
    assert set(plain) == {
        "at",
        "server",
        "sessions",
        "more_sessions",
        "branches",
        "mail",
        "waiting",
        "oldest_seconds",
        "paused",
        "rates",
        "pools",
        "workers",
        "limits",
        "busiest",
    }
    assert plain["server"] == {"url": "redis://home", "profile": "durable", "namespace": "main"}
    assert (plain["waiting"], plain["oldest_seconds"], plain["rates"]["applied"]) == (6, 75.0, 2.0)
    assert plain["busiest"][0]["name"] == "mine"


def test_as_text() -> None:
    """Sums, tables, and the next step where something is wrong."""
    text = sight(rates=Rates(2.0, 1.0, 1234.5, 0.0, 0.0)).text()
    assert "1 session, 3 branches: 1 mail posted, 0 applied, 9 in flight, 1 to be tried again\n" in text
    assert "1,234.5 mails/s applied" in text
    assert "Nobody serves the pool q, where work waits: lion-broker worker --app MODULE:NAME --pool q" in text
    assert "pool p," not in text
    lost = (
        "The worker home:2:b was lost, last heard 1 s ago, at 00:18:19 UTC: what was in hand goes to others of the"
        " pool; once you know"
    )
    assert f"{lost} of it: lion-broker forget home:2:b\n" in text
    assert "UNRECEIVED" not in text
    waits = replace(SEEN, inboxes={"s-1": 2}, unseen=1)
    assert "9 in flight, 1 to be tried again, 2 not received yet\n" in sight(waits).text()
    assert "2 mails not received yet, and perhaps more in 1 session; a program's own" in sight(waits).text()
    assert "no worker takes it: lion-broker mail ls s-1 --state waiting" in sight(waits).text()
    idle = replace(SEEN, pools=(replace(POOLS[1], wanted=0),))
    assert "The pool q is scaled to no workers, and work waits there: lion-broker scale q 1" in sight(idle).text()
    assert "Nobody serves" not in sight(idle).text()
    assert "UNRECEIVED" in sight(waits).text()
    assert (sight(waits).plain()["mail"]["unreceived"], sight(waits).plain()["busiest"][0]["unreceived"]) == (2, 2)
    dead = replace(SEEN, tallies=(replace(BUSY, dead=1),), more=True)
    assert "1 dead letter to look at: lion-broker dead ls" in sight(dead).text()
    assert "more than 1 session" in sight(dead).text()
    empty = Overview(0.0, (), (), ())
    assert "Nothing is here yet: lion-broker demo research --keep" in sight(empty).text()


def test_several_versions_say_so() -> None:
    """To whoever upgrades, with the command that has those of one hand over; here, and on the first page."""
    seen = replace(SEEN, workers=(WORKER, replace(WORKER, owner="home:3:c", version="0.2.0")))
    said = "Several versions are at work: 0.1.0 with 1 worker, 0.2.0 with 1 worker"
    assert f"{said}; those of one hand over: lion-broker drain --version VERSION --wait" in sight(seen).text()
    assert "versions are" not in sight().text()
    (notice,) = [one for one in notices(seen) if "versions" in one.text]
    assert (notice.text, notice.page) == (f"{said}.", "/workers")


def test_a_worker_that_is_late_says_so() -> None:
    """In a column that is there only then; and in a sentence with the next step where it does not go on at all."""
    assert "LATE" not in sight(replace(SEEN, workers=(replace(WORKER, late_seconds=0.009),))).text()
    late = sight(replace(SEEN, workers=(replace(WORKER, late_seconds=0.042), replace(WORKER, owner="home:2:b"))))
    lines = [line.split() for line in late.text().splitlines() if line.startswith(("WORKER", "home:"))]
    place = lines[0].index("LATE")
    assert [line[place] for line in lines] == ["LATE", "42ms", "-"]
    assert "stands still" not in late.text()
    assert [one["late_seconds"] for one in late.plain()["workers"]] == [0.042, None]
    still = sight(replace(SEEN, workers=(replace(WORKER, late_seconds=75.2),))).text()
    assert "The event loop of home:1:a stands still, for 1 min 15 s now: a behaviour" in still
    assert "wait for it; which mail it is: lion-broker mail ls --state working --worker home:1:a" in still


def test_in_a_narrow_terminal() -> None:
    """Lines fit, down to sixty signs; what is left out is said, and the state of a worker never is."""
    text = sight(rates=Rates(2.0, 1.0, 1234.5, 0.0, 0.0)).text(60)
    tables = [line for line in text.splitlines() if line.startswith(("WORKER", "home", "POOL", "SESSION", "s-1"))]
    assert len(tables) == 6
    assert max(map(len, tables)) <= 60
    assert "home:1:a  running" in text
    assert "No room for RESCUED" in text
    assert "--json has all." in text
    assert "No room" not in sight().text()


def test_on_a_screen() -> None:
    """Everything fits on it: of long tables the first rows, of long words the beginning, of numbers all."""
    many = replace(SEEN, workers=tuple(replace(WORKER, owner=f"home:{n}:{'x' * 200}", mails=123456) for n in range(50)))
    console = Console(width=90, height=30, record=True, force_terminal=True)
    console.print(drawn(sight(many), "", 90, 30))
    lines = console.export_text().splitlines()
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 90
    assert any("… and 44 more: lion-broker status" in line for line in lines)
    assert sum("123456" in line for line in lines) == 6
    console.print(drawn(sight(), "No server answers.", 90, 30))
    assert "No server answers. Looking again." in console.export_text()


def test_a_screen_leaves_nothing_behind(capsys: pytest.CaptureFixture[str]) -> None:
    """It has a place of its own, and what was there before is there again."""
    with screen(Console(force_terminal=True, width=80, height=20)) as draw:
        draw(sight(), "")
    told = capsys.readouterr().out
    assert told.index("\x1b[?1049h") < told.index("redis://home") < told.index("\x1b[?1049l")


def test_what_steers_a_terminal_is_not_printed() -> None:
    """A name out of the register is somebody's data."""
    hostile = replace(WORKER, owner="\x1b[2Jhome\x9b[red]\n")
    text = sight(replace(SEEN, workers=(hostile,))).text()
    assert "\x1b" not in text
    assert "�[2Jhome�[red]" in text
    assert cell("a\nb\x07") == "a b�"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "-"),
        (-3, "-"),
        (0.44, "0.4s"),
        (5.01, "5s"),
        (9.9, "9.9s"),
        (9.96, "10s"),
        (59, "59s"),
        (59.7, "1m"),
        (61, "1m"),
        (3599, "1h"),
        (7200, "2h"),
        (86400 * 12, "12d"),
    ],
)
def test_a_length_of_time_is_short(seconds: float, shown: str) -> None:
    """At most four characters for what a person needs to know."""
    assert ago(seconds) == shown
