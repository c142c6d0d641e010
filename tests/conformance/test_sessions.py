"""Sessions: created once, updated, listed, and deleted with everything they own."""

import pytest

from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import BranchSeed
from lion_broker.mail.verbs import (
    CreateBranch,
    CreateSession,
    DeleteSession,
    ListSessions,
    Post,
    ReadBranches,
    ReadSession,
    UpdateSession,
)
from tests.conformance.road import BEGUN, Road, texts

COUNTERS = {"posted", "applied", "redelivered", "dead", "inflight", "delayed"}


def test_a_new_session_shows_its_fields_and_zeroes(exchange: Exchange) -> None:
    """A session is read back with exactly its own fields, all counters at zero and no branches."""
    fields = {"delivery": "manual", "name": "desk", "user": "ada", "note": "größer, 'quoted'\nand \x00 odd"}
    assert exchange.call(CreateSession("s-1", fields)) is Outcome.OK
    record = exchange.call(ReadSession("s-1"))
    assert record is not None
    assert (record.id, dict(record.fields), record.branches) == ("s-1", fields, 0)
    assert dict(record.counters) == dict.fromkeys(COUNTERS, 0)


def test_a_session_is_created_once(exchange: Exchange) -> None:
    """A second creation says DUPLICATE and changes nothing."""
    exchange.call(CreateSession("s-1", {"delivery": "auto", "name": "first"}))
    assert exchange.call(CreateSession("s-1", {"delivery": "manual", "name": "second"})) is Outcome.DUPLICATE
    record = exchange.call(ReadSession("s-1"))
    assert record is not None
    assert dict(record.fields) == {"delivery": "auto", "name": "first"}


def test_an_unknown_session_is_none(exchange: Exchange) -> None:
    """Reading a session that was never created answers None."""
    assert exchange.call(ReadSession("nobody")) is None


def test_fields_are_updated_one_by_one(exchange: Exchange) -> None:
    """An update sets the named fields, adds new ones and leaves the others."""
    exchange.call(CreateSession("s-1", {"delivery": "auto", "name": "old", "user": "ada"}))
    assert exchange.call(UpdateSession("s-1", {"name": "new", "color": "red"})) is Outcome.OK
    record = exchange.call(ReadSession("s-1"))
    assert record is not None
    assert dict(record.fields) == {"delivery": "auto", "name": "new", "user": "ada", "color": "red"}


def test_an_unknown_session_is_not_updated(exchange: Exchange) -> None:
    """An update of a session that was never created says UNKNOWN and creates nothing."""
    assert exchange.call(UpdateSession("nobody", {"name": "new"})) is Outcome.UNKNOWN
    assert exchange.call(ReadSession("nobody")) is None


def test_delivery_can_change(exchange: Exchange, manual: Road) -> None:
    """After an update of the field `delivery`, mail travels the new way."""
    manual.local("ada", "ben")
    assert exchange.call(UpdateSession(manual.session, {"delivery": "auto"})) is Outcome.OK
    manual.say("ada", "ben", "hello")
    assert texts(manual.inbox("ben")) == ["hello"]


def test_sessions_are_listed_oldest_first(exchange: Exchange) -> None:
    """All sessions are listed in order of creation, whatever their ids."""
    assert exchange.call(ListSessions()) == ()
    for name in ("c", "a", "b"):
        exchange.call(CreateSession(name, {"delivery": "auto"}))
    assert exchange.call(ListSessions()) == ("c", "a", "b")


def test_counted_branches_are_the_open_ones(auto: Road) -> None:
    """The session's own mailbox is no branch, and a closed branch no longer counts."""
    auto.pooled("ada")
    auto.local("ben")
    assert auto.record().branches == 2
    auto.close("ada")
    assert auto.record().branches == 1


