"""The worlds that are searched, each small enough to be looked at whole."""

from __future__ import annotations

from tests.model.world import World

__all__ = ["REPLAYED", "WORLDS"]

_DEATH = frozenset({"crash", "lost"})
_HANDS = frozenset({"crash", "withdraw"})

WORLDS: dict[str, World] = {
    world.name: world
    for world in (
        World("small", ("a1", "a2")),
        World("two senders", ("a1", "a2", "b1"), faults=frozenset({"crash"})),
        World("three workers", ("a1", "a2"), workers=3, faults=frozenset({"crash"})),
        World("late requests", ("a1",), faults=frozenset({"crash", "late"})),
        World("late repeats", ("a1", "a2"), workers=1, faults=frozenset({"crash", "late"})),
        World("forking", ("a1", "a2", "a3"), faults=frozenset({"crash", "fork"})),
        World("closing", ("a1", "a2"), faults=_DEATH | {"close"}),
        World("pausing", ("a1", "a2"), faults=frozenset({"crash", "pause"})),
        World("lanes", ("a1", "a2"), faults=frozenset({"crash"}), failing=("a1",)),
        World("lanes again", ("a1", "a2", "b1"), workers=1, faults=_DEATH, failing=("a1", "a1")),
        World("two lanes", ("a1", "b1", "a2"), workers=1, faults=frozenset({"crash"}), failing=("a1", "b1")),
        World("lanes that pause", ("a1", "a2"), workers=1, faults=frozenset({"crash", "pause"}), failing=("a1",)),
        World("lanes that close", ("a1", "a2"), workers=1, faults=_DEATH | {"close", "pause"}, failing=("a1",)),
        World("filling", ("a1", "a2"), faults=_DEATH | {"full"}),
        World("breaking", ("a1", "a2"), faults=frozenset({"crash", "broken"})),
        World("withdrawing", ("a1", "a2"), faults=_DEATH | {"withdraw"}),
        World("withdrawing and pausing", ("a1", "a2"), faults=frozenset({"crash", "pause", "withdraw"})),
        World("withdrawing from lanes", ("a1", "a2", "b1"), workers=1, faults=_HANDS, failing=("a1",)),
        World("stopping", ("a1", "a2"), faults=_DEATH | {"stop"}),
        World("stopping late", ("a1",), faults=frozenset({"crash", "late", "stop"})),
        World("stopping and withdrawing", ("a1", "a2"), workers=1, faults=_HANDS | {"stop"}),
        World("stopping and pausing", ("a1", "a2"), workers=1, faults=frozenset({"crash", "pause", "stop"})),
        World("stopping in lanes", ("a1", "a2", "b1"), workers=1, faults=frozenset({"crash", "stop"}), failing=("a1",)),
        World("retiring", ("a1", "a2"), faults=frozenset({"crash", "retire"})),
    )
}

REPLAYED = tuple(name for name in WORLDS if name not in ("filling", "breaking", "retiring", "two lanes"))
"""Those whose every step can be done with an exchange.

Its server is well, no consumer is ever deleted, and of two lanes that come due in the same millisecond either is first.
"""
