"""Why a mail waits, by where it stands: a sentence for each case, with the next step where there is one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lion_broker.insight.reasons import lost_among, poisoned, reason_of, versions_among
from lion_broker.insight.views import WORKER_LOST, Passage, PoolView, Span, Trace, WorkerView
from lion_broker.mail.records import START, BranchRecord, BranchSeed


def branch(pool: str = "p", **known: object) -> BranchRecord:
    """A branch with two mails in its mailbox."""
    given = {"state": "open", "owner": "", "leased": False, "waiting": 2, **known}
    return BranchRecord(BranchSeed("b", "ben", pool), cursor=START, version=1, inbox=0, outbox=0, **given)  # type: ignore[arg-type]


def worker(active: int = 0, state: str = "running", pool: str = "p") -> WorkerView:
    """A worker with two places."""
    return WorkerView("w-1", pool, state, "host", 1, "0", 0.0, 0.0, 2, active, 0, 0, 0)


@pytest.mark.parametrize(
    ("state", "where", "record", "workers", "words", "command"),
    [
        ("gone", "", branch(), [], "Nothing of it is kept", ""),
        ("sent", "", branch(), [], "Only its sending was read", ""),
        ("waiting", "mailbox", None, [], "not in the session any more", ""),
        ("waiting", "mailbox", branch(state="closed"), [], "not in the session any more", ""),
        ("waiting", "mailbox", branch(paused="lunch"), [worker()], "ben is paused (lunch)", "branch resume s b"),
        (
            "waiting",
            "mailbox",
            branch(paused="pool p: late"),
            [worker()],
            "paused (pool p: late)",
            "branch resume --pool p",
        ),
        ("working", "mailbox", branch(leased=True), [worker(1)], "w-1 works on it", ""),
        ("retrying", "lanes", branch(), [worker()], "is tried again", ""),
        ("delayed", "delayed", branch(), [worker()], "delivered later", ""),
        ("waiting", "outbox", branch(), [worker()], "next collect and send", ""),
        ("waiting", "inbox", branch(""), [], "ben lives in a program", ""),
        ("waiting", "inbox", branch(), [], "receives by hand", ""),
        ("waiting", "mailbox", branch(leased=True, owner="w-9"), [worker(2)], "w-9 works for ben", ""),
        ("waiting", "mailbox", branch(), [worker(pool="q")], "Nobody serves the pool p of ben", "worker --app"),
        ("waiting", "mailbox", branch(), [worker(state="lost")], "Nobody serves the pool p", "--pool p"),
        ("waiting", "mailbox", branch(), [worker(2)], "All seats of the pool p are taken", "scale p 2"),
        ("waiting", "mailbox", branch(), [worker(1)], "a seat of the pool p is free", ""),
    ],
)
def test_it_says_why(
    state: str, where: str, record: BranchRecord | None, workers: list[WorkerView], words: str, command: str
) -> None:
    """Nothing is said of mail that has taken effect."""
    mail = Passage("m", "a", "b", "message", "hello", state, 1.0, where=where, owner="w-1")
    found = reason_of("s", mail, record, workers)
    assert found is not None
    assert words in found.text
    assert command in found.command
    assert bool(command) == bool(found.command)


def test_it_says_that_several_versions_are_at_work() -> None:
    """How many of each; of those that have ended, or are about to, nothing."""
    new, old = replace(worker(), version="0.2.0"), replace(worker(), version="0.1.0")
    found = versions_among([new, old, replace(old, owner="w-2"), replace(old, version="0", state="lost")])
    assert found is not None
    assert found.text == "Several versions are at work: 0.1.0 with 2 workers, 0.2.0 with 1 worker."
    assert found.command == "lion-broker drain --version VERSION --wait"
    assert versions_among([new, new, replace(old, state="draining")]) is None
    assert versions_among([]) is None


def dead(reason: str, *owners: str) -> Trace:
    """A dead mail that some workers had without an end."""
    mail = Passage("m", "a", "b", "message", "hello", "dead", 1.0, reason=reason, letter="1-1")
    return Trace(mail, (Span("work", "attempts", 1.0, 2.0, WORKER_LOST, {"owners": list(owners)}),))


def test_it_says_whom_a_poison_mail_has_ended() -> None:
    """By name, of many the last; of mail that is dead for another reason nothing."""
    one, two, four = (poisoned(dead("poison: x", *(f"w-{n}" for n in range(count)))) for count in (1, 2, 4))
    assert one is not None
    assert one.text.startswith("The worker w-0 had it, and ended or was cut off without finishing it.")
    assert two is not None
    assert two.text.startswith("2 workers had it, one after another, and each ended")
    assert "finishing it: w-0, w-1. See how they ended" in two.text
    assert four is not None
    assert "finishing it: at last w-1, w-2, w-3." in four.text
    assert poisoned(dead("poison: x")) is None
    assert poisoned(dead("failed: x", "w-0")) is None


def test_it_says_that_no_worker_can_do_it() -> None:
    """Only where all workers of the pool have told what they can."""
    mail = Passage("m", "a", "b", "message", "hello", "waiting", 1.0, where="mailbox")
    record = replace(branch(), seed=BranchSeed("b", "ben", "p", "bill"))
    can = replace(worker(), behaviours=("bill",))
    cannot = replace(worker(), behaviours=("record", "respond"))
    for workers in ([can, cannot], [cannot, worker()], [worker()]):
        assert "behaviour" not in reason_of("s", mail, record, workers).text  # type: ignore[union-attr]
    found = reason_of("s", mail, record, [cannot, replace(can, pool="q")])
    assert found is not None
    assert found.text == "No worker of the pool p has the behaviour bill, which ben needs."
    assert found.command == "lion-broker worker --app MODULE:NAME --pool p"


def test_it_says_since_when_a_worker_is_at_it() -> None:
    """And of mail that is in hand beside the one which its worker is at, which that is."""
    mail = Passage("m", "a", "b", "message", "hello", "working", 1.0, where="mailbox", owner="w-1", since=40.0)
    found = reason_of("s", mail, branch(leased=True, at="m", at_since=40_000), [worker(1)], 115.2)
    assert found is not None
    assert found.text == "w-1 works on it now, for 1 min 15 s."
    found = reason_of("s", replace(mail, since=None), branch(leased=True, at="n"), [worker(1)])
    assert found is not None
    assert found.text == "w-1 has it in hand, and was at the mail n a moment ago."


def test_how_long_a_mail_waited_and_took() -> None:
    """Of one that is worked at: so far; of one that waits: nothing."""
    mail = Passage("m", "a", "b", "message", "hello", "applied", 1.0, 2.0, 3.5, 7.0)
    assert (mail.waited, mail.took(99.0)) == (1.5, 3.5)
    working = replace(mail, state="working", begun=None, applied=None, since=90.0)
    assert (working.waited, working.took(99.0)) == (None, 9.0)
    assert replace(working, state="waiting").took(99.0) is None


@pytest.mark.parametrize("state", ["applied", "dead"])
def test_it_says_nothing_of_what_is_done(state: str) -> None:
    """A dead letter has a page that says why."""
    assert reason_of("s", Passage("m", "a", "b", "message", "hello", state, 1.0), branch(), []) is None


def test_mail_that_waits_beyond_its_time_says_so() -> None:
    """It looks like any other that waits, and yet nobody will handle it."""
    mail = Passage("m", "a", "b", "message", "hello", "waiting", 1.0, where="mailbox", expires=5.0)
    found = [reason_of("s", mail, branch(), [], now) for now in (4.0, 6.0)]
    assert ["time to live is over" in one.text for one in found if one] == [False, True]
    assert all(one is not None and "Nobody serves" in one.text for one in found)


@pytest.mark.parametrize(
    ("workers", "pools", "words", "command"),
    [
        (
            [worker(state="lost")],
            [("p", 0, 0, 0)],
            "w-1 was lost, last heard 5 s ago, at 00:00:00 UTC: nothing of what was",
            "forget w-1",
        ),
        ([worker(state="lost"), worker()], [("p", 0, 2, 1)], "goes to others of the pool", "forget w-1"),
        (
            [worker(state="lost"), worker(pool="q")],
            [("p", 0, 1, 0), ("q", 1, 1, 1)],
            "nobody serves p now",
            "forget w-1",
        ),
        (
            [worker(state="lost"), worker(state="lost")],
            [("p", 3, 0, 0)],
            "2 workers were lost, last heard",
            "forget --all",
        ),
    ],
)
def test_what_becomes_of_what_a_lost_worker_had(
    workers: list[WorkerView], pools: list[tuple[str, int, int, int]], words: str, command: str
) -> None:
    """Others of its pool take it, it waits for somebody, or nothing of it is left; by the pool as it stands."""
    pictures = [PoolView(name, ready, claimed, 0.0, serving, serving) for name, ready, claimed, serving in pools]
    found = lost_among(workers, pictures, 5.0)
    assert found is not None
    assert words in found.text
    assert found.command == f"lion-broker {command}"


def test_nobody_was_lost() -> None:
    """Then there is nothing to say; a long time is said in minutes."""
    assert lost_among([worker(), worker(state="stopped")], [], 5.0) is None
    found = lost_among([worker(state="lost")], [PoolView("p", 1, 0, 0.0, 0, 0)], 300.0)
    assert found is not None
    assert "last heard 5 min ago, at 00:00:00 UTC" in found.text


@pytest.mark.parametrize(
    ("ready", "claimed", "oldest", "serving", "told"),
    [
        (0, 0, 0.0, 0, False),
        (0, 7, 0.0, 1, False),
        (9, 7, 200.0, 1, False),
        (9, 7, 290.0, 1, True),
        (1, 0, 0.0, 0, True),
        (0, 1, 0.0, 0, True),
    ],
)
def test_a_loss_is_no_news_when_others_have_what_was_in_hand(
    ready: int, claimed: int, oldest: float, serving: int, told: bool
) -> None:
    """However busy the pool is: what waits has come since. It is told while that may wait, and for two minutes."""
    pool = PoolView("p", ready, claimed, oldest, serving, serving)
    lost = worker(state="lost")
    assert (lost_among([lost], [pool], 300.0) is not None) == told
    assert lost_among([lost], [pool], 100.0) is not None
    found = lost_among([lost, replace(lost, heard=250.0)], [pool], 300.0)
    assert found is not None
    assert found.text.startswith("2 workers were lost" if told else "The worker w-1 was lost, last heard 50 s ago")
