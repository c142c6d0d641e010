"""The real functions do what the model says, step by step, also where variants of the protocol lose mail."""

import pytest

from tests.model.replay import replay
from tests.model.search import explore
from tests.model.server import Server
from tests.model.sites import Site
from tests.model.variants import VARIANTS
from tests.model.walks import along, cover, wander
from tests.model.world import World
from tests.model.worlds import REPLAYED, WORLDS

TINY = World("tiny", ("a1",), faults=frozenset({"lost"}))


def test_every_step_of_a_tiny_world(site: Site) -> None:
    """Each action in each state that it can happen in has the same answer and leads to the same state."""
    _, graph = explore(TINY, Server())
    steps = sum(replay(TINY, site, walk) for walk in cover(graph))
    assert steps >= graph.steps


@pytest.mark.parametrize("name", REPLAYED)
def test_walks_through_larger_worlds(site: Site, name: str) -> None:
    """Long random walks, the same in each run."""
    for seed in range(8):
        replay(WORLDS[name], site, wander(WORLDS[name], Server(), seed, 60))


@pytest.mark.parametrize(
    "variant", [v for v, (world, _) in VARIANTS.items() if world in REPLAYED], ids=lambda v: v.__name__
)
def test_the_traces_of_variants_do_no_harm(site: Site, variant: type[Server]) -> None:
    """What breaks a variant of the protocol is survived by the protocol itself."""
    name, law = VARIANTS[variant]
    finding, _ = explore(WORLDS[name], variant(), (law,))
    walk = list(along(WORLDS[name], Server(), finding.trace))
    assert walk
    replay(WORLDS[name], site, walk)
