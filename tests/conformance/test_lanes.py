"""Mail that failed: it waits in its sender's lane, later mail of that sender behind it, while other mail goes on."""

from dataclasses import replace

import pytest

from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import START, Burial, Claimed, Committed, Deferral
from lion_broker.mail.verbs import Progress, Promote, Step
from tests.conformance.road import Road, Stand, texts, wait_until

SOON, LATER = 1, 60_000


def defer(stand: Stand, *senders: str, pause_ms: int = LATER, attempts: int = 1) -> tuple[Deferral, ...]:
    """Defer the first entries of a turn into lanes; the first of each lane waits."""
    seen: set[str] = set()
    found = []
    for entry, sender in zip(stand.entries, senders, strict=False):
        first = sender not in seen
        seen.add(sender)
        found.append(Deferral(entry.id, sender, pause_ms if first else 0, attempts if first else 0))
    return tuple(found)


def failed(road: Road, *, pause_ms: int = LATER, more: int = 0) -> Stand:
    """A branch `ada` whose first mail, of `ben`, has failed, with `more` of his behind it; nobody owns it then."""
    road.pooled("ada")
    road.say("ben", "ada", *range(1 + more))
    stand = road.take("ada", "t1")
    deferred = defer(stand, *["ben"] * (1 + more), pause_ms=pause_ms)
    return road.commit("ada", "t1", stand, deferred=deferred, handled=0)


def take_due(road: Road, token: str = "t2", **options: int) -> Claimed:
    """Wait until the branch is ready, and claim it."""

    def entry() -> str:
        road.call(Promote(road.session))
        return next((ready.id for ready in road.ready()), "")

    claimed = road.claim("ada", token, wait_until(entry), **options)
    assert claimed.outcome is Outcome.OK
    return claimed


def test_deferred_mail_is_not_ready(auto: Road) -> None:
    """A branch with nothing but mail that waits for its time belongs to nobody and wakes nobody."""
    answer = failed(auto)
    assert (answer.outcome, answer.entries) == (Outcome.DRAINED, ())
    assert auto.ready() == ()
    record = auto.branch("ada")
    assert (record.deferred, record.waiting, record.leased) == (1, 0, False)
    assert (auto.counter("inflight"), auto.counter("applied"), auto.counter("dead")) == (1, 0, 0)


def test_promote_says_when_the_next_is_due(auto: Road) -> None:
    """The answer is the time that is left until then, by the exchange's clock."""
    failed(auto)
    promoted = auto.call(Promote(auto.session))
    assert promoted.next_ms is not None
    assert 0 < promoted.next_ms <= LATER
    assert auto.ready() == ()


def test_other_senders_go_on(auto: Road) -> None:
    """While a lane waits, mail of others is handed out; the answers name the lane."""
    failed(auto)
    auto.say("cleo", "ada", "hello")
    claimed = auto.take("ada", "t2")
    assert (texts(claimed.entries), claimed.lane, claimed.lanes) == (["hello"], "", frozenset({"ben"}))
    assert auto.commit("ada", "t2", claimed).outcome is Outcome.DRAINED
    assert auto.branch("ada").deferred == 1


def test_a_due_lane_is_handed_out_before_the_mailbox(auto: Road) -> None:
    """The head alone, with the attempts counted on."""
    failed(auto, pause_ms=SOON, more=2)
    auto.say("cleo", "ada", "hello")
    wait_until(lambda: auto.call(Promote(auto.session)).next_ms is None)
    claimed = auto.take("ada", "t2")
    assert (texts(claimed.entries), claimed.lane, claimed.attempts) == ([0], "ben", 2)
    answer = lane_turn(auto, "t2", claimed)
    assert (texts(answer.entries), answer.lane, answer.attempts) == ([1, 2], "ben", 1)
    answer = lane_turn(auto, "t2", answer)
    assert (texts(answer.entries), answer.lane, answer.lanes) == (["hello"], "", frozenset())
    assert auto.commit("ada", "t2", answer).outcome is Outcome.DRAINED
    assert (auto.branch("ada").deferred, auto.counter("inflight"), auto.counter("applied")) == (0, 0, 4)


