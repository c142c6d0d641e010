"""Logs: what a record can be made of, and the pile of them."""

import pytest
from pydantic import ValidationError

from lion_broker.core.log import Log, LogPile
from lion_broker.core.node import Node
from lion_broker.core.pile import PileChange
from lion_broker.errors import NotPortable


def test_records_of_everything() -> None:
    """A text, a mapping, an element and a Log itself become records."""
    node = Node(content=1)
    logs = LogPile()
    record = logs.log("started")
    assert record.content == {"text": "started"}
    assert str(record) == "started"
    assert str(logs.log({"a": 1})) == "{'a': 1}"
    assert logs.log(node).content == node.to_dict()
    assert logs.log(record) is record
    assert len(logs) == 3
    assert [type(log) for log in logs] == [Log] * 3


@pytest.mark.parametrize("content", [5, None, ["a"]])
def test_other_objects_are_refused(content: object) -> None:
    """What is no text, mapping or element is an error and not a lost record."""
    with pytest.raises(TypeError, match="A log is made of"):
        LogPile().log(content)  # type: ignore[arg-type]


def test_a_record_stays_as_it_was_made() -> None:
    """The content is a copy of plain values and cannot be assigned."""
    source = {"a": [1]}
    log = Log.create(source)
    source["a"].append(2)
    assert log.content == {"a": [1]}
    with pytest.raises(ValidationError):
        log.content = {}  # type: ignore[misc]
    with pytest.raises(NotPortable):
        Log.create({"a": object()})


def test_logs_are_observed() -> None:
    """A journal hears of each record."""
    logs, changes = LogPile(), list[PileChange[Log]]()
    logs.observe(changes.append)
    logs.log("a")
    assert [change.items[0].content for change in changes] == [{"text": "a"}]


def test_nothing_but_logs() -> None:
    """A LogPile takes no other elements, and its slices are LogPiles."""
    logs = LogPile()
    with pytest.raises(TypeError, match="holds Log only"):
        logs.include(Node())
    logs.log("a")
    assert type(logs[:1]) is LogPile


@pytest.mark.anyio
async def test_logging_from_a_task() -> None:
    """The verb for coroutines records as well."""
    logs = LogPile()
    assert (await logs.alog("a")) in logs
