"""What a branch knows of the mail that has taken effect: all of it, in little memory."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from lion_broker.branch import known_mails
from lion_broker.branch.known_mails import KnownMails
from lion_broker.core.ids import IDType

MANY = 20_000
"""So many that what there is of shelves hardly counts."""


def filled(ids: list[str]) -> KnownMails:
    """What is known after so many mails."""
    mails = KnownMails()
    for one in ids:
        mails.add(one)
    return mails


def test_no_mail_is_forgotten() -> None:
    """However long ago it was, and none is taken for another."""
    ids: list[str] = [IDType.create() for _ in range(MANY)]
    mails = filled(ids[::2])
    assert all(one in mails for one in ids[::2])
    assert not any(one in mails for one in ids[1::2])
    assert len(mails) == MANY / 2


def test_a_mail_takes_few_bytes() -> None:
    """A set of their ids would take some 170 for each."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        mails = KnownMails()
        for _ in range(MANY):
            mails.add(IDType.create())
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(mails) == MANY
    assert taken / MANY <= 24


def test_the_latest_are_kept_as_they_are() -> None:
    """An id that a message has too takes no second place in memory."""
    ids = [IDType.create() for _ in range(known_mails._LATEST)]
    assert {id(one) for one in filled([*ids]).latest} == {id(one) for one in ids}


texts = st.one_of(
    st.uuids().map(str),
    # Some that differ in one half only.
    st.tuples(st.integers(0, 3), st.integers(0, 300)).map(lambda two: f"{two[0]:08x}-0000-7000-8000-{two[1]:012x}"),
    st.uuids().map(lambda one: str(one).upper()),
    st.uuids().map(lambda one: one.hex),
    st.text(max_size=40),
)


@given(taken=st.lists(texts, max_size=60), asked=st.lists(texts, max_size=30), latest=st.integers(0, 5))
def test_it_is_a_set(taken: list[str], asked: list[str], latest: int) -> None:
    """Whatever ids are, in whatever order they come, also those of which no verb makes any."""
    before, known_mails._LATEST = known_mails._LATEST, latest  # type: ignore[misc]
    try:
        mails = filled(taken)
    finally:
        known_mails._LATEST = before  # type: ignore[misc]
    assert all(one in mails for one in taken)
    assert [one in mails for one in asked] == [one in set(taken) for one in asked]