def lane_turn(road: Road, token: str, stand: Stand, take: int | None = None, **parts: object) -> Committed:
    """Commit the first `take` (None: all) entries of a lane that were handed out."""
    done = stand.entries[:take]
    verb = road.turn("ada", token, stand, 0, lane=stand.lane, lane_done=done[-1].id if done else START)
    return road.call(replace(verb, **{"handled": len(done), **parts}))  # type: ignore[arg-type]


def test_what_fails_again_stays_at_the_head(auto: Road) -> None:
    """Its pause begins anew and the attempts go on; nothing behind it comes before."""
    failed(auto, pause_ms=SOON, more=1)
    claimed = take_due(auto)
    again = Deferral(claimed.entries[0].id, "ben", SOON, claimed.attempts)
    assert lane_turn(auto, "t2", claimed, 0, deferred=(again,)).outcome in (Outcome.DRAINED, Outcome.OK)
    auto.release("ada", "t2")
    claimed = take_due(auto, "t3")
    assert (texts(claimed.entries), claimed.attempts) == ([0], 3)
    burial = Burial(claimed.entries[0].id, "failed", "ValueError: no", 3, error="ValueError")
    answer = lane_turn(auto, "t3", claimed, buried=(burial,), handled=0)
    assert (texts(answer.entries), answer.attempts) == ([1], 1)
    (letter,) = auto.dead()
    assert (letter.reason, letter.error, letter.attempts) == ("failed", "ValueError", 3)
    assert letter.owners == ("owner of t1", "owner of t2", "owner of t3")


def test_later_mail_queues_behind_its_senders_lane(auto: Road) -> None:
    """Deferring into a lane that is there keeps the lane's time and attempts."""
    failed(auto)
    auto.say("ben", "ada", 1)
    auto.say("cleo", "ada", "hello")
    claimed = auto.take("ada", "t2")
    auto.commit("ada", "t2", claimed, deferred=defer(claimed, "ben", pause_ms=0, attempts=0), handled=1)
    promoted = auto.call(Promote(auto.session))
    assert (auto.branch("ada").deferred, auto.ready()) == (2, ())
    assert promoted.next_ms is not None
    assert promoted.next_ms > SOON


def test_a_worker_that_dies_in_a_lane_is_counted(auto: Road) -> None:
    """A head that was handed out from a lane without a commit has one attempt more."""
    failed(auto, pause_ms=SOON)
    assert take_due(auto, "t2", lease_ms=1).attempts == 2
    auto.give_away()
    claimed = auto.take("ada", "t3")
    assert (claimed.lane, claimed.attempts) == ("ben", 3)


def test_lanes_make_no_mail_younger(auto: Road) -> None:
    """A mail of the mailbox that kills its workers comes to its end, though a due lane goes before it each time."""
    failed(auto, pause_ms=SOON)
    auto.say("cleo", "ada", "deadly")
    token, seen = "", list[int]()
    stand: Stand = Claimed(Outcome.GONE)
    for number in range(4):
        token = f"t{number + 2}"
        wait_until(lambda: auto.call(Promote(auto.session)).next_ms is None)
        stand = auto.take("ada", token)
        assert stand.lane == "ben"
        again = Deferral(stand.entries[0].id, "ben", 20, stand.attempts)
        stand = lane_turn(auto, token, stand, 0, deferred=(again,), lease_ms=1)
        assert (texts(stand.entries), stand.lane) == (["deadly"], "")
        seen.append(stand.attempts)
        if number < 3:
            wait_until(lambda: auto.call(Promote(auto.session)).next_ms is None)
            auto.give_away()
    assert seen == [1, 2, 3, 4]
    assert auto.counter("redelivered") == 3 + 4
    auto.commit("ada", token, stand, buried=(Burial(stand.entries[0].id, "poison", "deadly", 3),), handled=0)
    (letter,) = auto.dead()
    assert letter.owners == tuple(f"owner of t{number}" for number in (2, 3, 4, 5))


