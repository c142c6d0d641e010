"""Closing: mail becomes dead letters, later mail is refused, a log stays while a copy refers to it."""

import pytest

from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import BranchSeed, Posted
from lion_broker.mail.verbs import CloseBranch, CreateBranch, ReadBranches
from tests.conformance.road import BEGUN, Road, texts, wait_until


def test_a_removed_branch_sends_no_more(exchange: Exchange) -> None:
    """Mail posted in its name is refused with both kinds of delivery, and names it."""
    for delivery in ("manual", "auto"):
        road = Road(exchange, delivery).open()
        road.pooled("ada", "ben")
        road.close("ada")
        assert road.post(road.mail("ada", "ben")) == Posted(Outcome.CLOSED, "ada")


def test_a_closed_branch_leaves_the_roster(exchange: Exchange, auto: Road) -> None:
    """It is read by its id only, in state `closed`, and its log stays."""
    auto.pooled("ada", "ben")
    assert auto.branch("ada").state == "open"
    assert auto.close("ada") is Outcome.OK
    assert [record.id for record in exchange.call(ReadBranches(auto.session))] == ["ben"]
    record = auto.branch("ada")
    assert (record.state, record.leased) == ("closed", False)
    assert [entry.record for entry in auto.log("ada")] == [BEGUN]


def test_a_branch_is_closed_once(auto: Road) -> None:
    """A repeat says CLOSED and changes nothing."""
    auto.pooled("ada")
    auto.say("ben", "ada", "one")
    auto.close("ada")
    before = auto.state()
    assert auto.close("ada") is Outcome.CLOSED
    assert auto.state() == before


def test_whoever_closed_it_may_ask_again(auto: Road) -> None:
    """After a lost answer the same closing says OK once more; another one says CLOSED."""
    auto.pooled("ada")
    assert auto.close("ada", nonce="mine") is Outcome.OK
    before = auto.state()
    assert auto.close("ada", nonce="mine") is Outcome.OK
    assert auto.close("ada", nonce="yours") is Outcome.CLOSED
    assert auto.close("ada") is Outcome.CLOSED
    assert auto.state() == before


def test_closing_what_is_not_there(exchange: Exchange, auto: Road) -> None:
    """An unknown branch or session is UNKNOWN."""
    assert auto.close("nobody") is Outcome.UNKNOWN
    assert exchange.call(CloseBranch("nowhere", "nobody")) is Outcome.UNKNOWN


def test_the_id_of_a_closed_branch_stays_taken(exchange: Exchange, auto: Road) -> None:
    """An id is never given twice: what was sent to the old branch must not reach a new one."""
    auto.pooled("ada")
    auto.close("ada")
    verb = CreateBranch(auto.session, BranchSeed("ada", pool=auto.pool), (BEGUN,))
    assert exchange.call(verb) is Outcome.DUPLICATE
    assert auto.branch("ada").state == "closed"


def test_mail_in_the_mailbox_becomes_dead_letters(auto: Road) -> None:
    """Mail that waits to be handled is kept with the reason `closed`, in order; no worker is woken."""
    auto.pooled("ada")
    auto.say("ben", "ada", "one", "two")
    auto.close("ada")
    dead = auto.dead()
    assert texts(dead) == ["one", "two"]
    assert {(letter.reason, letter.branch) for letter in dead} == {("closed", "ada")}
    assert auto.ready() == ()
    assert (auto.counter("dead"), auto.counter("inflight")) == (2, 0)


def test_mail_at_every_station_becomes_dead_letters(manual: Road) -> None:
    """Mail in the mailbox, in the inbox and collected for it dies with it; mail in an outbox follows."""
    manual.pooled("ada", "ben")
    manual.say("ben", "ada", "in the mailbox")
    manual.send(receive=True)
    manual.say("ben", "ada", "in the inbox")
    manual.send()
    manual.say("ben", "ada", "on the way")
    manual.collect()
    manual.say("ben", "ada", "in the outbox")
    manual.close("ada")
    assert sorted(texts(manual.dead())) == ["in the inbox", "in the mailbox", "on the way"]
    record = manual.branch("ada")
    assert (record.waiting, record.inbox) == (0, 0)
    moved = manual.send()
    assert (moved.count, moved.dead, dict(moved.targets)) == (0, 1, {})
    assert {(letter.reason, letter.branch) for letter in manual.dead()} == {("closed", "ada")}
    assert len(manual.dead()) == manual.counter("dead") == 4


def test_its_own_mail_still_goes_out(manual: Road) -> None:
    """What a branch has sent before it was closed is collected and delivered."""
    manual.pooled("ada")
    manual.local("ben")
    manual.say("ada", "ben", "farewell")
    manual.close("ada")
    assert manual.collect().count == 1
    manual.send()
    assert texts(manual.inbox("ben")) == ["farewell"]


