"""Tokens, spend and limits as tables: counted, estimated, priced, or said to be unknown."""

from __future__ import annotations

from typing import Any

import pytest

from lion_broker.dashboard.pages import money
from lion_broker.dashboard.tables import Row
from lion_broker.dashboard.views.deployment import trends
from lion_broker.dashboard.views.limits import limit_table, wait_table
from lion_broker.dashboard.views.models import model_table, spend_table, unpriced
from lion_broker.insight.limits import LimitView, LimitWait
from lion_broker.insight.prices import Price, Prices
from lion_broker.telemetry.acts import Act, ActKind

PRICES = Prices({"far/*": Price(1.0, 2.0, 0.5)})


def call(name: str, prompt: int, completion: int, **more: Any) -> Act:
    """A call of a model that took so many tokens."""
    fields = {"prompt_tokens": prompt, "completion_tokens": completion, **more}
    return Act(ActKind.MODEL, name, 100.0, 1.0, fields=fields)


def row_of(name: str, *acts: Act) -> Row:
    """The row of a model."""
    return next(row for row in model_table(acts, PRICES).rows if row.values["name"] == name)


def test_tokens_are_priced() -> None:
    """By the price that was written down; what the provider told of its cost goes before it."""
    assert row_of("far/one", call("far/one", 1_000_000, 500_000)).values["spend_usd"] == 2.0
    cached = call("far/one", 1_000_000, 0, cache_read_input_tokens=1_000_000)
    assert row_of("far/one", cached).values["spend_usd"] == 0.5
    assert row_of("far/one", call("far/one", 1_000_000, 0, cost=0.25)).values["spend_usd"] == 0.25
    assert row_of("other/one", call("other/one", 10, 10)).values["spend_usd"] is None


def test_estimates_say_that_they_are() -> None:
    """They are summed up with what was counted, and every sum with one among them is one."""
    counted, guessed = call("far/one", 10, 5), call("far/one", 4, 1, estimated=True)
    row = row_of("far/one", counted, guessed)
    assert (row.values["prompt_tokens"], row.values["counted"], row.values["estimated"]) == (14, 1, 1)
    assert "prompt_tokens" in row.about
    assert row_of("far/one", counted).about == frozenset()
    bare = Act(ActKind.MODEL, "far/two", 1.0, 1.0)
    assert row_of("far/two", bare).values["prompt_tokens"] is None


def test_what_has_no_price_is_named() -> None:
    """But for calls that failed, and models of the process itself."""
    failed = Act(ActKind.MODEL, "other/failed", 1.0, 1.0, "ModelError")
    acts = [call("other/one", 1, 1), call("far/one", 1, 1), call("offline/extractive", 1, 1), failed]
    assert unpriced(acts, PRICES) == ["other/one"]
    assert unpriced(acts, Prices()) == ["far/one", "other/one"]


def test_spend_is_told_by_session() -> None:
    """Those that have called no model are left out."""
    acts = [call("far/one", 1_000_000, 0), call("other/one", 10, 0)]
    rows = spend_table({"s1": ("desk", acts), "s2": ("idle", [])}, PRICES).rows
    assert [(row.values["name"], row.values["calls"], row.values["spend_usd"]) for row in rows] == [("desk", 2, 1.0)]


def test_limits_and_who_waits() -> None:
    """What is left is rounded down; who waits leads to its session, where that is known."""
    waits = (LimitWait("home:1:a", "s1", "b1", 2, 1.5), LimitWait("home:2", "", "", 1, 2.0))
    limit = LimitView("m:1", "far/one", 60.0, 10, 2.7, 100, -5.5, 63.0, 0.5, 3, 1.5, waits)
    (row,) = limit_table([limit]).rows
    assert (row.values["requests_left"], row.values["requests_used"]) == (2, 8)
    assert (row.values["tokens_left"], row.values["tokens_used"]) == (-6, 106)
    first, second = wait_table([limit], {"s1": "desk", "b1": "ada"}).rows
    assert (first.values["session"], first.values["branch"], first.links["session"]) == ("desk", "ada", "/sessions/s1")
    assert (second.values["process"], second.links) == ("home:2", {})


@pytest.mark.parametrize(
    ("dollars", "shown"),
    [
        (0.0, "$0.00"),
        (1234.5, "$1,234.50"),
        (0.12, "$0.12"),
        (0.0123, "$0.012"),
        (0.000045, "$0.000045"),
        (1e-9, "under $0.000001"),
    ],
)
def test_small_amounts_tell_something(dollars: float, shown: str) -> None:
    """Two digits that are not zeros, however small it is."""
    assert money(dollars) == shown


def beat(at: float, **pools: tuple[int, int]) -> dict[str, Any]:
    """A look at pools: branches that wait, mails since the look before."""
    return {"at": at, "pools": {name: list(told) for name, told in pools.items()}}


def test_trends_go_in_steps() -> None:
    """Most that waited and mails per second in each; a pool that was not there has nothing."""
    beats = [beat(0.0, p=(0, 0)), beat(10.0, p=(4, 100)), beat(20.0, p=(1, 50)), beat(40.0, p=(0, 0), q=(2, 20))]
    assert trends(beats) == {"p": [(4, 10.0), (1, 5.0), (0, 0.0)], "q": [(0, 0.0), (0, 0.0), (2, 1.0)]}
    assert trends(beats[:1]) == {}
    assert trends([beat(0.0), beat(10_000.0, p=(1, 1))]) == {"p": [(1, 0.0)]}
