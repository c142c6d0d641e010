"""What the observer of a pile hears."""

from lion_broker.core.node import Node
from lion_broker.core.pile import Pile, PileChange
from lion_broker.messages import Instruction

Changes = list[PileChange[Node]]


def watched(nodes: list[Node]) -> tuple[Pile[Node], Changes]:
    """A pile and the list that its changes go to."""
    pile, changes = Pile[Node](nodes), Changes()
    pile.observe(changes.append)
    return pile, changes


def test_every_change_is_told() -> None:
    """Including, inserting, excluding and ordering are each told once, with what a journal needs."""
    a, b, c, d = (Node() for _ in range(4))
    pile, changes = watched([])
    pile.include([a, b])
    pile.insert(0, [c])
    pile.insert(3, d)
    pile.exclude([a, Node()])
    pile.progression = [d, c, b]
    pile.clear()
    assert changes == [
        PileChange("include", (a, b), (a.id, b.id)),
        PileChange("include", (c,), (c.id,), 0),
        PileChange("include", (d,), (d.id,)),
        PileChange("exclude", ids=(a.id,)),
        PileChange("order", ids=(d.id, c.id, b.id)),
        PileChange("exclude", ids=(d.id, c.id, b.id)),
    ]


def test_replacing_is_told_in_two_parts() -> None:
    """A position that gets another item loses one and gains one."""
    a, b, c = Node(), Node(), Node()
    pile, changes = watched([a, b])
    pile[0] = c
    assert [(change.kind, change.ids, change.index) for change in changes] == [
        ("exclude", (a.id,), None),
        ("include", (c.id,), 0),
    ]


def test_nothing_happened() -> None:
    """What changes nothing is not told."""
    pile, changes = watched([])
    pile.include([])
    pile.exclude(Node())
    pile.clear()
    assert changes == []


def test_changes_can_be_replayed() -> None:
    """A second pile that follows the changes has the same items in the same order."""
    nodes = [Node() for _ in range(6)]
    pile, changes = watched(nodes[:3])
    follower = Pile[Node](nodes[:3])
    pile.include(nodes[3:])
    pile.insert(2, Node())
    pile[1:3] = [Node(), Node()]
    pile ^= Pile([nodes[0], Node()])
    pile.progression = pile.keys()[::-1]
    pile.pop(1)
    for change in changes:
        if change.kind == "exclude":
            follower.remove(list(change.ids))
        elif change.kind == "order":
            follower.progression = change.ids
        elif change.index is None:
            follower.include(change.items)
        else:
            follower.insert(change.index, change.items)
    assert follower.values() == pile.values()


def test_changes_of_members_are_told() -> None:
    """A message that changes in place is told as included, for as long as it is a member and watched."""
    stays, goes = Instruction.create("a"), Instruction.create("b")
    pile, changes = watched([stays])
    pile.include(goes)
    stays.guidance = "slowly"
    goes.update(recipient="reader")
    assert [change.ids for change in changes[1:]] == [(stays.id,), (goes.id,)]
    pile.remove(goes)
    changes.clear()
    goes.guidance = "not heard"
    assert changes == []
    pile.observe(None)
    stays.guidance = "not heard"
    pile.include(goes)
    assert changes == []


def test_a_replaced_member_is_forgotten() -> None:
    """Of two objects with the same id, the one that took the place is watched."""
    old = Instruction.create("a")
    new = Instruction.from_dict(old.to_dict())
    pile, changes = watched([old])
    pile.include(new)
    changes.clear()
    old.guidance = "not heard"
    new.guidance = "heard"
    assert [change.items[0].content.get("guidance") for change in changes] == ["heard"]
