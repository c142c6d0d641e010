"""What a pile costs does not grow with what it holds, where that can be helped; counted, not timed."""

import random
from collections.abc import Callable, Iterable

import pytest

from lion_broker import Element, Pile
from lion_broker.core.ids import IDType
from lion_broker.core.pile_store import PileStore

COUNT = 500


def test_removing_from_the_middle_is_not_a_rebuild(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many items go, one after the other, the order is made anew a few times, not each time."""
    items = [Element() for _ in range(COUNT)]
    pile: Pile[Element] = Pile(items)
    lined_up = 0
    original = PileStore._line_up

    def counted(self: PileStore[Element], ids: Iterable[IDType]) -> None:
        nonlocal lined_up
        lined_up += 1
        original(self, ids)

    monkeypatch.setattr(PileStore, "_line_up", counted)
    left = items[:]
    random.Random(7).shuffle(left)  # noqa: S311 - no secret
    while len(left) > 10:
        pile.remove(left.pop())
        pile.include(left[0])
    assert lined_up < 10
    assert list(pile) == [item for item in items if item in left]


def test_what_has_gone_may_come_again() -> None:
    """An item that was taken out of the middle and is put in again stands at the end, once."""
    items = [Element() for _ in range(5)]
    pile: Pile[Element] = Pile(items)
    pile.remove(items[2])
    pile.include(items[2])
    assert list(pile) == [items[0], items[1], items[3], items[4], items[2]]
    assert pile[-1] is items[2]
    assert len(pile.keys()) == 5


def test_the_last_items() -> None:
    """Asked for by their number; removed ones are none of them."""
    items = [Element() for _ in range(5)]
    pile: Pile[Element] = Pile(items)
    pile.remove(items[3])
    assert pile.last(2) == [items[2], items[4]]
    assert pile.last(0) == pile.last(-1) == []
    assert pile.last(9) == list(pile)


def test_what_counts_as_an_edit() -> None:
    """Anything but an addition at the end."""
    items = [Element() for _ in range(4)]
    pile: Pile[Element] = Pile(items[:2])
    edits = []
    changes: tuple[Callable[[], object], ...] = (
        lambda: pile.include(items[2]),
        lambda: pile.include(items[2]),
        lambda: pile.insert(0, items[3]),
        lambda: pile.remove(items[0]),
        lambda: setattr(pile, "progression", pile.keys()[::-1]),
    )
    for change in changes:
        change()
        edits.append(pile.edits)
    assert edits == [0, 1, 2, 3, 4]
