"""`docs/operating.md` shows what `status` prints, and names every exit code."""

import re
from pathlib import Path

from lion_broker.cli.exits import EXIT_CODES, Code
from lion_broker.cli.status_report import StatusReport
from lion_broker.insight.overview import Overview
from lion_broker.insight.views import PoolView, WorkerView
from lion_broker.mail.deployment import Tally

PAGE = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()


def test_every_exit_code_is_described() -> None:
    """The table has the codes of the enumeration, and the help of the command line the same numbers."""
    described = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)}
    assert described == {code.value for code in Code if code is not Code.SIGNAL}
    assert described == {int(code) for code in re.findall(r"\b(\d) ", EXIT_CODES.partition("130")[0])}


def test_what_status_shows_has_the_columns_of_the_page() -> None:
    """Each table of the page has the names that the command prints, in their order."""
    worker = WorkerView("home:1:a", "p", "running", "home", 1, "0.1.0", 0.0, 0.0, 1, 0, 0, 0, 0)
    tally = Tally("s", inflight=1)
    seen = Overview(0.0, (worker,), (PoolView("p", 0, 0, 0.0, 1, 1),), (tally,))
    printed = StatusReport("url", "dev", "default", seen, None, [tally], {}).text()
    heads = [line.split() for line in printed.splitlines() if line.isupper()]
    shown = [line.split() for line in PAGE.splitlines() if line.isupper() and not line.startswith(("|", "#", "`"))]
    assert heads == shown
    assert len(heads) == 3