def test_a_repeated_claim_of_a_lane_counts_nothing(auto: Road) -> None:
    """After a lost answer the same claim says the same again."""
    failed(auto, pause_ms=SOON)

    def entry() -> str:
        auto.call(Promote(auto.session))
        return next((ready.id for ready in auto.ready()), "")

    found = wait_until(entry)
    first = auto.claim("ada", "t2", found)
    again = auto.claim("ada", "t2", found)
    assert (again.outcome, again.lane, again.attempts, again.entries) == (
        Outcome.OK,
        "ben",
        first.attempts,
        first.entries,
    )


def test_a_cut_turn_is_done_again_first(auto: Road) -> None:
    """Its calls are recorded until a commit, so no due lane comes in between."""
    auto.pooled("ada")
    auto.say("ben", "ada", "first")
    auto.say("cleo", "ada", "second")
    stand = auto.take("ada", "t1", batch=1)
    answer = auto.commit("ada", "t1", stand, deferred=defer(stand, "ben", pause_ms=2), handled=0, lease_ms=1)
    assert texts(answer.entries) == ["second"]
    auto.call(Step(auto.session, "ada", "t1", "call", b"1"))
    wait_until(lambda: auto.call(Promote(auto.session)).next_ms is None)
    auto.give_away()
    claimed = auto.take("ada", "t2")
    assert (texts(claimed.entries), claimed.lane, claimed.attempts) == (["second"], "", 2)
    assert auto.commit("ada", "t2", claimed).lane == "ben"


def test_a_released_lane_is_ready_again(auto: Road) -> None:
    """A worker that hands the branch back in a lane leaves it to the next, and no attempt is counted."""
    failed(auto, pause_ms=SOON)
    assert take_due(auto).attempts == 2
    assert auto.release("ada", "t2") is Outcome.OK
    claimed = auto.take("ada", "t3")
    assert (claimed.lane, claimed.attempts) == ("ben", 2)


def test_a_round_waits_for_deferred_mail(auto: Road) -> None:
    """A branch that has mail to try again has not settled, though its cursor has passed it."""
    auto.pooled("ada")
    auto.say("ben", "ada", 1)
    claimed = auto.take("ada")
    entry = claimed.entries[0].id
    auto.commit("ada", "t1", claimed, deferred=defer(claimed, "ben", pause_ms=SOON), handled=0)
    auto.release("ada", "t1")
    assert auto.call(Progress(auto.session, {"ada": entry})) == ("ada",)
    lane_turn(auto, "t2", take_due(auto))
    assert auto.call(Progress(auto.session, {"ada": entry})) == ()


def test_a_closed_branch_leaves_no_lane(auto: Road) -> None:
    """What waited to be tried again is a dead letter, before what waits behind it."""
    failed(auto, more=1)
    auto.say("ben", "ada", 2)
    auto.close("ada")
    assert [(letter.reason, letter.mail and letter.mail.item()) for letter in auto.dead()] == [
        ("closed", 0),
        ("closed", 1),
        ("closed", 2),
    ]
    assert auto.counter("inflight") == 0
    assert auto.call(Promote(auto.session)).next_ms is None


@pytest.mark.parametrize("odd", ["entry", "twice", "lane", "done"])
def test_a_turn_that_defers_what_is_not_there_is_refused(auto: Road, odd: str) -> None:
    """STALE, and nothing has changed."""
    failed(auto, pause_ms=SOON, more=1)
    claimed = take_due(auto)
    head = claimed.entries[0].id
    choices: dict[str, dict[str, object]] = {
        "entry": {"deferred": (Deferral("9-9", "ben", 1, 1),), "lane_done": START},
        "twice": {"deferred": (Deferral(head, "ben", 1, 1),), "lane_done": head},
        "lane": {"lane": "cleo", "lane_done": START},
        "done": {"lane_done": "9-9"},
    }
    parts = choices[odd]
    before = auto.state()
    assert lane_turn(auto, "t2", claimed, 0, **parts).outcome is Outcome.STALE
    assert auto.state() == before
