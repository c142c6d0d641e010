"""Branches: created once, read in the order of creation, born with or without an owner."""

from itertools import pairwise

import pytest

from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import START, BranchSeed, LogRecord, Record
from lion_broker.mail.verbs import CreateBranch, Dispatch, ReadBranches, ReadLog
from tests.conformance.road import BEGUN, Road, texts, wait_until

SEED = BranchSeed("ada", "Ada", "desk", "planner", {"system": "Be kind.", "odd": "ü\n\x00"})


def test_a_pooled_branch_is_read_as_it_was_made(exchange: Exchange, auto: Road) -> None:
    """A branch with a pool is open, belongs to nobody and stands at version 1 before all mail."""
    assert exchange.call(CreateBranch(auto.session, SEED, (BEGUN,), token="t", owner="me")) is Outcome.OK
    record = auto.branch("ada")
    assert record.seed == SEED
    assert (record.state, record.leased, record.cursor, record.version) == ("open", False, START, 1)
    assert (record.waiting, record.inbox, record.outbox) == (0, 0, 0)


def test_a_local_branch_is_born_leased(exchange: Exchange, auto: Road) -> None:
    """A branch without a pool belongs to its creator: others are told HELD, the creator may commit."""
    verb = CreateBranch(auto.session, BranchSeed("ada"), (BEGUN,), token="mine", owner="me", lease_ms=60_000)
    assert exchange.call(verb) is Outcome.OK
    record = auto.branch("ada")
    assert (record.owner, record.leased) == ("me", True)
    assert auto.claim("ada", "theirs").outcome is Outcome.HELD
    assert auto.claim("ada", "mine").outcome is Outcome.OK


def test_the_first_lease_ends_like_any_other(auto: Road) -> None:
    """When the creator does not renew, the branch can be claimed."""
    auto.local("ada", token="mine", lease_ms=1)
    wait_until(lambda: auto.claim("ada", "theirs").outcome is Outcome.OK)
    assert auto.branch("ada").owner == "owner of theirs"


def test_the_log_begins_with_the_records(exchange: Exchange, auto: Road) -> None:
    """The records of the creation are version 1, in order, byte for byte."""
    records = (
        Record("system", b'"Be kind."'),
        Record("mail", b'{"x":"\xc3\xbc"}', b'{"v":1}'),
        Record("tool", b"[]"),
    )
    exchange.call(CreateBranch(auto.session, BranchSeed("ada"), records))
    log = auto.log("ada")
    assert [entry.record for entry in log] == list(records)
    assert [(entry.version, entry.place) for entry in log] == [(1, 1), (1, 2), (1, 3)]


SIZES = (0, 1, 3000, 5000, 5000, 9000, 1, 8000, *[0] * 70, 20_000, 20_000, 10)
"""Of bodies that fit together, of ones that do not, and more than are ever kept together."""


@pytest.mark.parametrize("count", [1, 2, 40])
def test_a_log_is_read_in_pieces(exchange: Exchange, auto: Road, count: int) -> None:
    """Reading goes on after the version and place of the last record that was read; fewer than asked for: the end."""
    records = tuple(Record("note", b"%d" % number + b"x" * size) for number, size in enumerate(SIZES))
    exchange.call(CreateBranch(auto.session, BranchSeed("ada"), records))
    found: list[LogRecord] = []
    piece: tuple[LogRecord, ...] = ()
    while not found or len(piece) >= count:
        at = (found[-1].version, found[-1].place) if found else (0, 0)
        piece = exchange.call(ReadLog(auto.session, "ada", *at, count=count))
        found += piece
    assert [entry.record for entry in found] == list(records)
    assert [(entry.version, entry.place) for entry in found] == [(1, place) for place in range(1, len(SIZES) + 1)]
    assert [entry.place for entry in found if entry.stamp] == [1]


def test_a_log_is_read_after_any_record(exchange: Exchange, auto: Road) -> None:
    """Whatever was written together: the first record that comes is the next one, the first of the next version too."""
    records = tuple(Record("note", b"%d" % number + b"x" * size) for number, size in enumerate(SIZES))
    auto.local("ada", token="mine")
    for version in (1, 2):
        auto.call(Dispatch(auto.session, "ada", "mine", version, records, (), 60_000, f"n{version}"))
    rows = auto.log("ada")
    assert [row.record for row in rows[1:]] == [*records, *records]
    for row, following in pairwise(rows):
        (first, *_) = exchange.call(ReadLog(auto.session, "ada", row.version, row.place, count=1))
        assert first == following
        assert (first.stamp is None) == (first.place > 1)
    assert exchange.call(ReadLog(auto.session, "ada", rows[-1].version, rows[-1].place)) == ()


