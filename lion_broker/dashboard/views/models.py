"""Models and tools as tables: how often they were called, what came of it, how long it took, what it cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from lion_broker.dashboard.sample import percentile
from lion_broker.dashboard.tables import Column, Empty, Row, Table
from lion_broker.telemetry.acts import Act, ActKind

__all__ = ["model_table", "tool_table", "wait_seconds"]

NO_CALLS: Final = Empty(
    "No model was called. A branch that thinks does:", "docs/thinking.md: await branch.communicate(...)"
)
NO_TOOLS: Final = Empty("No tool was called in these sessions.")


@dataclass(slots=True)
class _Calls:
    count: int = 0
    failed: int = 0
    prompt: int = 0
    completion: int = 0
    counted: int = 0
    seconds: list[float] = field(default_factory=list)
    latest: float = 0.0

    def add(self, act: Act) -> None:
        self.count += 1
        self.failed += bool(act.error)
        self.seconds.append(act.seconds)
        self.latest = max(self.latest, act.began + act.seconds)
        prompt, completion = act.fields.get("prompt_tokens"), act.fields.get("completion_tokens")
        if isinstance(prompt, int) and isinstance(completion, int):
            self.prompt += prompt
            self.completion += completion
            self.counted += 1


def model_table(acts: Iterable[Act]) -> Table:
    """Calls of models by name. Tokens are what providers have counted; calls without a count have none."""
    columns = (
        Column("name", "Model"),
        Column("calls", "Calls", "number"),
        Column("failed", "Failed", "number"),
        Column("p50", "Median", "seconds"),
        Column("p95", "95 of 100 within", "seconds"),
        Column("prompt_tokens", "Tokens in", "number", "As providers have counted them; nothing is estimated."),
        Column("completion_tokens", "Tokens out", "number"),
        Column("counted", "Counted calls", "number", "Calls whose provider has said how many tokens it took."),
        Column("latest", "Latest", "moment"),
    )
    rows = [_row(name, calls) for name, calls in _by_name(acts, ActKind.MODEL)]
    return Table("models", "Models", columns, rows, NO_CALLS)


def tool_table(acts: Iterable[Act]) -> Table:
    """Calls of tools by name."""
    columns = (
        Column("name", "Tool"),
        Column("calls", "Calls", "number"),
        Column("failed", "Failed", "number"),
        Column("p50", "Median", "seconds"),
        Column("p95", "95 of 100 within", "seconds"),
        Column("latest", "Latest", "moment"),
    )
    rows = [_row(name, calls) for name, calls in _by_name(acts, ActKind.TOOL)]
    return Table("tools", "Tools", columns, rows, NO_TOOLS)


def wait_seconds(acts: Iterable[Act]) -> tuple[int, float]:
    """How often calls were held back by a limit of requests or tokens, and for how many seconds together."""
    waits = [act.seconds for act in acts if act.kind is ActKind.WAIT]
    return len(waits), sum(waits)


def _by_name(acts: Iterable[Act], kind: ActKind) -> list[tuple[str, _Calls]]:
    calls = defaultdict[str, _Calls](_Calls)
    for act in acts:
        if act.kind is kind:
            calls[act.name].add(act)
    return sorted(calls.items(), key=lambda row: (-row[1].count, row[0]))


def _row(name: str, calls: _Calls) -> Row:
    return Row(
        {
            "name": name,
            "calls": calls.count,
            "failed": calls.failed,
            "p50": percentile(calls.seconds, 0.5),
            "p95": percentile(calls.seconds, 0.95),
            "prompt_tokens": calls.prompt if calls.counted else None,
            "completion_tokens": calls.completion if calls.counted else None,
            "counted": calls.counted,
            "latest": calls.latest,
        }
    )
