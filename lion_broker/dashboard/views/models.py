"""Models and tools as tables: how often they were called, what came of it, how long it took, what it cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lion_broker.dashboard.sample import percentile
from lion_broker.dashboard.tables import Column, Empty, Order, Row, Table
from lion_broker.insight.prices import Prices
from lion_broker.telemetry.acts import Act, ActKind

__all__ = ["model_table", "spend_table", "tool_table", "unpriced", "wait_seconds"]

NO_CALLS: Final = Empty(
    "No model was called. A branch that thinks does:", 'await branch.communicate("What is a lion?")'
)
NO_TOOLS: Final = Empty("No tool was called in these sessions.")
BY_CALLS: Final = Order("calls", descending=True)
NO_SPEND: Final = Empty("No model was called in these sessions.")
_TOKENS: Final = (
    Column("prompt_tokens", "Tokens in", "number", "As providers have counted them; ≈ where they have not."),
    Column("completion_tokens", "Tokens out", "number", "As providers have counted them; ≈ where they have not."),
    Column("estimated", "Estimated", "number", "Calls whose tokens nobody has counted: they are estimated.", rare=True),
    Column("spend_usd", "Spend", "money", "US dollars, as providers told it, else by your prices.", rare=True),
)
_ESTIMATES: Final = frozenset({"prompt_tokens", "completion_tokens", "spend_usd"})


@dataclass(slots=True)
class _Calls:
    count: int = 0
    failed: int = 0
    prompt: int = 0
    completion: int = 0
    counted: int = 0
    estimated: int = 0
    spend: float = 0.0
    priced: int = 0
    seconds: list[float] = field(default_factory=list)
    latest: float = 0.0

    def add(self, act: Act, prices: Prices) -> None:
        self.count += 1
        self.failed += bool(act.error)
        self.seconds.append(act.seconds)
        self.latest = max(self.latest, act.began + act.seconds)
        prompt, completion = act.fields.get("prompt_tokens"), act.fields.get("completion_tokens")
        if isinstance(prompt, int) and isinstance(completion, int):
            self.prompt += prompt
            self.completion += completion
            estimated = act.fields.get("estimated") is True
            self.counted += not estimated
            self.estimated += estimated
        if (cost := _cost(act, prices)) is not None:
            self.spend += cost
            self.priced += 1

    def told(self) -> dict[str, Any]:
        """What tokens and spend were, as values of a row."""
        known = self.counted + self.estimated
        return {
            "prompt_tokens": self.prompt if known else None,
            "completion_tokens": self.completion if known else None,
            "counted": self.counted,
            "estimated": self.estimated,
            "spend_usd": round(self.spend, 9) if self.priced else None,
            "latest": self.latest,
        }

    @property
    def about(self) -> frozenset[str]:
        """The columns in which an estimate stands."""
        return _ESTIMATES if self.estimated else frozenset()


def model_table(acts: Iterable[Act], prices: Prices | None = None, note: str = "") -> Table:
    """Calls of models by name, with their tokens, and what they cost where that is known."""
    columns = (
        Column("name", "Model"),
        Column("calls", "Calls", "number"),
        Column("failed", "Failed", "number"),
        Column("p50", "Median", "seconds"),
        Column("p95", "95 of 100 within", "seconds"),
        *_TOKENS[:2],
        Column(
            "counted", "Counted", "number", "Calls whose provider has said how many tokens it took.", data_only=True
        ),
        *_TOKENS[2:],
        Column("latest", "Latest", "moment"),
    )
    rows = [_row(name, calls) for name, calls in _by_name(acts, ActKind.MODEL, prices or Prices())]
    return Table("models", "Models", columns, rows, NO_CALLS, note=note, sorts=True, natural=BY_CALLS)


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
    rows = [_row(name, calls) for name, calls in _by_name(acts, ActKind.TOOL, Prices())]
    return Table("tools", "Tools", columns, rows, NO_TOOLS, sorts=True, natural=BY_CALLS)


def spend_table(sessions: Mapping[str, tuple[str, Sequence[Act]]], prices: Prices) -> Table:
    """Calls of models by session; given are name and acts of each by its id."""
    columns = (
        Column("name", "Session"),
        Column("id", "Id", "code"),
        Column("calls", "Calls", "number"),
        *_TOKENS,
        Column("latest", "Latest", "moment"),
    )
    rows = []
    for session, (name, acts) in sessions.items():
        calls = _Calls()
        for act in acts:
            if act.kind is ActKind.MODEL:
                calls.add(act, prices)
        if calls.count:
            values = {"name": name, "id": session, "calls": calls.count, **calls.told()}
            links = {"name": f"/sessions/{session}", "calls": f"/models?session={session}"}
            rows.append(Row(values, links, session, calls.about))
    return Table("by_session", "By session", columns, rows, NO_SPEND, sorts=True)


def unpriced(acts: Iterable[Act], prices: Prices) -> list[str]:
    """The models of which it is not known what their calls cost: neither told by the provider nor by a price."""
    return sorted({act.name for act in acts if act.kind is ActKind.MODEL and _lacks_price(act, prices)})


def wait_seconds(acts: Iterable[Act]) -> tuple[int, float]:
    """How often calls were held back by a limit of requests or tokens, and for how many seconds together."""
    waits = [act.seconds for act in acts if act.kind is ActKind.WAIT]
    return len(waits), sum(waits)


def _lacks_price(act: Act, prices: Prices) -> bool:
    return not act.error and not act.name.startswith("offline/") and _cost(act, prices) is None


def _cost(act: Act, prices: Prices) -> float | None:
    """What a call cost, in US dollars: as its provider told, else by its tokens and the price of its model."""
    told, price = act.fields.get("cost"), prices.of(act.name)
    if isinstance(told, (int, float)) and not isinstance(told, bool):
        return float(told)
    prompt, completion = act.fields.get("prompt_tokens"), act.fields.get("completion_tokens")
    if price is None or not isinstance(prompt, int) or not isinstance(completion, int):
        return None
    cached = act.fields.get("cache_read_input_tokens")
    return price.cost(prompt, completion, cached if isinstance(cached, int) else 0)


def _by_name(acts: Iterable[Act], kind: ActKind, prices: Prices) -> list[tuple[str, _Calls]]:
    calls = defaultdict[str, _Calls](_Calls)
    for act in acts:
        if act.kind is kind:
            calls[act.name].add(act, prices)
    return sorted(calls.items(), key=lambda row: (-row[1].count, row[0]))


def _row(name: str, calls: _Calls) -> Row:
    values = {
        "name": name,
        "calls": calls.count,
        "failed": calls.failed,
        "p50": percentile(calls.seconds, 0.5),
        "p95": percentile(calls.seconds, 0.95),
        **calls.told(),
    }
    return Row(values, key=name, about=calls.about)
