"""Claiming: one owner at a time, the first mails in order, and what was tried before comes alone."""

from lion_broker.mail.exchange import Exchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import START
from lion_broker.mail.verbs import Claim
from tests.conformance.road import Road, Stand, texts, wait_until


def test_a_claim_makes_an_owner(auto: Road) -> None:
    """OK carries the mails, where the branch stands, its behaviour, and that this is the first attempt."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    claimed = auto.take("ada", "t1")
    assert texts(claimed.entries) == [1, 2]
    assert (claimed.cursor, claimed.version, claimed.attempts, claimed.behaviour) == (START, 1, 1, "echo")
    record = auto.branch("ada")
    assert (record.owner, record.leased, record.waiting) == ("owner of t1", True, 2)


def test_who_has_had_the_first_mail_is_read(auto: Road) -> None:
    """Attempts that nobody has committed are in no log: the branch tells how many there were, and whose."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    assert (auto.branch("ada").handed, auto.branch("ada").tries, auto.branch("ada").tried_by) == (START, 0, ())
    entry = auto.entry("ada")
    first = auto.claim("ada", "t1", entry, lease_ms=1)
    assert (auto.branch("ada").handed, auto.branch("ada").tries) == (first.entries[-1].id, 1)
    again = wait_until(lambda: won if (won := auto.claim("ada", "t2", entry)).outcome is Outcome.OK else None)
    record = auto.branch("ada")
    assert (record.tries, record.tried_by, record.owner) == (2, ("owner of t1",), "owner of t2")
    auto.commit("ada", "t2", again)
    assert auto.branch("ada").tried_by == ()


def test_a_claim_hands_out_a_batch(auto: Road) -> None:
    """At most `batch` mails come with the claim; the rest with the commits."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2, 3)
    claimed = auto.take("ada", batch=2)
    assert texts(claimed.entries) == [1, 2]
    assert texts(auto.commit("ada", "t1", claimed).entries) == [3]


def test_a_repeated_claim_is_answered_again(auto: Road) -> None:
    """After a lost answer the same claim says OK with the same first mail, and counts no attempt."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    entry = auto.entry("ada")
    first = auto.claim("ada", "t1", entry)
    before = auto.state()
    again = auto.claim("ada", "t1", entry)
    assert (again.outcome, again.attempts, again.behaviour) == (Outcome.OK, 1, "echo")
    assert again.entries[0] == first.entries[0]
    assert auto.state() == before
    assert auto.counter("redelivered") == 0


def test_a_claim_repeated_after_a_commit_goes_on_from_there(auto: Road) -> None:
    """After a lost answer of a commit, the same claim tells where the branch stands and what comes next."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2)
    entry = auto.entry("ada")
    first = auto.claim("ada", "t1", entry, batch=1)
    auto.commit("ada", "t1", first)
    again = auto.claim("ada", "t1", entry)
    assert (again.outcome, again.version, again.cursor) == (Outcome.OK, 2, first.entries[0].id)
    assert texts(again.entries) == [2]


def test_a_living_lease_holds(auto: Road) -> None:
    """Another token is told HELD and where the branch stands; nothing changes, the entry stays pending."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    entry = auto.entry("ada")
    auto.claim("ada", "t1", entry)
    before = auto.state()
    held = auto.claim("ada", "t2", entry)
    assert (held.outcome, held.version, held.cursor, held.entries) == (Outcome.HELD, 1, START, ())
    assert auto.state() == before
    assert auto.sweep().seen == 1


def test_a_lease_that_is_over_holds_nobody(auto: Road) -> None:
    """When the lease has ended, the bearer of the same entry may claim; the old token is fenced."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    entry = auto.entry("ada")
    old = auto.claim("ada", "t1", entry, lease_ms=1)
    new = wait_until(lambda: won if (won := auto.claim("ada", "t2", entry)).outcome is Outcome.OK else None)
    assert auto.commit("ada", "t1", old).outcome is Outcome.FENCED
    assert auto.commit("ada", "t2", new).outcome is Outcome.DRAINED


def test_an_entry_that_is_not_the_mark_is_gone(auto: Road) -> None:
    """An entry that was replaced, or never was one, is GONE and the branch's own entry is still there."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    old = auto.entry("ada")
    auto.give_away()
    assert auto.claim("ada", "t1", old).outcome is Outcome.GONE
    assert auto.claim("ada", "t1", "1-1").outcome is Outcome.GONE
    assert auto.claim("ada", "t1").outcome is Outcome.GONE
    assert auto.take("ada", "t1").outcome is Outcome.OK