def test_later_mail_is_refused(auto: Road) -> None:
    """A post to a closed branch says CLOSED and names it."""
    auto.pooled("ada")
    auto.close("ada")
    posted = auto.post(auto.mail("ben", "ada"))
    assert (posted.outcome, posted.recipient) == (Outcome.CLOSED, "ada")


def test_the_owner_of_a_closed_branch_is_fenced(auto: Road) -> None:
    """A pooled branch is closed whoever owns it; the owner's commit says FENCED and writes nothing."""
    auto.pooled("ada")
    auto.say("ben", "ada", "one")
    claimed = auto.take("ada", "t1")
    assert auto.close("ada") is Outcome.OK
    before = auto.state()
    answer = auto.commit("ada", "t1", claimed)
    assert (answer.outcome, answer.version) == (Outcome.FENCED, 1)
    assert auto.renew("ada", "t1") is Outcome.FENCED
    assert auto.release("ada", "t1") is Outcome.FENCED
    assert auto.state() == before
    assert texts(auto.dead()) == ["one"]


def test_a_closed_branch_cannot_be_claimed(auto: Road) -> None:
    """A worker that read the entry before learns CLOSED, and nothing is left to sweep."""
    auto.pooled("ada")
    auto.say("ben", "ada", "one")
    entry = auto.entry("ada")
    auto.close("ada")
    assert auto.claim("ada", "t1", entry).outcome is Outcome.CLOSED
    assert auto.sweep().renewed == 0
    assert auto.ready() == ()


def test_a_local_branch_is_closed_by_its_owner(auto: Road) -> None:
    """While another's lease is alive the answer is HELD; the owner's own token closes it."""
    auto.local("ada", token="mine")
    assert auto.close("ada", token="theirs") is Outcome.HELD
    assert auto.close("ada") is Outcome.HELD
    assert auto.branch("ada").state == "open"
    assert auto.close("ada", token="mine") is Outcome.OK
    assert auto.claim("ada", "mine").outcome is Outcome.CLOSED


def test_a_deserted_local_branch_is_closed_by_anyone(auto: Road) -> None:
    """When the lease is over, no token is needed."""
    auto.local("ada", lease_ms=1)
    auto.say("ben", "ada", "one")
    wait_until(lambda: auto.close("ada") is Outcome.OK)
    assert texts(auto.dead()) == ["one"]


@pytest.mark.parametrize("delete", [False, True])
def test_the_log_goes_when_asked(auto: Road, delete: bool) -> None:
    """With `delete` the log goes with the branch, without it stays."""
    auto.pooled("ada")
    auto.close("ada", delete=delete)
    assert bool(auto.log("ada")) is not delete


def test_a_copy_keeps_the_log(exchange: Exchange, auto: Road) -> None:
    """A log to which a copy refers stays until the last copy's own log is deleted."""
    auto.pooled("ada")
    for name in ("copy", "second"):
        verb = CreateBranch(auto.session, BranchSeed(name, pool=auto.pool), (BEGUN,), copies="ada")
        assert exchange.call(verb) is Outcome.OK
    auto.close("ada", delete=True)
    assert len(auto.log("ada")) == 1
    auto.close("copy", delete=True)
    assert len(auto.log("ada")) == 1
    auto.close("second", delete=True)
    assert auto.log("ada") == ()
    assert auto.log("copy") == ()


def test_a_chain_of_copies_goes_together(exchange: Exchange, auto: Road) -> None:
    """When the last log goes that referred to a log, and that one was to go, so do those before it."""
    auto.pooled("ada")
    for name, original in (("copy", "ada"), ("copy-of-copy", "copy")):
        verb = CreateBranch(auto.session, BranchSeed(name, pool=auto.pool), (BEGUN,), copies=original)
        assert exchange.call(verb) is Outcome.OK
    auto.close("ada", delete=True)
    auto.close("copy", delete=True)
    assert [len(auto.log(name)) for name in ("ada", "copy", "copy-of-copy")] == [1, 1, 1]
    auto.close("copy-of-copy", delete=True)
    assert [len(auto.log(name)) for name in ("ada", "copy", "copy-of-copy")] == [0, 0, 0]


def test_the_end_of_a_copy_leaves_an_open_original(exchange: Exchange, auto: Road) -> None:
    """The log of a branch that is not to be deleted outlives its copies."""
    auto.pooled("ada")
    exchange.call(CreateBranch(auto.session, BranchSeed("copy", pool=auto.pool), (BEGUN,), copies="ada"))
    auto.close("copy", delete=True)
    assert len(auto.log("ada")) == 1
