"""Whatever a value holds, it is written as JSON without being changed, and read back as it was."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lion_broker.core.element import Element
from lion_broker.core.event import Event, EventStatus, Execution
from lion_broker.core.graph import Edge, Graph
from lion_broker.core.ids import IDType
from lion_broker.core.log import Log, LogPile
from lion_broker.core.node import Node
from lion_broker.core.pile import Pile
from lion_broker.core.progression import Progression
from lion_broker.messages import (
    ActionRequest,
    ActionResponse,
    AssistantResponse,
    Instruction,
    MessageRole,
    RoledMessage,
    System,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
names = st.text(min_size=1)
metadata = st.dictionaries(st.text().filter(lambda key: key != "lion_class"), json_values, max_size=3)
identities = st.fixed_dictionaries(
    {
        "id": st.uuids().map(IDType.validate),
        "created_at": st.floats(min_value=0, max_value=4e9),
        "metadata": metadata,
    }
)
ids = st.lists(st.uuids().map(IDType.validate), max_size=5)
parties = st.none() | st.uuids().map(str) | st.sampled_from(MessageRole) | names
said = {"sender": parties, "recipient": parties}

elements = st.builds(Element, id=st.uuids(), created_at=st.integers(0, 10**10), metadata=metadata)
nodes = st.builds(
    Node,
    content=json_values.filter(lambda content: not (isinstance(content, dict) and "metadata" in content)),
    embedding=st.none() | st.lists(st.floats(-1, 1), max_size=3),
    metadata=metadata,
)
nested_nodes = st.builds(Node, content=nodes)
logs = st.builds(Log, content=st.dictionaries(st.text(), json_values, max_size=3), metadata=metadata)
systems = st.builds(
    System.create, json_values, st.none() | st.just(True) | names, template=st.none() | st.text(), **said
)
instructions = st.builds(
    Instruction.create,
    json_values,
    context=json_values,
    guidance=json_values,
    images=st.none() | st.lists(st.text(), max_size=2),
    request_fields=st.none() | st.lists(names, max_size=2) | st.dictionaries(names, json_values, max_size=2),
    tool_schemas=json_values,
    plain_content=st.none() | st.text(),
    **said,
)
responses = st.builds(AssistantResponse.create, json_values, **said)
requests = st.builds(ActionRequest.create, names, st.dictionaries(st.text(), json_values, max_size=3), **said)
outcomes = st.builds(ActionResponse.create, requests, json_values, **said)
kinds = st.one_of(systems, instructions, responses, requests, outcomes)
messages = kinds | kinds.map(RoledMessage.clone) | kinds.map(RoledMessage.clone).map(RoledMessage.clone)
piles = st.builds(
    lambda items, reverse, fields: Pile[Any](items, order=items[::-1] if reverse else None, **fields),
    st.lists(nodes | logs | messages, max_size=5),
    st.booleans(),
    identities,
)


def state(value: Any) -> Any:
    """Everything that a value holds, piles and progressions with their order."""
    match value:
        case Progression():
            return type(value), value.id, value.created_at, value.metadata, value.name, value.order
        case Pile():
            own = value.id, value.created_at, value.metadata, value.item_type, value.strict_type
            return type(value), own, [state(item) for item in value]
        case Element():
            return type(value), {name: state(part) for name, part in value.__dict__.items()}
    return value


def comes_back(value: Element) -> None:
    """Check that a value is written twice alike and unchanged, and read back with every field."""
    before = state(value)
    written = value.to_dict()
    text = json.dumps(written)
    assert value.to_dict() == written
    assert state(value) == before
    restored = Element.from_dict(written)
    assert state(restored) == before
    assert json.dumps(written) == text
    assert state(type(value).from_dict(json.loads(text), **not_loaded(value))) == before


def not_loaded(value: Element) -> dict[str, Any]:
    """The argument with which a message keeps the flag that was written."""
    return {"loaded": False} if isinstance(value, RoledMessage) else {}


@given(elements | nodes | nested_nodes | logs)
def test_elements(value: Element) -> None:
    """Elements, nodes and logs."""
    comes_back(value)


@given(st.builds(lambda order, name, fields: Progression(order, name, **fields), ids, st.none() | names, identities))
def test_progressions(value: Progression) -> None:
    """Progressions, with name, order and repeated ids."""
    comes_back(value)


@given(messages)
def test_messages(value: RoledMessage) -> None:
    """All kinds of messages, clones, and clones of clones."""
    comes_back(value)


@given(messages)
def test_messages_read_the_same(value: RoledMessage) -> None:
    """A message that came back shows a model what the original shows."""
    restored = RoledMessage.from_dict(value.to_dict())
    assert restored.rendered == value.rendered
    assert restored.is_loaded()


@given(piles)
def test_piles(value: Pile[Any]) -> None:
    """Piles of everything, in any order."""
    comes_back(value)


@given(st.lists(messages, max_size=4), st.booleans())
def test_typed_piles(items: list[RoledMessage], strict: bool) -> None:
    """Item type and strictness come back too."""
    kinds_here = {type(item) for item in items} or {Instruction}
    comes_back(Pile(items, item_type=kinds_here, strict_type=strict))
    comes_back(LogPile([item.to_log() for item in items]))


@given(st.lists(nodes, min_size=1, max_size=4), st.data())
def test_graphs(items: list[Node], data: st.DataObject) -> None:
    """Graphs with their edges and connections."""
    ends = st.tuples(st.sampled_from(items), st.sampled_from(items))
    edges = [Edge(head, tail, label="x", weight=1) for head, tail in data.draw(st.lists(ends, max_size=4))]
    graph = Graph(internal_nodes=Pile(items), internal_edges=Pile(edges, item_type=Edge))
    restored = Graph.from_dict(json.loads(json.dumps(graph.to_dict())))
    assert restored.to_dict() == graph.to_dict()
    assert restored.node_edge_mapping == graph.node_edge_mapping


@given(json_values, st.sampled_from(EventStatus))
def test_events_are_written(response: Any, status: EventStatus) -> None:
    """The outcome of an event is JSON and stays as it was."""
    event = Event(execution=Execution(0.5, response, status))
    assert json.loads(json.dumps(event.to_dict()))["execution"]["response"] == response
    assert event.execution == Execution(0.5, response, status)
