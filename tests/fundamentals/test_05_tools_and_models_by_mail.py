"""Tools and models travel too: as objects between branches of one process, by name to everywhere else."""

import pytest

from lion_broker import Instruction, Node, NotPortable, Registry, Session, iModel

pytestmark = pytest.mark.redis


def double(number: int) -> int:
    """Return twice the number."""
    return 2 * number


def test_a_function_becomes_a_tool(session: Session) -> None:
    """Between branches of this process any function may be sent, alone or in a list."""
    ada, ben = session.new_branch(name="ada"), session.new_branch(name="ben")
    ada.send(ben, "tool", [double, len])
    session.collect_send_all(receive_all=True)
    assert set(ben.tools) == {"double", "len"}
    assert ben.tools["double"].func_callable is double


def test_a_model_is_used_by_whoever_gets_it(session: Session) -> None:
    """The very object, with its key, within a process; its settings without the key elsewhere."""
    ada, ben = session.new_branch(name="ada"), session.new_branch(name="ben")
    model = iModel("offline", "extractive")
    ada.send(ben, "imodel", model)
    session.collect_send_all(receive_all=True)
    assert ben.chat_model is model


def test_code_does_not_travel(session: Session) -> None:
    """A function cannot go to a worker: the error says how to register it there and send its name."""
    session.new_branch(name="far", pool="readers")
    with pytest.raises(NotPortable, match=r"@registry\.tool.*send its name as text"):
        session.default_branch.send("far", "tool", double)
    session.default_branch.send("far", "tool", "double")


def test_a_registry_names_what_there_is(server: object) -> None:
    """Tools that branches name by text are found in the session's registry."""
    registry = Registry()
    registry.tool(double)
    with Session(registry=registry) as session:
        assert list(session.new_branch(tools="double").tools) == ["double"]


def test_other_things_wait_for_whoever_understands_them(session: Session) -> None:
    """Nodes, signals and conditions stay in the mailbox until somebody takes them."""
    ada, ben = session.new_branch(name="ada"), session.new_branch(name="ben")
    ada.send(ben, "node", Node(content={"page": 7}))
    ada.send(ben, "signal", {"hurry": True})
    ada.send(ben, "message", Instruction.create(instruction="See page 7."))
    session.collect_send_all(receive_all=True)
    assert [mail.package.item for mail in ben.mailbox.incoming(ada)][1] == {"hurry": True}
    assert ben.mailbox.incoming(ada)[0].package.item.content == {"page": 7}
    assert len(ben.messages) == 1
