"""Gathering goes on where it was: it is always what gathering anew would be, and looks at what is new only."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lion_broker import Branch, Instruction, Session
from lion_broker.core.frames import messages_to_frame
from lion_broker.core.ids import IDType
from lion_broker.core.pile import Pile
from lion_broker.mail.memory import MemoryExchange
from lion_broker.messages.written import UnreadClone, unread_clone
from lion_broker.session.gathered import Gathered, MessageSource


def said(text: str, at: float) -> Instruction:
    """Something said at some time."""
    return Instruction.create(instruction=text).model_copy(update={"created_at": at})


def watched(*messages: Instruction) -> Pile[Any]:
    """A pile that hears of changes, as those of branches do."""
    pile: Pile[Any] = Pile(list(messages))
    pile.observe(lambda change: None)
    return pile


def include_in(piles: list[Pile[Any]], message: Instruction) -> None:
    """Give several piles the same message."""
    for pile in piles:
        pile.include(message)


def unread(text: str, at: float) -> UnreadClone:
    """Something said at some time, of which nobody has made a message yet."""
    values = said(text, at).to_dict()
    clone = unread_clone(values, IDType.create(), IDType.create(), IDType.create(), at)
    assert isinstance(clone, UnreadClone)
    return clone


def recall_in(piles: list[Pile[Any]], text: str, at: float) -> None:
    """Have several piles read the same message, as two logs would say it."""
    first, second = unread(text, at), unread(text, at)
    second.id = first.id
    for pile, clone in zip(piles, (first, second), strict=True):
        pile.recall([clone])


Change = Callable[[Pile[Any], Pile[Any]], object]
CHANGES: dict[str, Change] = {
    "nothing": lambda a, b: None,
    "later": lambda a, b: a.include([said("x", 90.0), said("y", 80.0)]),
    "earlier": lambda a, b: b.include(said("x", 0.5)),
    "between": lambda a, b: b.include([said("x", 15.5), said("y", 25.5)]),
    "in both": lambda a, b: include_in([b, a], said("x", 50.0)),
    "of the other": lambda a, b: a.include(b[0]),
    "removed": lambda a, b: a.exclude(a[0]) if a else None,
    "changed": lambda a, b: b[0].update(instruction="changed"),
    "inserted": lambda a, b: a.insert(0, said("x", 40.0)),
    "in another order": lambda a, b: setattr(a, "progression", a.keys()[::-1]),
    "replaced": lambda a, b: b.include(b[0].model_copy(update={"metadata": {"new": 1}})),
    "recalled": lambda a, b: a.recall([unread("x", 35.0), unread("y", 45.0)]),
    "recalled in both": lambda a, b: recall_in([b, a], "x", 55.0),
    "looked at": lambda a, b: (a.values(), b.values()),
    "one looked at": lambda a, b: a[-1] if a else None,
    "last one changed": lambda a, b: a[-1].update(instruction="changed") if a else None,
    "emptied": lambda a, b: a.clear(),
}


@given(st.lists(st.sampled_from(sorted(CHANGES)), max_size=6))
@settings(deadline=None, max_examples=60)
def test_going_on_is_the_same_as_anew(changes: list[str]) -> None:
    """Messages and frame, after any changes of two sources, one after the other."""
    first, second = watched(said("1", 10.0), said("3", 30.0)), watched(said("2", 20.0))
    sources = [MessageSource(first, "first"), MessageSource(second, "second")]
    kept = Gathered(False, False)
    for name in changes:
        CHANGES[name](first, second)
        anew = Gathered(False, False)
        for one in (kept, anew):
            one.take(sources)
        assert [(row.id, row.text) for row in kept.rows] == [(row.id, row.text) for row in anew.rows]
        pd.testing.assert_frame_equal(kept.frame(), anew.frame())
    found = {message.id: message for message in [*second, *first]}
    assert all(found[message.id] is message for message in kept.messages())


def test_sources_come_and_go() -> None:
    """A new source is gone on with; one that is no more takes its messages along."""
    one, two = MessageSource(watched(said("1", 1.0)), "one"), MessageSource(watched(said("2", 2.0)), "two")
    kept = Gathered(False, False)
    shown: list[list[tuple[str, str]]] = []
    for sources in ([one], [two, one], [two], [MessageSource(two.messages, "renamed")], []):
        kept.take(sources)
        frame = kept.frame()
        shown.append(list(zip((m.content["instruction"] for m in kept.messages()), frame["branch"], strict=True)))
    assert shown == [[("1", "one")], [("1", "one"), ("2", "two")], [("2", "two")], [("2", "renamed")], []]


def test_a_second_frame_costs_the_new_rows(
    session: Session, ada: Branch, exchange: MemoryExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the history is, only what has come since is looked at and rendered."""
    made: list[int] = []

    def counted(rows: list[Any], **how: Any) -> pd.DataFrame:
        made.append(len(rows))
        return messages_to_frame(rows, **how)

    monkeypatch.setattr("lion_broker.session.gathered.messages_to_frame", counted)
    ada.messages.include([said(str(number), float(number)) for number in range(1000)])
    assert len(session.to_df()) == 1000
    session.to_df()
    ada.messages.include([said("new", 2000.0), said("newer", 2001.0)])
    assert len(session.to_df()) == 1002
    assert made == [1000, 0, 2]


def test_a_frame_is_its_callers_own(session: Session, ada: Branch) -> None:
    """What is done to one frame is not in the next."""
    ada.messages.include(said("said", 1.0))
    frame = session.to_df()
    frame["content"] = "changed"
    frame.loc[0, "role"] = "changed"
    assert list(session.to_df()["role"]) == ["user"]
