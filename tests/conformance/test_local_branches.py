"""Branches without a pool: their owner takes mail out of the inbox, and keeps the lease from turn to turn."""

from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import START, Burial, Claimed
from tests.conformance.road import Road, texts, wait_until


def owned(road: Road, *said: object) -> Claimed:
    """A local branch `ada`, claimed by its creator, in whose inbox some mails wait."""
    road.local("ada", token="mine")
    if said:
        road.say("ben", "ada", *said)
    claimed = road.claim("ada", "mine", lease_ms=60_000)
    assert claimed.outcome is Outcome.OK
    return claimed


def test_a_claim_brings_no_mail(auto: Road) -> None:
    """Mail for a local branch is in its inbox; a claim answers OK with where the branch stands."""
    claimed = owned(auto, 1)
    assert (claimed.entries, claimed.cursor, claimed.version) == ((), START, 1)
    assert texts(auto.inbox("ada")) == [1]


def test_taken_mail_leaves_the_inbox(auto: Road) -> None:
    """The commit that names inbox entries takes them out: OK without mails, lease kept, cursor unmoved."""
    claimed = owned(auto, 1, 2, 3)
    ids = [entry.id for entry in auto.inbox("ada")]
    answer = auto.commit("ada", "mine", claimed, taken=(ids[0], ids[2]), handled=2)
    assert (answer.outcome, answer.cursor, answer.version, answer.entries) == (Outcome.OK, START, 2, ())
    assert texts(auto.inbox("ada")) == [2]
    assert auto.branch("ada").leased is True
    assert auto.claim("ada", "theirs").outcome is Outcome.HELD
    again = auto.commit("ada", "mine", answer, taken=(ids[1],), handled=1)
    assert (again.outcome, again.version) == (Outcome.OK, 3)
    assert (auto.counter("applied"), auto.counter("inflight")) == (3, 0)


def test_mail_is_taken_once(auto: Road) -> None:
    """An entry that is no longer in the inbox makes the turn STALE."""
    claimed = owned(auto, 1)
    (entry,) = auto.inbox("ada")
    answer = auto.commit("ada", "mine", claimed, taken=(entry.id,), handled=1)
    before = auto.state()
    assert auto.commit("ada", "mine", answer, taken=(entry.id,), handled=1).outcome is Outcome.STALE
    assert auto.state() == before


def test_a_repeated_commit_is_made_once(auto: Road) -> None:
    """The lease goes on, so that a repeat after a lost answer is told ALREADY."""
    claimed = owned(auto, 1)
    (entry,) = auto.inbox("ada")
    verb = auto.turn("ada", "mine", claimed, taken=(entry.id,), handled=1)
    assert auto.call(verb).outcome is Outcome.OK
    before = auto.state()
    again = auto.call(verb)
    assert (again.outcome, again.version) == (Outcome.ALREADY, 2)
    assert auto.state() == before


def test_a_local_turn_is_never_drained(auto: Road) -> None:
    """Also a batch of nothing leaves the owner its lease: only release or time ends it."""
    claimed = owned(auto)
    assert auto.commit("ada", "mine", claimed, batch=0).outcome is Outcome.OK
    assert auto.branch("ada").leased is True


def test_nothing_of_a_local_branch_can_be_consumed(auto: Road) -> None:
    """Its mailbox is empty for good: a commit that moves the cursor is STALE."""
    claimed = owned(auto, 1)
    (entry,) = auto.inbox("ada")
    before = auto.state()
    assert auto.commit("ada", "mine", claimed, consumed=entry.id).outcome is Outcome.STALE
    assert auto.state() == before


def test_inbox_mail_is_buried(auto: Road) -> None:
    """A local owner may bury what waits in its inbox."""
    claimed = owned(auto, 1, 2)
    first, _ = auto.inbox("ada")
    auto.commit("ada", "mine", claimed, buried=(Burial(first.id, "refused", "Not wanted.", inbox=True),))
    assert texts(auto.inbox("ada")) == [2]
    assert [(letter.reason, letter.branch) for letter in auto.dead()] == [("refused", "ada")]


def test_a_local_branch_sends(manual: Road) -> None:
    """Its outgoing mail takes the same road as everyone's."""
    manual.local("eve")
    claimed = owned(manual)
    mails = (manual.mail("ada", "eve", 1), manual.command("eve", "now", "ada"))
    assert manual.commit("ada", "mine", claimed, mails=mails).outcome is Outcome.OK
    assert (manual.branch("ada").outbox, texts(manual.inbox("eve"))) == (1, ["now"])


def test_no_worker_is_ever_woken(auto: Road) -> None:
    """Whatever happens to a local branch, nothing appears in a ready stream."""
    claimed = owned(auto, 1)
    auto.commit("ada", "mine", claimed, mails=(auto.mail("ada", "ada", 2),))
    auto.release("ada", "mine")
    auto.receive()
    assert auto.ready() == ()
    assert texts(auto.inbox("ada")) == [1, 2]


def test_the_owner_renews_by_claiming(auto: Road) -> None:
    """A claim with the same token prolongs the lease."""
    auto.local("ada", token="mine", lease_ms=1)
    assert auto.claim("ada", "mine", lease_ms=60_000).outcome is Outcome.OK
    assert auto.branch("ada").leased is True
    assert auto.claim("ada", "theirs").outcome is Outcome.HELD


def test_a_deserted_branch_changes_hands(auto: Road) -> None:
    """When the lease is over another may claim; the old owner is fenced and its mail still waits."""
    auto.local("ada", token="mine", lease_ms=1)
    auto.say("ben", "ada", 1)
    old = auto.claim("ada", "mine", lease_ms=1)
    new = wait_until(lambda: won if (won := auto.claim("ada", "theirs")).outcome is Outcome.OK else None)
    (entry,) = auto.inbox("ada")
    assert auto.commit("ada", "mine", old, taken=(entry.id,)).outcome is Outcome.FENCED
    assert auto.renew("ada", "mine") is Outcome.FENCED
    assert auto.commit("ada", "theirs", new, taken=(entry.id,), handled=1).outcome is Outcome.OK


def test_a_released_branch_is_free_at_once(auto: Road) -> None:
    """After Release anyone may claim, without waiting for the lease."""
    owned(auto, 1)
    assert auto.release("ada", "mine") is Outcome.OK
    assert auto.branch("ada").leased is False
    assert auto.release("ada", "mine") is Outcome.FENCED
    assert auto.claim("ada", "theirs").outcome is Outcome.OK
    assert texts(auto.inbox("ada")) == [1]
