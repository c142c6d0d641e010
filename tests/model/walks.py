"""Ways through a world: over every edge of its graph, at random, along a trace, and home from anywhere."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from random import Random

from tests.model.search import Graph
from tests.model.server import Server
from tests.model.state import IDLE, PAUSED, State
from tests.model.world import Action, World

__all__ = ["along", "cover", "home", "wander"]


def cover(graph: Graph) -> Iterator[list[Action]]:
    """Walks from the start that together take every edge at least once."""
    left = [dict(edges) for edges in graph.edges]
    while (to_first := _nearest(graph, left, 0)) is not None:
        walk, place = to_first
        while True:
            while left[place]:
                # The nearest to the start first: what leads on ends the walk sooner.
                action = min(left[place], key=left[place].__getitem__)
                place = left[place].pop(action)
                walk.append(action)
            further = _nearest(graph, left, place)
            if further is None:
                break
            way, place = further
            walk += way
        yield walk


def _nearest(graph: Graph, left: list[dict[Action, int]], start: int) -> tuple[list[Action], int] | None:
    """A shortest way to a state with an edge that was not taken yet."""
    came_by: dict[int, tuple[Action, int] | None] = {start: None}
    queue = deque([start])
    while queue:
        place = queue.popleft()
        if left[place]:
            found, at = [], place
            while by := came_by[at]:
                action, at = by
                found.append(action)
            return found[::-1], place
        for action, to in graph.edges[place]:
            if to not in came_by:
                came_by[to] = (action, place)
                queue.append(to)
    return None


def wander(world: World, server: Server, seed: int, length: int) -> Iterator[Action]:
    """A random walk; the same for the same seed."""
    chance = Random(seed)  # noqa: S311 - a choice of steps, no secret
    s = world.start()
    for _ in range(length):
        actions = list(world.actions(s))
        if not actions:
            return
        action = chance.choice(actions)
        yield action
        s = world.step(server, s, action).state


def along(world: World, server: Server, trace: Iterable[Action]) -> Iterator[Action]:
    """What of a trace can happen here: a variant's trace may ask for steps that the protocol does not have."""
    s = world.start()
    for action in trace:
        if action in world.actions(s):
            yield action
            s = world.step(server, s, action).state


def home(world: World, server: Server, s: State) -> Iterator[Action]:
    """From any state to rest: everybody dies, what flies is lost, and one new worker does what is left."""
    while not world.rests(s):
        action = _next_home(s)
        yield action
        s = world.step(server, s, action).state


def _next_home(s: State) -> Action:
    for place, worker in enumerate(s.workers):
        if worker != IDLE and place > 0:
            return Action("crash", place)
    if s.flying:
        return Action("vanish")
    worker = s.workers[0]
    if worker != IDLE:
        if worker.sent:
            return Action("crash")
        return Action("commit", take=len(worker.in_hand)) if worker.hosts else Action("claim")
    if s.standing == PAUSED:
        return Action("resume")
    if s.alive:
        return Action("expire")
    if s.ready:
        return Action("read" if any(ready.seen == "unread" for ready in s.ready) else "sweep")
    return Action("promote" if any(lane.due for lane in s.lanes) else "ripen")
