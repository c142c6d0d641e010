"""A program that takes a session up and looks at it, and prints what that cost as JSON.

python -m tests.benchmarks.growth_reader branches|history SESSION
"""

from __future__ import annotations

import io
import json
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

from lion_broker import Session

from .growth import resident


def main(what: str, session_id: str) -> None:
    """Open a session and measure."""
    before = resident()
    seconds, session = _timed(lambda: Session.open(session_id))
    with session:
        found = {"open": seconds, "memory": resident() - before, **_LOOKS[what](session)}
    print(json.dumps(found))


def _branches(session: Session) -> dict[str, float]:
    """Look branches up, each way once."""
    before = resident()
    first, count = _timed(lambda: len(session.branches))
    memory = resident() - before
    last = session.branches[-1]
    return {
        "all": first,
        "all_memory": memory / count,
        "named": _timed(lambda: session.get_branch(last.name))[0],
        "by_name": _timed(lambda: session.branches[last.name])[0],
        "send_by_name": min(_timed(lambda: last.send(last.name, "message", "hello"))[0] for _ in range(5)),
    }


def _history(session: Session) -> dict[str, float]:
    """Make frames of all messages, and have pandas read the same rows from JSON lines."""
    import pandas as pd

    pd.Series(["a"], dtype="str")  # pandas is imported before the time begins
    first, frame = _timed(session.to_df)
    again, _ = _timed(session.to_df)
    lines = frame.assign(created_at=frame["created_at"].astype(str)).to_json(orient="records", lines=True)
    gathered, pile = _timed(session.concat_messages)
    assert len(pile) == len(frame)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        opponent, _ = _timed(lambda: pd.read_json(io.StringIO(lines), lines=True))
    return {
        "rows": len(frame),
        "first": first,
        "again": again,
        "gathered": gathered,
        "pandas": opponent,
        "frames_memory": resident(),
    }


def _timed(call: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.perf_counter()
    value = call()
    return time.perf_counter() - begin, value


_LOOKS: dict[str, Callable[[Session], dict[str, float]]] = {"branches": _branches, "history": _history}

if __name__ == "__main__":
    main(*sys.argv[1:])
