"""Whatever was said comes back from a file and from plain values, and edits keep what they do not mean."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lion_broker import Branch, RoledMessage
from lion_broker.branch.transcript import FORMATS, read_messages, write_messages
from tests.properties.test_values_round_trip import logs, messages, metadata, names

conversations = st.lists(messages, max_size=6, unique_by=lambda message: message.id)


def fields(said: Any) -> list[dict[str, Any]]:
    """Everything that messages hold but the flag."""
    return [{name: value for name, value in one.to_dict().items() if name != "flag"} for one in said]


@pytest.mark.parametrize("suffix", sorted(FORMATS))
@given(said=conversations)
def test_files(said: list[RoledMessage], suffix: str) -> None:
    """All kinds of messages, with any text in any place, in order, and flagged as loaded."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_messages(said, Path(folder) / "x", suffix)
        restored = read_messages(path, suffix)
        again = write_messages(restored, Path(folder) / "y", suffix)
        assert read_messages(again, suffix) == restored
    assert fields(restored) == fields(said)
    assert [type(one) for one in restored] == [type(one) for one in said]
    assert all(one.is_loaded() for one in restored)


@given(conversations, st.data())
def test_branches(said: list[RoledMessage], data: st.DataObject) -> None:
    """A branch comes back from its values, through JSON, with any view of its messages."""
    branch = Branch(
        messages=said,
        name=data.draw(st.none() | names),
        user=data.draw(st.none() | names),
        metadata=data.draw(metadata),
        progress=data.draw(st.none() | st.permutations([message.id for message in said])),
    )
    branch.logs.include(data.draw(st.lists(logs, max_size=3)))
    values = branch.to_dict()
    restored = Branch.from_dict(json.loads(json.dumps(values)))
    assert restored.to_dict() == values == branch.to_dict()
    assert restored.chat_messages == branch.chat_messages


@given(conversations, conversations)
def test_extending_is_idempotent(first: list[RoledMessage], second: list[RoledMessage]) -> None:
    """Once is as good as twice, and what is taken back was put at the end."""
    branch = Branch(messages=first)
    before = fields(branch.messages)
    count = branch.extend(second)
    after = fields(branch.messages)
    assert branch.extend([*second, *first]) == 0
    assert fields(branch.messages) == after
    branch.rollback(count)
    assert fields(branch.messages) == before


@given(conversations, names, st.text())
def test_replacing(said: list[RoledMessage], keyword: str, replacement: str) -> None:
    """As many messages differ as it says, and references, ids and order stay."""
    branch = Branch(messages=said)
    before = fields(branch.messages)
    count = branch.replace_keyword(keyword, replacement)
    after = fields(branch.messages)
    assert sum(one != other for one, other in zip(before, after, strict=True)) == count
    assert [one["id"] for one in before] == [one["id"] for one in after]
    for one, other in zip(before, after, strict=True):
        for name in ("action_request_id", "action_response_id", "images"):
            assert one["content"].get(name) == other["content"].get(name)


@given(conversations, names)
def test_searching(said: list[RoledMessage], keyword: str) -> None:
    """Exactly the messages whose text has the keyword, in order."""
    branch = Branch(messages=said)
    found = branch.search_keywords(keyword, case_sensitive=True)
    assert found.keys() == [message.id for message in said if keyword in message.text]
