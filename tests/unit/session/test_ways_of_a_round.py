"""However the commands of a round follow each other, the same state comes out."""

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lion_broker import Instruction, Session, Tool
from lion_broker.mail.memory import MemoryExchange

Letters = list[tuple[int, int, str]]

letters = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from(["message", "tool", "imodel", "signal"])),
    max_size=12,
)


def send_then_collect(session: Session) -> None:
    """Deliver, then apply."""
    session.send()
    session.collect()


def collect_then_send(session: Session) -> None:
    """Take in, deliver, and apply by each branch."""
    session.collect()
    session.send()
    for branch in session.branches:
        branch.receive_all()


def branch_by_branch(session: Session) -> None:
    """The same for one branch after the other."""
    for branch in session.branches:
        session.collect(branch)
    for branch in session.branches:
        session.send(branch)
    for branch in session.branches:
        session.collect(branch)


def by_the_manager(session: Session) -> None:
    """With LionAGI's narrow verbs."""
    session.mail_manager.collect_all()
    session.mail_manager.send_all()
    for branch in session.branches:
        branch.receive_all()


def one_call(session: Session) -> None:
    """All of it."""
    session.collect_send_all(receive_all=True)


WAYS: list[Callable[[Session], None]] = [
    send_then_collect,
    collect_then_send,
    branch_by_branch,
    by_the_manager,
    one_call,
]


def after(way: Callable[[Session], None], posted: Letters, delivery: str) -> list[Any]:
    """What everybody has when some mail was sent and moved in one way; ids left out."""
    with Session(exchange=MemoryExchange(), delivery=delivery) as session:
        branches = [session.default_branch, *(session.new_branch(name=f"b{number}") for number in range(3))]
        places = {branch.id: place for place, branch in enumerate(branches)}
        for number, (sender, recipient, category) in enumerate(posted):
            item: Any = {
                "message": Instruction.create(instruction=str(number)),
                "tool": Tool(name=f"tool_{number}", func=len),
                "imodel": "offline/extractive",
                "signal": number,
            }[category]
            if category == "imodel":
                from lion_broker import iModel

                item = iModel("offline", "extractive", number=number)
            branches[sender].send(branches[recipient], category, item)
        way(session)
        assert session.dead_letters == []
        return [
            (
                sorted((places[message.sender], message.text) for message in branch.messages),
                sorted(branch.tools),
                branch.chat_model is not None,
                {places[sender]: [mail.package.item for mail in branch.mailbox.incoming(sender)]
                 for sender in branch.mailbox.senders},
                branch.mailbox.outgoing(),
            )
            for branch in branches
        ]  # fmt: skip


@given(letters, st.sampled_from(["manual", "auto"]))
@settings(max_examples=30, deadline=None)
def test_every_way_leads_to_the_same_state(posted: Letters, delivery: str) -> None:
    """With manual and with automatic delivery: all that was sent is applied, or waits where it has no meaning."""
    found = [after(way, posted, delivery) for way in WAYS]
    assert all(one == found[0] for one in found)
    heard = [text for branch in found[0] for _, text in branch[0]]
    assert len(heard) == sum(category == "message" for _, _, category in posted)


@given(st.lists(st.integers(0, 2), max_size=15), st.sampled_from(WAYS))
@settings(max_examples=30, deadline=None)
def test_each_senders_order_is_kept(senders: list[int], way: Callable[[Session], None]) -> None:
    """Whoever else writes in between, and however often a round is made."""
    with Session(exchange=MemoryExchange()) as session:
        home = session.default_branch
        writers = [session.new_branch(name=str(number)) for number in range(3)]
        for number, sender in enumerate(senders):
            writers[sender].send(home, "message", f"{number}")
            if number % 4 == 3:
                way(session)
        way(session)
        for place, writer in enumerate(writers):
            heard = [int(message.text) for message in home.messages if message.sender == writer.id]
            assert heard == [number for number, sender in enumerate(senders) if sender == place]