def test_an_idle_branch_cannot_be_claimed(auto: Road) -> None:
    """A branch without work has no entry: GONE."""
    auto.pooled("ada")
    gone = auto.claim("ada", "t1", "1-1")
    assert (gone.outcome, gone.version, gone.entries) == (Outcome.GONE, 1, ())
    assert auto.branch("ada").leased is False


def test_a_drained_branch_is_gone(auto: Road) -> None:
    """The entry of a turn that is over leads nowhere."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    entry = auto.entry("ada")
    auto.commit("ada", "t1", auto.claim("ada", "t1", entry))
    assert auto.claim("ada", "t2", entry).outcome is Outcome.GONE


def test_claiming_what_is_not_there(exchange: Exchange, auto: Road) -> None:
    """An unknown branch or session is UNKNOWN and comes not into being."""
    assert auto.claim("nobody", "t1", "1-1").outcome is Outcome.UNKNOWN
    assert auto.claim("nobody", "t1").outcome is Outcome.UNKNOWN
    assert exchange.call(Claim("nowhere", "ada", "t1", "1-1", auto.pool)).outcome is Outcome.UNKNOWN
    assert auto.record().branches == 0


def test_mail_handed_out_again_comes_alone(auto: Road) -> None:
    """After a lost owner the first mail comes alone, its attempts counted; the rest follows its commit."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2, 3)
    assert texts(auto.take("ada", "t1", lease_ms=1).entries) == [1, 2, 3]
    for attempt in (2, 3):
        auto.give_away()
        claimed = auto.take("ada", f"t{attempt}", lease_ms=1)
        assert (texts(claimed.entries), claimed.attempts) == ([1], attempt)
    assert auto.counter("redelivered") == 2
    auto.give_away()
    answer = auto.commit("ada", "t4", auto.take("ada", "t4"))
    assert answer.outcome is Outcome.OK
    assert texts(answer.entries)[0] == 2


def test_mail_that_came_with_a_commit_counts_as_handed_out(auto: Road) -> None:
    """An owner that is lost after a commit leaves its next mail tried once, which then comes alone."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2, 3)
    answer = auto.commit("ada", "t1", auto.take("ada", "t1", batch=1), lease_ms=1)
    assert texts(answer.entries) == [2, 3]
    auto.give_away()
    claimed = auto.take("ada", "t2")
    assert (texts(claimed.entries), claimed.attempts, claimed.version) == ([2], 2, 2)
    assert auto.counter("redelivered") == 1


def test_mail_that_the_lost_owner_held_counts_as_handed_out(auto: Road) -> None:
    """Of a batch of which only the first mail was committed, the second has been handed out before."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2, 3)
    first = auto.take("ada", "t1")
    auto.commit("ada", "t1", first, take=1, after=first.entries[-1].id, lease_ms=1)
    auto.give_away()
    claimed = auto.take("ada", "t2")
    assert (texts(claimed.entries), claimed.attempts) == ([2], 2)


def test_success_forgets_the_attempts(auto: Road) -> None:
    """The count belongs to one mail: the next one starts from the beginning."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    auto.take("ada", "t1", lease_ms=1)
    auto.give_away()
    auto.commit("ada", "t2", auto.take("ada", "t2"))
    auto.say("ben", "ada", 2, 3)
    claimed = auto.take("ada", "t3")
    assert (texts(claimed.entries), claimed.attempts) == ([2, 3], 1)


def test_a_huge_backlog_is_handed_out_in_parts(auto: Road) -> None:
    """However much waits, every mail comes in order; a part holds at least one mail."""
    auto.pooled("ada")
    for number in range(8):
        auto.say("ben", "ada", [number, "x" * 250_000])
    said: list[int] = []
    stand: Stand = auto.take("ada")
    while stand.outcome is Outcome.OK:
        assert stand.entries
        said += [number for number, _ in texts(stand.entries)]
        stand = auto.commit("ada", "t1", stand)
    assert said == list(range(8))
