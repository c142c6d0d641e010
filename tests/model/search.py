"""Breadth first through everything that can happen, so that a trace that breaks a law is a shortest one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.model.laws import OF_STATES, OF_STEPS
from tests.model.server import Server
from tests.model.state import State
from tests.model.world import Action, World

__all__ = ["Finding", "Graph", "explore"]

HANDLED_IN_THE_END = "handled_in_the_end"
"""The law of fair ends: whatever has happened, when nothing more goes wrong all mail comes to be handled."""

LAWS = (*OF_STATES, *OF_STEPS, HANDLED_IN_THE_END)


@dataclass
class Graph:
    """The states that can be reached, in order of distance, and the actions that lead from one to the next."""

    world: World
    states: list[State] = field(default_factory=list)
    edges: list[list[tuple[Action, int]]] = field(default_factory=list)
    came_by: list[tuple[Action, int] | None] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """How many steps were looked at."""
        return sum(map(len, self.edges))

    def trace(self, place: int) -> list[Action]:
        """A shortest way to a state."""
        found = []
        while by := self.came_by[place]:
            action, place = by
            found.append(action)
        return found[::-1]

    def never_at_rest(self) -> int | None:
        """The nearest state from which, without further harm, the world cannot come to rest; None when all can."""
        before: list[list[int]] = [[] for _ in self.states]
        for place, edges in enumerate(self.edges):
            for action, to in edges:
                if self.world.spares(action):
                    before[to].append(place)
        fine = {place for place, state in enumerate(self.states) if self.world.rests(state)}
        new = list(fine)
        while new:
            more = {place for to in new for place in before[to]} - fine
            fine |= more
            new = list(more)
        return next((place for place in range(len(self.states)) if place not in fine), None)


@dataclass(frozen=True)
class Finding:
    """What a search came to: the law that was broken, if any, by which actions, and how many states were seen."""

    law: str
    trace: list[Action]
    states: int
    steps: int

    def __str__(self) -> str:
        lines = [f"{self.law or 'no law'} is broken after {self.states} states and {self.steps} steps"]
        return "\n".join([*lines, *(f"  {number}. {action}" for number, action in enumerate(self.trace, 1))])


def explore(world: World, server: Server, laws: Iterable[str] = LAWS) -> tuple[Finding, Graph]:
    """Look at every state that can be reached, until a law is broken."""
    chosen = set(laws)
    of_states = [(name, law) for name, law in OF_STATES.items() if name in chosen]
    of_steps = [(name, law) for name, law in OF_STEPS.items() if name in chosen]
    start = world.start().canonical()
    graph = Graph(world, [start], [], [None])
    seen = {start: 0}
    for place, state in enumerate(graph.states):
        edges: list[tuple[Action, int]] = []
        graph.edges.append(edges)
        for action in world.actions(state):
            step = world.step(server, state, action)
            after = step.state.canonical()
            to = seen.setdefault(after, len(seen))
            edges.append((action, to))
            broken = [name for name, law in of_steps if not law(state, step)]
            if to == len(graph.states):
                graph.states.append(after)
                graph.came_by.append((action, place))
                broken += [name for name, law in of_states if not law(after)]
            if broken:
                trace = [*graph.trace(place), action]
                return Finding(broken[0], trace, len(seen), graph.steps), graph
    if HANDLED_IN_THE_END in chosen and (stuck := graph.never_at_rest()) is not None:
        return Finding(HANDLED_IN_THE_END, graph.trace(stuck), len(seen), graph.steps), graph
    return Finding("", [], len(seen), graph.steps), graph