def test_a_deleted_session_is_gone(exchange: Exchange, auto: Road) -> None:
    """Deletion removes the session, its branches, their logs and its dead letters."""
    auto.pooled("ada")
    auto.local("ben")
    auto.say("ben", "ada", "one")
    assert exchange.call(DeleteSession(auto.session)) is False
    assert exchange.call(ReadSession(auto.session)) is None
    assert exchange.call(ListSessions()) == ()
    assert exchange.call(ReadBranches(auto.session)) == ()
    assert exchange.call(ReadBranches(auto.session, ("ada", auto.session))) == ()
    assert auto.log("ada") == ()
    assert auto.inbox(auto.session) == ()
    assert auto.dead() == ()


def test_deletion_clears_the_ready_stream(exchange: Exchange, auto: Road) -> None:
    """No worker is woken for a branch of a deleted session, and one that was woken before learns it."""
    auto.pooled("ada", "ben")
    auto.say("ben", "ada", "one")
    entry = auto.entry("ada")
    auto.say("ada", "ben", "two")
    exchange.call(DeleteSession(auto.session))
    assert auto.ready() == ()
    assert auto.claim("ada", "t1", entry).outcome is Outcome.UNKNOWN
    assert auto.sweep().renewed == 0


def test_deletion_is_bounded_work(exchange: Exchange, auto: Road) -> None:
    """At most `limit` branches go at once; True says that more is left, False that nothing is."""
    auto.pooled("a", "b", "c", "d", "e")
    answers = [exchange.call(DeleteSession(auto.session, limit=2))]
    while answers[-1]:
        assert len(answers) < 6
        answers.append(exchange.call(DeleteSession(auto.session, limit=2)))
    assert len(answers) >= 3
    assert exchange.call(ReadSession(auto.session)) is None
    assert exchange.call(DeleteSession(auto.session)) is False


def test_deletion_takes_closed_branches_too(exchange: Exchange, auto: Road) -> None:
    """What a closed branch left goes with its session; a session of the same id starts from nothing."""
    auto.pooled("ada")
    auto.say("ada", "ada", "one")
    auto.close("ada")
    auto.say("x", auto.session, "to the session")
    exchange.call(DeleteSession(auto.session))
    assert auto.log("ada") == ()
    auto.open()
    assert auto.record().counters["dead"] == 0
    assert auto.dead() == ()
    assert auto.inbox(auto.session) == ()
    auto.pooled("ada")
    assert auto.branch("ada").state == "open"


def test_a_new_session_forgets_old_producers(exchange: Exchange, auto: Road) -> None:
    """After deletion, producers begin at 1 again."""
    auto.local("ada")
    post = Post(auto.session, "p", 1, (auto.mail("x", "ada"),))
    assert exchange.call(post).outcome is Outcome.OK
    exchange.call(DeleteSession(auto.session))
    auto.open()
    auto.local("ada")
    assert exchange.call(post).outcome is Outcome.OK


def test_sessions_do_not_see_each_other(exchange: Exchange) -> None:
    """Branches of the same id in two sessions are two branches."""
    one, two = Road(exchange).open(), Road(exchange).open()
    one.local("ada")
    two.local("ada")
    one.say("x", "ada", "for one")
    assert texts(one.inbox("ada")) == ["for one"]
    assert two.inbox("ada") == ()


@pytest.mark.parametrize("fields", [{}, {"delivery": "pigeon"}, {"delivery": ""}])
def test_a_session_needs_a_way_of_delivery(exchange: Exchange, fields: dict[str, str]) -> None:
    """`delivery` is manual or auto; anything else is a ValueError and creates nothing."""
    with pytest.raises(ValueError, match="delivery"):
        exchange.call(CreateSession("s-1", fields))
    assert exchange.call(ListSessions()) == ()


def test_several_verbs_are_done_in_order(exchange: Exchange) -> None:
    """`call_all` answers each verb in its place, later ones seeing what earlier ones did."""
    answers = exchange.call_all(
        (
            CreateBranch("s-1", BranchSeed("ada"), (BEGUN,)),
            CreateSession("s-1", {"delivery": "auto"}),
            CreateBranch("s-1", BranchSeed("ada"), (BEGUN,)),
            ListSessions(),
        )
    )
    assert answers == [Outcome.UNKNOWN, Outcome.OK, Outcome.OK, ("s-1",)]
    assert exchange.call_all(()) == []
