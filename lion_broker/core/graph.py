"""Graph: nodes and the directed edges between them."""

from typing import Any, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from lion_broker.core.concepts import Condition, Relational
from lion_broker.core.element import Element
from lion_broker.core.ids import ID, IDType
from lion_broker.core.pile import Pile
from lion_broker.errors import ConfigError, ItemNotFoundError, NotPortable, RelationError

__all__ = ["Edge", "EdgeCondition", "Graph"]

Direction: TypeAlias = Literal["in", "out", "both"]
_Links: TypeAlias = dict[str, dict[IDType, IDType]]


class EdgeCondition(BaseModel, Condition):
    """Decides whether an edge may be followed; subclasses write `async def apply(self, ...) -> bool`."""

    model_config = ConfigDict(extra="allow", arbitrary_types_allowed=True)

    source: Any = None


class Edge(Element):
    """A directed connection from the node `head` to the node `tail`, with labels and free properties."""

    head: IDType
    tail: IDType
    condition: EdgeCondition | None = Field(default=None, exclude=True)
    label: list[str] = Field(default_factory=list)
    properties: dict[str, Any] = Field(default_factory=dict)

    def __init__(
        self,
        head: ID.Ref,
        tail: ID.Ref,
        condition: EdgeCondition | None = None,
        label: str | list[str] | None = None,
        **properties: Any,
    ) -> None:
        """Connect two nodes, given as elements or ids; unknown keywords are properties of the edge."""
        own = ("id", "created_at", "metadata")
        values = {name: properties.pop(name) for name in own if name in properties}
        values["head"], values["tail"] = ID.get_id(head), ID.get_id(tail)
        values["condition"] = condition
        values["label"] = [label] if isinstance(label, str) else label or []
        values["properties"] = {**properties.pop("properties", {}), **properties}
        super().__init__(**values)

    async def check_condition(self, *args: Any, **kwargs: Any) -> bool:
        """Return whether the edge may be followed: what its condition says, True without one."""
        return True if self.condition is None else await self.condition.apply(*args, **kwargs)

    def update_property(self, key: str, value: Any) -> None:
        """Set one property."""
        self.properties[key] = value

    def update_condition_source(self, source: Any) -> None:
        """Give the condition another source; ValueError when the edge has no condition."""
        if self.condition is None:
            raise ConfigError(f"The edge {self.id} has no condition.")
        self.condition.source = source

    def to_dict(self) -> dict[str, Any]:
        """Return the edge as plain JSON values; NotPortable when it has a condition, which is code."""
        if self.condition is not None:
            raise NotPortable(f"The edge {self.id} has a condition, which is code and cannot be written as JSON.")
        return super().to_dict()


