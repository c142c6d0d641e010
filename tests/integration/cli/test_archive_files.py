"""What `session import` makes of files that are not what `session export` has written."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from lion_broker import Session
from lion_broker.__main__ import main
from lion_broker.cli.exits import Code
from lion_broker.mail.exchange import run
from lion_broker.mail.verbs import IMPORTING, ListSessions
from lion_broker.session.exporting import checked, export_steps
from tests.stage import Stage

pytestmark = pytest.mark.redis


def exported(stage: Stage, session: Session) -> list[bytes]:
    """The lines of a session."""
    lines: list[bytes] = []
    run(stage.exchange, export_steps(session.id, lines.append))
    return lines


def spoilt(lines: list[bytes], how: str) -> bytes:
    """A file in which one thing is wrong."""
    if how == "cut":
        return b"".join(lines[:-1])
    if how == "changed":
        return b"".join([line.replace(b"hello", b"hallo") for line in lines])
    if how == "longer":
        return b"".join([*lines, lines[1]])
    if how == "a line less":
        return b"".join([*lines[:2], *lines[3:]])
    if how == "newer":
        return b"".join([lines[0].replace(b'"format":1', b'"format":2'), *lines[1:]])
    return {"empty": b"", "text": b"once upon a time\n", "binary": b"\x00\xff\n", "other": b'{"kind":"x"}\n'}[how]


@pytest.mark.parametrize(
    "how", ["cut", "changed", "longer", "a line less", "newer", "empty", "text", "binary", "other"]
)
def test_a_file_that_is_not_whole_imports_nothing(
    how: str, stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is read to its end before anything is written."""
    with Session(exchange=stage.exchange, delivery="auto") as session:
        session.default_branch.send(session.new_branch(name="b", pool="nobody"), "message", "hello")
        session.flush()
        lines = exported(stage, session)
        session.delete()
    file = tmp_path / "spoilt.jsonl"
    file.write_bytes(spoilt(lines, how))
    assert main(["session", "import", str(file)]) == Code.USAGE
    said = capsys.readouterr().err
    assert ("The export is empty. Export the session again" if how == "empty" else "export") in said
    assert stage.exchange.call(ListSessions()) == ()


FORGED: list[tuple[str, Callable[[dict[str, Any]], None]]] = [
    ("mail", lambda row: row.update(branch="nobody")),
    ("mail", lambda row: row.update(where="nowhere")),
    ("mail", lambda row: row.update(head=row["head"].replace("message", "nonsense"))),
    ("mail", lambda row: row.update(head=row["head"].replace(",", ",\n", 1))),
    ("mail", lambda row: row.update(body='{"item": NaN}')),
    ("mail", lambda row: row.pop("due")),
    ("row", lambda row: row.update(at=[0, 1])),
    ("row", lambda row: row.update(at="1-1")),
    ("row", lambda row: row.update(body64="?", body=None)),
    ("branch", lambda row: row.update(id="no id:")),
    ("branch", lambda row: row.update(copies="nobody")),
    ("branch", lambda row: row.update(fields={"user": 1})),
    ("dead", lambda row: row.update(id="x")),
    ("dead", lambda row: row.update(owners=[1])),
    ("export", lambda row: row.update(session="..")),
    ("export", lambda row: row.update(fields={**row["fields"], IMPORTING: "1"})),
    ("export", lambda row: row.update(cap=-1)),
    ("export", lambda row: row["fields"].update(name="no json")),
]


@pytest.mark.parametrize("number", range(len(FORGED)))
def test_a_forged_file_is_refused_by_its_line(number: int, stage: Stage, tmp_path: Path) -> None:
    """Whoever makes an end that fits does not get past what each line must be."""
    with Session(exchange=stage.exchange, delivery="auto") as session:
        gone = session.new_branch(name="gone", pool="nobody")
        session.default_branch.send(gone, "message", "too late")
        session.remove_branch(gone)
        session.default_branch.send(session.new_branch(name="b", pool="nobody"), "message", "hello")
        session.flush()
        rows = [json.loads(line) for line in exported(stage, session)]
        session.delete()
    kind, forge = FORGED[number]
    forge(next(row for row in rows if row["kind"] == kind))
    body = b"".join(json.dumps(row).encode() + b"\n" for row in rows[:-1])
    end = {"kind": "end", "lines": len(rows) - 1, "sha256": sha256(body).hexdigest(), "steady": True}
    with pytest.raises(ValueError, match=r"Line \d+ of the export"):
        checked(io.BytesIO(body + json.dumps(end).encode() + b"\n"))
