"""What only shows when somebody looks closely: found by seeding small faults into the functions."""

from collections.abc import Callable

from lion_broker.mail.answers import Swept
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import Deferral, Posted
from lion_broker.mail.verbs import Collect, Pause, Promote, Resume, Send
from tests.conformance.road import Road, Stand, texts, wait_until


def test_twelve_mails_of_one_moment(auto: Road) -> None:
    """Ids are compared as numbers: the tenth entry of a millisecond comes after the ninth."""
    auto.pooled("ada")
    auto.say("ben", "ada", *range(12))
    stand: Stand = auto.take("ada")
    for number in range(12):
        assert texts(stand.entries)[:1] == [number]
        stand = auto.commit("ada", "t1", stand, take=1, batch=12)
    assert stand.outcome is Outcome.DRAINED


def test_tried_mail_comes_alone_after_a_commit_too(auto: Road) -> None:
    """What the lost owner held comes one by one, each until a commit shows that it does no harm."""
    auto.pooled("ada")
    auto.say("ben", "ada", *range(4))
    auto.take("ada", "t1", batch=3, lease_ms=1)
    auto.give_away()
    stand: Stand = auto.take("ada", "t2")
    for number in range(3):
        assert texts(stand.entries) == [number]
        stand = auto.commit("ada", "t2", stand)
    assert texts(stand.entries) == [3]


def test_a_clean_end_leaves_no_lease_behind(auto: Road) -> None:
    """What is handed back can be swept from its next reader at once, though the old lease had long to go."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    auto.take("ada", "t1", lease_ms=60_000)
    auto.release("ada", "t1")
    auto.entry("ada", "a worker that dies")
    assert auto.sweep() == Swept(seen=1, renewed=1)


def test_a_drained_branch_has_no_owner(auto: Road) -> None:
    """Neither its token nor its name."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    claimed = auto.take("ada")
    assert auto.branch("ada").owner == "owner of t1"
    auto.commit("ada", "t1", claimed)
    assert (auto.branch("ada").owner, auto.branch("ada").leased) == ("", False)


def test_what_was_set_aside_can_be_received_with_everything(manual: Road) -> None:
    """A branch whose turn filled its own inbox is among those whose inboxes hold mail."""
    manual.pooled("ada")
    manual.post(manual.command("ada", 1))
    claimed = manual.take("ada")
    manual.commit("ada", "t1", claimed, aside=(claimed.entries[0].id,))
    assert manual.receive().count == 1
    assert texts(manual.take("ada", "t2").entries) == [1]


def test_mails_of_one_call_share_the_limit(open_road: Callable[..., Road]) -> None:
    """Two mails of which each alone would fit are too many bytes together, and neither is taken."""
    road = open_road(cap_bytes=3000)
    road.pooled("ada")
    mails = [road.mail("ben", "ada", letter * 1500) for letter in "ab"]
    assert road.post(*mails) == Posted(Outcome.FULL, "ada")
    assert road.branch("ada").waiting == 0


def test_received_mails_of_all_branches_share_the_limit(manual: Road) -> None:
    """No call moves more than it was asked to, however many branches have mail."""
    manual.pooled("ada", "ben")
    manual.say("ada", "ben", 1)
    manual.say("ben", "ada", 2)
    manual.send()
    moved = manual.receive(limit=1)
    assert (moved.count, moved.more) == (1, True)
    assert (manual.receive(limit=1).count, len(manual.ready())) == (1, 2)


def test_collected_mail_goes_before_what_is_in_outboxes(manual: Road) -> None:
    """Also where more recipients have collected mail than one call looks at."""
    names = [f"branch-{number}" for number in range(130)]
    manual.local("ada", *names)
    for said in ("first", "second"):
        for at in range(0, len(names), 50):
            manual.post(*(manual.mail("ada", name, said) for name in names[at : at + 50]))
        if said == "first":
            assert manual.move_all(Collect(manual.session)).count == len(names)
    assert manual.move_all(Send(manual.session, limit=400)).count == 2 * len(names)
    assert {tuple(texts(manual.inbox(name))) for name in names} == {("first", "second")}


def test_resuming_wakes_nobody_for_nothing(auto: Road) -> None:
    """A branch without work is resumed and not ready; its next mail makes it so, once."""
    auto.pooled("ada")
    auto.call(Pause(auto.session, "ada", "a rest"))
    auto.call(Resume(auto.session, "ada"))
    assert auto.ready() == ()
    auto.say("ben", "ada", 1)
    assert len(auto.ready()) == 1


def test_deferred_mail_keeps_its_id(auto: Road) -> None:
    """The id of an entry tells when it came, and so it does in a lane."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1, 2, 3)
    claimed = auto.take("ada")
    last = claimed.entries[-1].id
    auto.commit("ada", "t1", claimed, deferred=(Deferral(last, "ben", 1, 1),), handled=2)
    wait_until(lambda: auto.call(Promote(auto.session)).next_ms is None)
    assert [entry.id for entry in auto.take("ada", "t2").entries] == [last]


def test_what_is_due_is_not_planned_again(auto: Road) -> None:
    """A lane that an owner is working off is nothing to wait for: sweepers are not called back to it at once."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    claimed = auto.take("ada")
    auto.commit("ada", "t1", claimed, deferred=(Deferral(claimed.entries[0].id, "ben", 1, 1),), handled=0)
    wait_until(lambda: auto.call(Promote(auto.session)).next_ms is None)
    auto.take("ada", "t2")
    auto.call(Promote(auto.session))
    assert auto.call(Promote(auto.session)).next_ms is None


def test_what_is_due_later_stays_planned(auto: Road) -> None:
    """Of two lanes the one that is due makes the branch ready, and the other is not forgotten."""
    auto.pooled("ada")
    auto.post(auto.mail("ben", "ada", 1), auto.mail("cleo", "ada", 2))
    claimed = auto.take("ada")
    ben, cleo = (entry.id for entry in claimed.entries)
    later = (Deferral(ben, "ben", 1, 1), Deferral(cleo, "cleo", 3_600_000, 1))
    auto.commit("ada", "t1", claimed, deferred=later, handled=0)
    wait_until(lambda: auto.call(Promote(auto.session)).now and auto.ready())
    assert auto.call(Promote(auto.session)).next_ms is not None