def test_a_branch_is_created_once(exchange: Exchange, auto: Road) -> None:
    """A repeated creation says DUPLICATE and changes nothing, its log included."""
    verb = CreateBranch(auto.session, BranchSeed("ada"), (BEGUN,), token="mine")
    assert exchange.call(verb) is Outcome.OK
    auto.branches.append("ada")
    before = auto.state()
    assert exchange.call(verb) is Outcome.DUPLICATE
    assert auto.state() == before


def test_a_branch_needs_its_session(exchange: Exchange) -> None:
    """Without the session the answer is UNKNOWN and nothing is made."""
    assert exchange.call(CreateBranch("nowhere", BranchSeed("ada"), (BEGUN,))) is Outcome.UNKNOWN
    assert exchange.call(ReadBranches("nowhere", ("ada",))) == ()


def test_the_sessions_own_id_is_taken(exchange: Exchange, auto: Road) -> None:
    """A branch cannot have the id of its session, which has a mailbox under it."""
    verb = CreateBranch(auto.session, BranchSeed(auto.session), (BEGUN,))
    assert exchange.call(verb) is Outcome.DUPLICATE


def test_branches_are_listed_in_order_of_creation(exchange: Exchange, auto: Road) -> None:
    """The roster keeps the order of creation, whatever the ids, and leaves the session itself out."""
    names = ["zoe", "ada", "mia", "ben"]
    auto.pooled(*names[:2])
    auto.local(*names[2:])
    assert [record.id for record in exchange.call(ReadBranches(auto.session))] == names


def test_branches_are_listed_in_pages(exchange: Exchange, auto: Road) -> None:
    """`start` and `count` name a part of the roster; past its end there is nothing."""
    names = [f"b{number}" for number in range(7)]
    auto.pooled(*names)
    pages = [exchange.call(ReadBranches(auto.session, start=start, count=3)) for start in (0, 3, 6, 9)]
    assert [[record.id for record in page] for page in pages] == [names[:3], names[3:6], names[6:], []]


def test_branches_are_read_by_id(exchange: Exchange, auto: Road) -> None:
    """Ids that are unknown are left out; no ids give no branches."""
    auto.pooled("ada", "ben", "eve")
    found = exchange.call(ReadBranches(auto.session, ("ada", "nobody", "eve")))
    assert [record.id for record in found] == ["ada", "eve"]
    assert exchange.call(ReadBranches(auto.session, ())) == ()


def test_the_session_has_a_place_under_its_own_id(auto: Road) -> None:
    """The session is read like a branch without a pool, belongs to nobody, and gets mail."""
    record = auto.branch(auto.session)
    assert (record.id, record.seed.pool, record.state, record.leased) == (auto.session, "", "open", False)
    auto.say("anyone", auto.session, "hello")
    assert texts(auto.inbox(auto.session)) == ["hello"]
    assert auto.branch(auto.session).inbox == 1


def test_the_session_is_claimed_by_its_coordinator(auto: Road) -> None:
    """The session's own place has a lease like any local branch, and its mail is taken by commits."""
    auto.say("anyone", auto.session, "hello")
    claimed = auto.claim(auto.session, "mine", lease_ms=60_000)
    assert claimed.outcome is Outcome.OK
    assert auto.claim(auto.session, "theirs").outcome is Outcome.HELD
    (entry,) = auto.inbox(auto.session)
    assert auto.commit(auto.session, "mine", claimed, taken=(entry.id,), handled=1).outcome is Outcome.OK
    assert auto.inbox(auto.session) == ()
    assert auto.counter("applied") == 1


def test_what_waits_is_counted_where_it_waits(manual: Road) -> None:
    """`waiting`, `inbox` and `outbox` count mailbox, inbox and outbox of a branch."""
    manual.pooled("ada", "ben")
    manual.say("ada", "ben", 1, 2, 3)
    assert (manual.branch("ada").outbox, manual.branch("ben").inbox) == (3, 0)
    manual.send(limit=2)
    assert (manual.branch("ada").outbox, manual.branch("ben").inbox, manual.branch("ben").waiting) == (
        1,
        2,
        0,
    )
    manual.receive()
    assert (manual.branch("ben").inbox, manual.branch("ben").waiting) == (0, 2)


@pytest.mark.parametrize("branch", ["nobody", ""])
def test_a_copy_needs_its_original(exchange: Exchange, auto: Road, branch: str) -> None:
    """`copies` names a branch that exists, or nothing."""
    verb = CreateBranch(auto.session, BranchSeed("copy"), (BEGUN,), copies=branch)
    assert exchange.call(verb) is (Outcome.UNKNOWN if branch else Outcome.OK)
