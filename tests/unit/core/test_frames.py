"""The table of messages."""

import pytest

from lion_broker.core.frames import MESSAGE_COLUMNS, messages_to_frame
from lion_broker.messages import ActionRequest, AssistantResponse, Instruction, RoledMessage


def test_a_row_a_message() -> None:
    """Rows are in order, with rendered text, UTC times and the branch that the caller names."""
    asked = Instruction.create("2+2?", sender="alice", images=["aGk="])
    said = AssistantResponse.create("4", sender=asked.id)
    frame = messages_to_frame([asked, said, ActionRequest.create("f")], lambda message: f"of {message.id}")
    assert list(frame) == list(MESSAGE_COLUMNS)
    assert frame["role"].tolist() == ["user", "assistant", "action"]
    assert frame["content"].tolist() == ["2+2?", "4", '{"function": "f", "arguments": {}}']
    assert frame["sender"].tolist() == ["alice", asked.id, "unset"]
    assert frame["branch"][0] == f"of {asked.id}"
    assert frame["created_at"][0].timestamp() == pytest.approx(asked.created_at, abs=1e-6)


@pytest.mark.parametrize("messages", [[], [Instruction.create("a")]])
def test_types_do_not_depend_on_the_rows(messages: list[RoledMessage]) -> None:
    """An empty frame has the columns and types of a full one."""
    frame = messages_to_frame(messages)
    assert list(frame) == list(MESSAGE_COLUMNS)
    assert str(frame["created_at"].dt.tz) == "UTC"
    assert {str(frame[name].dtype) for name in MESSAGE_COLUMNS if name != "created_at"} <= {"str", "string"}
    assert frame["branch"].isna().all()