class Graph(Element, Relational):
    """Nodes and directed edges; an edge connects only nodes that are in the graph.

    `node_edge_mapping`: node id -> {"in" | "out": {edge id: id of the node at its other end}}.
    """

    internal_nodes: Pile[Any] = Field(default_factory=Pile)
    internal_edges: Pile[Edge] = Field(default_factory=lambda: Pile(item_type=Edge))

    _links: dict[IDType, _Links] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _connect_all(self) -> Self:
        self._links = {node.id: _no_links() for node in self.internal_nodes}
        for edge in self.internal_edges:
            self._connect(edge)
        return self

    @property
    def node_edge_mapping(self) -> dict[IDType, _Links]:
        """A copy of the connections of each node."""
        return {id_: {way: dict(edges) for way, edges in links.items()} for id_, links in self._links.items()}

    def add_node(self, node: Any) -> None:
        """Add a Relational element; RelationError when it is none or is here already."""
        if not (isinstance(node, Element) and isinstance(node, Relational)):
            raise RelationError(f"{type(node).__name__} is no node, for it is not Relational.")
        if node in self.internal_nodes:
            raise RelationError(f"The node {node.id} is in the graph already.")
        self.internal_nodes.include([node])
        self._links[node.id] = _no_links()

    def add_edge(self, edge: Edge) -> None:
        """Add an edge; RelationError when it is no Edge, is here already, or a node of it is not."""
        if not isinstance(edge, Edge):
            raise RelationError(f"A graph connects nodes by an Edge, not by {type(edge).__name__}.")
        if edge in self.internal_edges:
            raise RelationError(f"The edge {edge.id} is in the graph already.")
        self._connect(edge)
        self.internal_edges.include(edge)

    def remove_node(self, node: ID.Ref) -> None:
        """Remove a node and all its edges; RelationError when it is not in the graph."""
        id_ = self._id_in(self.internal_nodes, node)
        for edge in self.find_node_edge(id_):
            self.remove_edge(edge)
        self.internal_nodes.remove(id_)
        del self._links[id_]

    def remove_edge(self, edge: ID.Ref) -> None:
        """Remove an edge; RelationError when it is not in the graph."""
        removed = self.internal_edges.pop(self._id_in(self.internal_edges, edge))
        del self._links[removed.head]["out"][removed.id]
        del self._links[removed.tail]["in"][removed.id]

    def find_node_edge(self, node: ID.Ref, direction: Direction = "both") -> Pile[Edge]:
        """Return the edges into a node, out of it, or both; RelationError for an unknown node."""
        if direction not in ("in", "out", "both"):
            raise ConfigError(f"direction is 'in', 'out' or 'both', not {direction!r}.")
        links = self._links[self._id_in(self.internal_nodes, node)]
        ways = ("in", "out") if direction == "both" else (direction,)
        ids = dict.fromkeys(id_ for way in ways for id_ in links[way])
        return Pile([self.internal_edges[id_] for id_ in ids], item_type=Edge)

    def get_heads(self) -> Pile[Any]:
        """Return the nodes that no edge comes into."""
        return Pile([node for node in self.internal_nodes if not self._links[node.id]["in"]])

    def get_predecessors(self, node: ID.Ref) -> Pile[Any]:
        """Return the nodes from which an edge leads to this one."""
        return self._neighbours(node, "in")

    def get_successors(self, node: ID.Ref) -> Pile[Any]:
        """Return the nodes to which an edge leads from this one."""
        return self._neighbours(node, "out")

    def is_acyclic(self) -> bool:
        """Return whether no way along the edges leads back to where it began (Kahn 1962)."""
        open_ways = {id_: len(links["in"]) for id_, links in self._links.items()}
        free = [id_ for id_, count in open_ways.items() if not count]
        for id_ in free:
            for tail in self._links[id_]["out"].values():
                open_ways[tail] -= 1
                if not open_ways[tail]:
                    free.append(tail)
        return len(free) == len(open_ways)

    def __contains__(self, item: Any) -> bool:
        return item in self.internal_nodes or item in self.internal_edges

    def _connect(self, edge: Edge) -> None:
        missing = [id_ for id_ in (edge.head, edge.tail) if id_ not in self._links]
        if missing:
            raise RelationError(
                f"The edge {edge.id} needs nodes that are not in the graph: {', '.join(missing)}. Add them first."
            )
        self._links[edge.head]["out"][edge.id] = edge.tail
        self._links[edge.tail]["in"][edge.id] = edge.head

    def _neighbours(self, node: ID.Ref, way: Literal["in", "out"]) -> Pile[Any]:
        links = self._links[self._id_in(self.internal_nodes, node)]
        return Pile([self.internal_nodes[id_] for id_ in dict.fromkeys(links[way].values())])

    @staticmethod
    def _id_in(pile: Pile[Any], ref: ID.Ref) -> IDType:
        try:
            return IDType.validate(pile[ref].id)
        except ItemNotFoundError as error:
            raise RelationError(f"It is not in the graph. {error}") from error


def _no_links() -> _Links:
    return {"in": {}, "out": {}}
