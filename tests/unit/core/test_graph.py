"""Nodes and graphs."""

from typing import Any

import pytest

from lion_broker.core.element import Element
from lion_broker.core.graph import Edge, EdgeCondition, Graph
from lion_broker.core.node import Node
from lion_broker.core.pile import Pile
from lion_broker.errors import NotPortable, RelationError


class AtLeast(EdgeCondition):
    """Holds for sources that are large enough."""

    async def apply(self, least: int) -> bool:
        return bool(self.source >= least)


@pytest.fixture
def nodes() -> list[Node]:
    """Three nodes."""
    return [Node(content=text) for text in "abc"]


@pytest.fixture
def chain(nodes: list[Node]) -> Graph:
    """A graph a → b → c."""
    graph = Graph()
    for node in nodes:
        graph.add_node(node)
    graph.add_edge(Edge(nodes[0], nodes[1], label="first", weight=2))
    graph.add_edge(Edge(nodes[1].id, str(nodes[2].id), label=["second", "last"]))
    return graph


def test_content_that_is_an_element_comes_back() -> None:
    """A node inside a node is written as its dict and read as a node."""
    outer = Node(content=Node(content="inner"), embedding="[0.5, 1]")
    restored = Node.from_dict(outer.to_dict())
    assert isinstance(restored.content, Node)
    assert restored.content.content == "inner"
    assert restored.embedding == [0.5, 1.0]
    with pytest.raises(ValueError, match="list of numbers"):
        Node(embedding="[0.5")


def test_content_that_cannot_travel() -> None:
    """Content without a JSON form is an error that names it."""
    with pytest.raises(NotPortable, match=r"'content' of Node .* type function"):
        Node(content=lambda: None).to_dict()


def test_neighbours(chain: Graph, nodes: list[Node]) -> None:
    """Heads, predecessors and successors follow the edges."""
    a, b, c = nodes
    assert chain.get_heads().values() == [a]
    assert chain.get_predecessors(b).values() == [a]
    assert chain.get_successors(str(b.id)).values() == [c]
    assert [edge.label for edge in chain.find_node_edge(b)] == [["first"], ["second", "last"]]
    assert [edge.properties for edge in chain.find_node_edge(b, "in")] == [{"weight": 2}]
    with pytest.raises(ValueError, match="direction is"):
        chain.find_node_edge(b, "up")  # type: ignore[arg-type]


def test_circles(chain: Graph, nodes: list[Node]) -> None:
    """An edge back makes the graph cyclic."""
    assert chain.is_acyclic()
    chain.add_edge(Edge(nodes[2], nodes[0]))
    assert not chain.is_acyclic()


def test_removing_a_node_takes_its_edges(chain: Graph, nodes: list[Node]) -> None:
    """Without its middle a chain has no edges; the rest stays usable."""
    a, b, c = nodes
    chain.remove_node(b)
    assert len(chain.internal_edges) == 0
    assert b not in chain
    assert a in chain
    assert chain.get_heads().values() == [a, c]
    chain.add_edge(Edge(c, a))
    chain.remove_edge(chain.internal_edges[0])
    assert chain.node_edge_mapping[a.id] == {"in": {}, "out": {}}


def test_broken_relations(chain: Graph, nodes: list[Node]) -> None:
    """Strangers, doubles and wrong types are refused."""
    edge = Edge(nodes[0], Node())
    wrong: list[tuple[Any, Any]] = [
        (chain.add_node, nodes[0]),
        (chain.add_node, Element()),
        (chain.add_edge, edge),
        (chain.add_edge, nodes[0]),
        (chain.add_edge, chain.internal_edges[0]),
        (chain.remove_node, edge),
        (chain.remove_edge, edge),
        (chain.get_successors, Node()),
    ]
    for verb, argument in wrong:
        with pytest.raises(RelationError):
            verb(argument)
    assert len(chain.internal_edges) == 2


def test_a_graph_comes_back(chain: Graph) -> None:
    """A graph is read back with its connections; edges without their nodes are refused."""
    restored = Graph.from_dict(chain.to_dict())
    assert restored.to_dict() == chain.to_dict()
    assert restored.node_edge_mapping == chain.node_edge_mapping
    with pytest.raises(ValueError, match="needs nodes"):
        Graph(internal_edges=Pile(chain.internal_edges))


@pytest.mark.anyio
async def test_conditions() -> None:
    """An edge asks its condition; a condition is code and is not written down."""
    edge = Edge(Node(), Node(), condition=AtLeast(source=3))
    assert await edge.check_condition(2)
    edge.update_condition_source(1)
    assert not await edge.check_condition(2)
    with pytest.raises(NotPortable, match="condition"):
        edge.to_dict()
    free = Edge(Node(), Node())
    free.update_property("weight", 1)
    assert await free.check_condition()
    assert free.to_dict()["properties"] == {"weight": 1}
    with pytest.raises(ValueError, match="no condition"):
        free.update_condition_source(1)
