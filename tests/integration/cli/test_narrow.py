"""What commands print in a terminal of sixty signs a line."""

from __future__ import annotations

import re

import pytest

from lion_broker import Session
from lion_broker.__main__ import main
from lion_broker.cli.printing import width_of
from tests.integration.cli.test_session_lookup import expired

pytestmark = pytest.mark.redis


@pytest.mark.parametrize(
    "words",
    [
        ["mail", "ls"],
        ["mail", "ls", "mine"],
        ["mail", "ls", "--state", "dead"],
        ["mail", "withdraw", "--session", "mine", "--branch", "clerk", "--dry-run"],
        ["session", "ls"],
        ["session", "show", "mine"],
        ["session", "trace", "mine"],
        ["branch", "ls", "mine"],
        ["dead", "ls"],
        ["dead", "ls", "--group"],
        ["scale"],
        ["status"],
    ],
    ids=" ".join,
)
def test_tables_fit(
    session: Session, words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line of a table is wider than the terminal, so that none is wrapped."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    expired(session, "ada", "ben")
    clerk = session.new_branch(name="clerk", pool="readers-of-the-night", behaviour="reads slowly")
    session.default_branch.send(clerk, "message", "Where is the report of yesterday, and who has read it?")
    # The address of the server is one word, however long.
    main([*words])
    lines = [line for line in capsys.readouterr().out.splitlines() if "namespace" not in line and ": lion-" not in line]
    assert {line for line in lines if width_of(re.sub(r"\x1b\[[0-9;]*m", "", line)) > 60} == set()


@pytest.mark.parametrize("columns", [60, 80])
def test_what_happened_to_a_mail_fits(
    session: Session, columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bars get what room there is, and the words beside them are read whole."""
    (dead,) = expired(session, "somebody")
    monkeypatch.setenv("COLUMNS", str(columns))
    main(["mail", "show", dead])
    printed = capsys.readouterr().out.partition("\n\n")[2].partition("\n\n")[0]
    assert max(map(width_of, printed.splitlines())) <= columns
    assert "→ somebody" in printed
    assert dead[-9:] in printed
