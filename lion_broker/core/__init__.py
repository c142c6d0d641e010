"""Values: ids, elements, their order and collections, events, logs, graphs and tables."""

from lion_broker.core.concepts import (
    Collective,
    Communicatable,
    Condition,
    Manager,
    Observable,
    Observer,
    Ordering,
    Relational,
    Sendable,
    Watchable,
)
from lion_broker.core.element import Element, element_class
from lion_broker.core.event import Event, EventStatus, Execution
from lion_broker.core.frames import messages_to_frame
from lion_broker.core.graph import Edge, EdgeCondition, Graph
from lion_broker.core.ids import ID, IDType, to_list_type, validate_order
from lion_broker.core.log import Log, LogPile
from lion_broker.core.node import Node
from lion_broker.core.pile import Pile, PileChange, pile
from lion_broker.core.portable import to_portable
from lion_broker.core.progression import Progression, prog

__all__ = [
    "ID",
    "Collective",
    "Communicatable",
    "Condition",
    "Edge",
    "EdgeCondition",
    "Element",
    "Event",
    "EventStatus",
    "Execution",
    "Graph",
    "IDType",
    "Log",
    "LogPile",
    "Manager",
    "Node",
    "Observable",
    "Observer",
    "Ordering",
    "Pile",
    "PileChange",
    "Progression",
    "Relational",
    "Sendable",
    "Watchable",
    "element_class",
    "messages_to_frame",
    "pile",
    "prog",
    "to_list_type",
    "to_portable",
    "validate_order",
]
