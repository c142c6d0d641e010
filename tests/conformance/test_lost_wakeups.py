"""Traces in which variants of the protocol lost mail, or left entries that nobody removes; none does here.

The invariant behind them: an open branch with work waiting and no living owner has exactly one ready entry.
"""

from lion_broker.mail.answers import Swept
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from tests.conformance.road import Road, Stand, texts


def waking(road: Road, *said: object) -> str:
    """A pooled branch `ada` with some mails; the entry that a first worker has read."""
    road.pooled("ada")
    road.say("x", "ada", *said)
    return road.entry("ada", "first worker")


def finish(road: Road, token: str, *said: object) -> None:
    """Take the one ready entry, handle everything, and insist on what it said and on a clean end."""
    stand: Stand = road.take("ada", token)
    heard: list[object] = []
    while stand.outcome is Outcome.OK:
        heard += texts(stand.entries)
        stand = road.commit("ada", token, stand)
    assert (stand.outcome, heard) == (Outcome.DRAINED, list(said))
    assert road.ready() == ()
    assert road.sweep() == Swept()


def test_held_acknowledges_nothing(auto: Road) -> None:
    """A worker that is told HELD leaves the entry: when the holder dies, the sweeper still finds it."""
    entry = waking(auto, 1)
    auto.claim("ada", "t1", entry, lease_ms=1)
    auto.give_away()
    second = auto.entry("ada", "second worker")
    assert auto.renew("ada", "t1", lease_ms=60_000) is Outcome.OK
    assert auto.claim("ada", "t2", second).outcome is Outcome.HELD
    assert auto.renew("ada", "t1", lease_ms=1) is Outcome.OK
    auto.give_away()
    finish(auto, "t3", 1)


def test_a_slow_reader_takes_no_newer_entry_away(auto: Road) -> None:
    """A mark that only says yes or no would let an old entry stand for a new one."""
    slow = waking(auto, 1)
    auto.give_away()
    auto.commit("ada", "t2", auto.take("ada", "t2"))
    auto.say("x", "ada", 2)
    assert auto.claim("ada", "t1", slow).outcome is Outcome.GONE
    finish(auto, "t3", 2)


def test_a_slow_reader_takes_no_read_entry_away(auto: Road) -> None:
    """The same when the newer entry has been read by another worker that dies before it claims."""
    slow = waking(auto, 1)
    auto.give_away()
    auto.entry("ada", "second worker")
    assert auto.claim("ada", "t1", slow).outcome is Outcome.GONE
    auto.give_away()
    finish(auto, "t3", 1)


def test_reading_acknowledges_nothing(auto: Road) -> None:
    """A worker that dies after reading, before it has a lease, leaves its entry to the sweeper."""
    waking(auto, 1)
    auto.give_away()
    finish(auto, "t1", 1)


def test_a_reader_may_vanish_again_and_again(auto: Road) -> None:
    """Entries of many lost readers lead to one entry and no leftovers."""
    waking(auto, 1)
    for number in range(5):
        auto.give_away()
        auto.entry("ada", f"worker {number}")
    auto.give_away()
    finish(auto, "t1", 1)


def test_the_mark_is_cleared_with_the_last_commit(auto: Road) -> None:
    """Mail before the last commit comes with it, mail after it wakes a worker: no moment lies between."""
    claimed = auto.claim("ada", "t1", waking(auto, 1))
    auto.say("x", "ada", 2)
    answer = auto.commit("ada", "t1", claimed)
    assert texts(answer.entries) == [2]
    assert auto.commit("ada", "t1", answer).outcome is Outcome.DRAINED
    auto.say("x", "ada", 3)
    finish(auto, "t2", 3)


def test_post_and_mark_are_one(auto: Road) -> None:
    """Each of many posts to idle branches is followed by an entry, without any sweep."""
    auto.pooled("ada")
    for number in range(20):
        auto.say("x", "ada", number)
        finish(auto, f"t{number}", number)


def test_a_commit_removes_its_own_entry_only(auto: Road) -> None:
    """An owner whose entry was replaced in its absence removes the replacement, and no other's entry."""
    entry = waking(auto, 1)
    auto.pooled("ben")
    claimed = auto.claim("ada", "t1", entry, lease_ms=1)
    auto.give_away()
    auto.say("x", "ben", 2)
    assert auto.commit("ada", "t1", claimed).outcome is Outcome.DRAINED
    assert [ready.branch for ready in auto.ready()] == ["ben"]
    auto.say("x", "ada", 3)
    assert [ready.branch for ready in auto.ready()] == ["ada"]


def test_a_claim_removes_no_entry_of_another_branch(auto: Road) -> None:
    """A caller that mixes up its entries is told GONE, and the other branch's entry is still found."""
    auto.pooled("ada", "ben")
    auto.say("x", "ada", 1)
    auto.say("x", "ben", 2)
    entries = {ready.branch: ready.id for ready in auto.ready()}
    assert auto.claim("ada", "t1", entries["ben"]).outcome is Outcome.GONE
    assert auto.claim("nobody", "t1", entries["ben"]).outcome is Outcome.UNKNOWN
    assert auto.sweep() == Swept(seen=2, renewed=2)
    assert sorted(ready.branch for ready in auto.ready()) == ["ada", "ben"]


def test_a_sweep_looks_before_it_gives_away(auto: Road) -> None:
    """An owner that renewed in time keeps its branch; an owner that committed leaves nothing to sweep."""
    claimed = auto.claim("ada", "t1", waking(auto, 1), lease_ms=1)
    auto.renew("ada", "t1", lease_ms=60_000)
    assert auto.sweep() == Swept(seen=1)
    assert auto.commit("ada", "t1", claimed).outcome is Outcome.DRAINED
    assert auto.sweep() == Swept()


def test_an_owner_comes_back_after_a_sweep(auto: Road) -> None:
    """Its renewed lease is answered HELD to the reader of the new entry, and its own repeated claim OK."""
    entry = waking(auto, 1)
    auto.claim("ada", "t1", entry, lease_ms=1)
    auto.give_away()
    auto.renew("ada", "t1", lease_ms=60_000)
    second = auto.entry("ada", "second worker")
    again = auto.claim("ada", "t1", entry)
    assert (again.outcome, texts(again.entries)) == (Outcome.OK, [1])
    assert auto.claim("ada", "t2", second).outcome is Outcome.HELD
    assert auto.commit("ada", "t1", again).outcome is Outcome.DRAINED
    assert auto.claim("ada", "t2", second).outcome is Outcome.GONE
    auto.say("x", "ada", 2)
    finish(auto, "t3", 2)


def test_receiving_marks(exchange: Exchange) -> None:
    """Mail that becomes work by a round wakes a worker like any other, once for many mails."""
    road = Road(exchange, "manual").open()
    road.pooled("ada", "ben")
    road.say("ben", "ada", 1, 2)
    road.send()
    road.receive(limit=1)
    road.receive(limit=1)
    finish(road, "t1", 1, 2)


def test_a_replaced_branch_hands_its_mark_on(auto: Road) -> None:
    """A zombie that wakes when its successor has drained the branch changes nothing, hides no later mail."""
    claimed = auto.claim("ada", "t1", waking(auto, 1), lease_ms=1)
    auto.give_away()
    finish(auto, "t2", 1)
    assert auto.commit("ada", "t1", claimed).outcome is Outcome.FENCED
    assert auto.release("ada", "t1") is Outcome.FENCED
    auto.say("x", "ada", 2)
    finish(auto, "t3", 2)
