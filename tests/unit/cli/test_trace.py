"""A waterfall in text: who had the mail, and what became of it, on terminals of any width."""

import pytest

from lion_broker.cli.session_trace import show_trace
from lion_broker.insight.views import Passage, Span, Trace

MAIL = "01a21d35-0a88-7233-bbbb-a6aff8879a3c"
NAMES = {"a": "planner", "b": "reader-1"}


def lost() -> Trace:
    """A mail of which a worker was lost, and which another one has applied days later."""
    passage = Passage(MAIL, "a", "b", "message", "What is a lion? " * 20, "applied", 0.0, attempts=2)
    spans = (
        Span("work", "attempt 1", 0.0, 2.1, "WorkerLost", {"owners": ["web-1:5240:ffd6a224"], "calls": "unknown"}),
        Span("wait", "for attempt 2", 2.1, 864_000.0),
        Span("work", "attempt 2", 864_002.1, 0.2),
    )
    return Trace(passage, spans)


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_nothing_that_matters_is_cut(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ends of the way, attempts, the worker that was lost and why, how long it took; the text of a mail may be."""
    monkeypatch.setenv("COLUMNS", str(width))
    show_trace(lost(), NAMES)
    said = capsys.readouterr().out
    lines = said.splitlines()
    assert max(map(len, lines)) <= width
    for one in ("planner → reader-1", "work  attempt 1", "on web-1:5240:ffd6a224", "WorkerLost", "10 d", "2.10 s"):
        assert one in said
    words = " ".join(said.split())
    assert "what it has called is unknown, but for what the next attempt has reused" in words
    assert sum("What is" in line for line in lines) == 1
